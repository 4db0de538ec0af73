// Parsing of SORT, THREAD, ESEARCH, CANCELUPDATE, PARTIAL, FUZZY, FILTER, and the bounds of search keys.
#include <gtest/gtest.h>

#include "imapd/proto/command.h"
#include "imapd/proto/response.h"

namespace mailstead::imapd::proto {
namespace {

template <class T>
T parsed(std::string_view frame) {
    auto command = parse_command(frame, {});
    if (!command) {
        ADD_FAILURE() << frame << ": " << command.error().error.what << " at "
                      << command.error().error.offset;
        return {};
    }
    return std::get<T>(std::move(command->arguments));
}

CommandError refused(std::string_view frame) {
    auto command = parse_command(frame, {});
    EXPECT_FALSE(command) << frame;
    return command ? CommandError{} : std::move(command).error();
}

TEST(ImapSearchCommands, Sort_Rfc5256_5) {
    const auto sort =
        parsed<Search>("a UID SORT (SUBJECT REVERSE DATE displayfrom) UTF-8 SINCE 1-Feb-1994 SEEN");
    EXPECT_EQ(sort.kind, Search::Kind::sort);
    EXPECT_TRUE(sort.uid);
    EXPECT_FALSE(sort.result.extended);
    const std::vector<SortCriterion> criteria = {
        {SortKey::subject, false}, {SortKey::date, true}, {SortKey::display_from, false}};
    EXPECT_EQ(sort.criteria, criteria);
    EXPECT_EQ(sort.key.children.size(), 2u);
    const auto extended =
        parsed<Search>("a SORT RETURN (PARTIAL -5:-1 SAVE UPDATE CONTEXT) (TO) \"US-ASCII\" ALL");
    EXPECT_TRUE(extended.result.extended && extended.result.save && extended.result.update &&
                extended.result.context);
    EXPECT_EQ(extended.result.partial, (PartialRange{5, 1, true}));
    EXPECT_TRUE(parsed<Search>("a SORT RETURN () (CC) UTF-8 ALL").result.all);
    for (const std::string_view bad :
         {"a SORT UTF-8 ALL", "a SORT (FROM) UTF-8", "a SORT (FROM)UTF-8 ALL", "a SORT (FROM,TO) UTF-8 ALL",
          "a SORT (REVERSE REVERSE TO) UTF-8 ALL", "a SORT (TO) UTF-8 ", "a SORT RETURN (MIN (TO) UTF-8 ALL",
          "a SORT RETURN (MIN)(TO) UTF-8 ALL"})
        EXPECT_FALSE(refused(bad).is_no) << bad;
    std::string many = "a SORT (";
    for (std::size_t n = 0; n <= kMaxSortCriteria; ++n) many += "TO ";
    many.back() = ')';
    refused(many + " UTF-8 ALL");
}

TEST(ImapSearchCommands, Thread_Rfc5256_5) {
    EXPECT_EQ(parsed<Search>("a THREAD REFERENCES UTF-8 ALL").algorithm, ThreadAlgorithm::references);
    EXPECT_EQ(parsed<Search>("a UID THREAD refs UTF-8 ALL").algorithm, ThreadAlgorithm::refs);
    EXPECT_EQ(parsed<Search>("a THREAD ORDEREDSUBJECT UTF-8 ALL").algorithm,
              ThreadAlgorithm::ordered_subject);
    refused("a THREAD REFERENCES ALL");
    refused("a THREAD RETURN () REFERENCES UTF-8 ALL");
    const auto error = refused("a THREAD REFS ISO-2022-JP ALL");
    EXPECT_TRUE(error.is_no);
    EXPECT_EQ(error.code, "BADCHARSET (UTF-8 US-ASCII)");
}

TEST(ImapSearchCommands, Esearch_Rfc7377_4) {
    auto search = parsed<Search>("a ESEARCH UNSEEN");
    ASSERT_EQ(search.sources.size(), 1u);
    EXPECT_EQ(search.sources[0].kind, MailboxSource::Kind::selected);
    search = parsed<Search>(
        "a ESEARCH IN (mailboxes \"folder1\" subtree-one (x y/z) Personal) RETURN (MIN) CHARSET "
        "UTF-8 unseen");
    ASSERT_EQ(search.sources.size(), 3u);
    EXPECT_EQ(search.sources[1].kind, MailboxSource::Kind::subtree_one);
    ASSERT_EQ(search.sources[1].names.size(), 2u);
    EXPECT_EQ(search.sources[1].names[1].utf8(), "y/z");
    EXPECT_TRUE(search.result.min);
    for (const std::string_view bad :
         {"a ESEARCH IN (personal (x y)) ALL", "a ESEARCH IN personal ALL", "a ESEARCH IN (subtree) ALL",
          "a ESEARCH IN (mailboxes ()) ALL", "a ESEARCH IN (selected personal) RETURN (SAVE) ALL",
          "a ESEARCH IN (personal)"})
        refused(bad);
    EXPECT_TRUE(parsed<Search>("a ESEARCH IN (selected) RETURN (SAVE) ALL").result.save);
}

TEST(ImapSearchCommands, CancelUpdate_Rfc5267_5) {
    EXPECT_EQ(parsed<CancelUpdate>("a CANCELUPDATE \"B01\" \"B02\"").tags,
              (std::vector<std::string>{"B01", "B02"}));
    refused("a CANCELUPDATE");
    refused("a CANCELUPDATE B01");
    std::string many = "a CANCELUPDATE";
    for (std::size_t n = 0; n <= kMaxCancelledUpdates; ++n) many += " \"x\"";
    refused(many);
}

TEST(ImapPartialRange, CountsFromEitherEnd_Rfc9394_3_1) {
    struct Case {
        std::string_view written;
        std::uint64_t count;
        std::string_view places;
    };
    const Case cases[] = {
        {"1:500", 10, "0-9"},    {"3:2", 10, "1-2"},         {"10:11", 10, "9-9"}, {"11:12", 10, "none"},
        {"1:1", 0, "none"},      {"-1:-3", 10, "7-9"},       {"-3:-1", 10, "7-9"}, {"-9:-20", 10, "0-1"},
        {"-11:-12", 10, "none"}, {"4294967295:1", 3, "0-2"},
    };
    for (const Case& c : cases) {
        Lexer in(c.written);
        const auto range = parse_partial_range(in);
        ASSERT_TRUE(range) << c.written;
        const auto places = range->among(c.count);
        EXPECT_EQ(places ? std::to_string(places->first) + "-" + std::to_string(places->last) : "none",
                  c.places)
            << c.written;
        std::string out;
        write_partial_range(out, *range);
        EXPECT_EQ(out, c.written);
    }
    for (const std::string_view bad :
         {"", "1", "1:", "1:-2", "-1:2", "0:1", "1:0", "1:*", "-0:-1", "4294967296:1"}) {
        Lexer in(bad);
        EXPECT_FALSE(parse_partial_range(in)) << bad;
    }
    EXPECT_EQ(parsed<Fetch>("a UID FETCH 1:* FLAGS (PARTIAL -1:-30 CHANGEDSINCE 98305)").partial,
              (PartialRange{1, 30, true}));
    refused("a FETCH 1:* FLAGS (PARTIAL 1:2)");
    refused("a UID FETCH 1:* FLAGS (PARTIAL 1:2 PARTIAL 1:2)");
}

TEST(ImapSearchBounds, KeysBuiltToExplodeAreRefused) {
    const auto keys = [](std::string_view key, std::size_t times) {
        std::string text = "a SEARCH";
        for (std::size_t n = 0; n < times; ++n) text += " " + std::string(key);
        return text;
    };
    EXPECT_EQ(parsed<Search>(keys("1:*", kMaxRangeKeys)).key.children.size(), kMaxRangeKeys);
    refused(keys("1:*", kMaxRangeKeys + 1));
    refused(keys("$", kMaxRangeKeys + 1));
    refused(keys("UID 2:1", kMaxRangeKeys + 1));
    parsed<Search>(keys("UID 7", kMaxSearchKeys));
    refused(keys("UID 7", kMaxSearchKeys + 1));
    refused(keys("TEXT x", kMaxTextKeys + 1));
    std::string deep = "a SEARCH ";
    for (unsigned n = 0; n < kMaxNesting; ++n) deep += "FUZZY ";
    refused(deep + "ALL");
    refused("a SEARCH FUZZY");
    refused("a SEARCH FILTER");
    refused("a SEARCH FILTER \"x\"");
    refused("a SEARCH FILTER a/b");
}

TEST(ImapSearchBounds, TellsWhatIsTooMuchInFilters) {
    EXPECT_TRUE(parse_filter("OR SMALLER 5000 FROM \"boss@example.com\""));
    EXPECT_TRUE(parse_filter("SUBJECT {3}\r\nabc"));
    EXPECT_FALSE(parse_filter("OR SMALLER"));
    EXPECT_FALSE(parse_filter(""));
    EXPECT_FALSE(parse_filter("SEEN RETURN"));
    SearchKey all;
    all.op = SearchOp::all_of;
    const auto one = parse_filter("TEXT x");
    for (std::size_t n = 0; n < kMaxTextKeys; ++n) all.children.push_back(*one);
    EXPECT_EQ(excess_of(all), nullptr);
    all.children.push_back(*one);
    EXPECT_NE(excess_of(all), nullptr);
}

TEST(ImapSearchCommands, UnknownCharsetIsBadWhereAFilterIsNamed_Rfc5466_3_1) {
    EXPECT_FALSE(refused("a SEARCH CHARSET KOI8-R FILTER x").is_no);
    EXPECT_EQ(refused("a SEARCH CHARSET KOI8-R FILTER x").code, "BADCHARSET (UTF-8 US-ASCII)");
    EXPECT_TRUE(refused("a SEARCH CHARSET KOI8-R SUBJECT {1}\r\n\xC1").is_no);
    EXPECT_TRUE(refused("a SEARCH RETURN (SAVE) CHARSET KOI8-R ALL").saves_result);
}

}  // namespace
}  // namespace mailstead::imapd::proto
