// The order of SORT, the lists of results, fuzzy words and scores.
#include <gtest/gtest.h>

#include "imapd/commands/fuzzy.h"
#include "imapd/commands/search_answer.h"
#include "imapd/commands/search_request.h"
#include "imapd/commands/sort_keys.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::imapd::commands {
namespace {

using proto::SortCriterion;
using proto::SortKey;

class Folder {
public:
    void add(const std::string& fields, std::int64_t arrival = 0, std::uint64_t size = 0) {
        records_.push_back(store::build_fetch_cache(fields + "\r\nbody\r\n"));
        store::MessageInfo info;
        info.uid = Uid(static_cast<std::uint32_t>(records_.size()));
        info.internal_date = Time(std::chrono::seconds(arrival));
        info.size = size;
        infos_.push_back(info);
    }
    std::vector<std::uint32_t> order(std::vector<SortCriterion> criteria) const {
        SortKeys keys(std::move(criteria));
        for (std::size_t n = 0; n < infos_.size(); ++n) {
            const std::string record = store::build_header_record(*store::CachedMessage::read(records_[n]));
            const auto header = store::HeaderRecord::read(record);
            keys.add(infos_[n], &*header, 1);
        }
        for (const std::uint32_t n : keys.undecided())
            keys.complete(n, *store::CachedMessage::read(records_[n]));
        std::vector<std::uint32_t> uids;
        for (const std::uint32_t n : keys.sorted()) uids.push_back(keys.uid(n));
        return uids;
    }

private:
    std::vector<std::string> records_;
    std::vector<store::MessageInfo> infos_;
};

using Uids = std::vector<std::uint32_t>;

TEST(ImapSort, EveryCriterion_Rfc5256_3) {
    Folder f;
    f.add(
        "Date: Tue, 14 Nov 2023 10:00:00 +0000\r\nFrom: \"Zoe\" <b@x.example>\r\nTo: t3@x.example\r\nCc: "
        "c@x.example\r\n"
        "Subject: Re: beta\r\n",
        300, 10);
    f.add(
        "Date: Tue, 14 Nov 2023 10:30:00 +0100\r\nFrom: a@y.example\r\nTo: \"Ann\" "
        "<t2@x.example>\r\nSubject: [list] "
        "ALPHA (fwd)\r\n",
        100, 30);
    f.add("From: \"Adam\" <C@x.example>\r\nTo: t1@x.example\r\nCc: a@x.example\r\nSubject: gamma\r\n",
          1'699'955'700, 20);
    EXPECT_EQ(f.order({{SortKey::arrival}}), (Uids{2, 1, 3}));
    EXPECT_EQ(f.order({{SortKey::arrival, true}}), (Uids{3, 1, 2}));
    // The zone counts; without a Date field the arrival does: 09:30, 09:55, 10:00.
    EXPECT_EQ(f.order({{SortKey::date}}), (Uids{2, 3, 1}));
    EXPECT_EQ(f.order({{SortKey::size}}), (Uids{1, 3, 2}));
    EXPECT_EQ(f.order({{SortKey::from}}), (Uids{2, 1, 3}));
    EXPECT_EQ(f.order({{SortKey::to}}), (Uids{3, 2, 1}));
    // Nothing comes before something.
    EXPECT_EQ(f.order({{SortKey::cc}}), (Uids{2, 3, 1}));
    EXPECT_EQ(f.order({{SortKey::subject}}), (Uids{2, 1, 3}));
    // RFC 5957, 3: the name, else the address.
    EXPECT_EQ(f.order({{SortKey::display_from}}), (Uids{2, 3, 1}));
    EXPECT_EQ(f.order({{SortKey::display_to}}), (Uids{2, 3, 1}));
}

TEST(ImapSort, EqualMessagesStandInMailboxOrderAlsoInReverse_Rfc5256_3) {
    Folder f;
    f.add("Subject: same\r\n", 3, 1);
    f.add("Subject: Re: SAME\r\n", 2, 1);
    f.add("Subject: other\r\n", 1, 1);
    EXPECT_EQ(f.order({{SortKey::subject, true}}), (Uids{1, 2, 3}));
    EXPECT_EQ(f.order({{SortKey::subject, true}, {SortKey::arrival}}), (Uids{2, 1, 3}));
    EXPECT_EQ(f.order({{SortKey::size}}), (Uids{1, 2, 3}));
    EXPECT_EQ(f.order({{SortKey::size}, {SortKey::arrival}, {SortKey::arrival, true}}), (Uids{3, 2, 1}));
}

// RFC 5255, 4.2: i;unicode-casemap.
TEST(ImapSort, ComparesTextsWithoutCase) {
    Folder f;
    f.add("Subject: =?utf-8?q?=C3=A9tude?=\r\n");
    f.add("Subject: Zebra\r\n");
    f.add("Subject: apple\r\n");
    f.add("Subject: =?utf-8?q?=C3=89TUDE?= b\r\n");
    EXPECT_EQ(f.order({{SortKey::subject}}), (Uids{3, 1, 4, 2}));
}

TEST(ImapSort, LongTextsAreComparedWhole) {
    Folder f;
    const std::string same(70, 'x');
    f.add("Subject: " + same + " three\r\n");
    f.add("Subject: " + same + " one\r\n");
    f.add("Subject: " + same + " two\r\n");
    f.add("Subject: " + same + "\r\n");
    EXPECT_EQ(f.order({{SortKey::subject}}), (Uids{4, 2, 1, 3}));
    EXPECT_EQ(f.order({{SortKey::subject, true}}), (Uids{3, 1, 2, 4}));
}

TEST(ImapResultList, RangesRiseAlways_Rfc5267_3_2) {
    ResultList list;
    for (const std::uint32_t uid : {5u, 4u, 3u, 7u, 8u, 9u, 1u}) list.add(uid);
    std::string out;
    proto::write_ranges(out, list.ranges());
    EXPECT_EQ(out, "5,4,3,7:9,1");
    EXPECT_EQ(list.count(), 7u);
    out.clear();
    proto::write_ranges(out, list.part({2, 4}).ranges());
    EXPECT_EQ(out, "3,7:8");
    EXPECT_EQ(list.to_set(), store::UidSet::of({1, 3, 4, 5, 7, 8, 9}));
}

TEST(ImapResultList, SavesWhatIsReturned_Rfc9394_3_2) {
    const ResultList uids(store::UidSet({{11, 20}}));
    proto::SearchReturn wanted;
    wanted.save = true;
    EXPECT_EQ(result_to_save(wanted, uids).count(), 10u);
    wanted.partial = proto::PartialRange{1, 2, true};
    EXPECT_EQ(result_to_save(wanted, uids), store::UidSet({{19, 20}}));
    wanted.min = true;
    EXPECT_EQ(result_to_save(wanted, uids), store::UidSet({{11, 11}, {19, 20}}));
    wanted.count = true;
    EXPECT_EQ(result_to_save(wanted, uids).count(), 10u);
}

TEST(ImapFuzzy, WordsAndStems) {
    EXPECT_EQ(words_of("IMAP  break-down, 2. café"),
              (std::vector<std::string>{"IMAP", "break", "down", "2", "café"}));
    EXPECT_TRUE(words_of("?! --").empty());
    EXPECT_EQ(words_of(std::string(1000, 'a') + " a b c d e f g h i j k l m n o p q r s t").size(),
              kMaxFuzzyWords);
    const std::pair<std::string_view, std::string_view> stems[] = {
        {"meetings", "meet"}, {"meeting", "meet"},    {"running", "run"},  {"string", "string"},
        {"tests", "test"},    {"class", "class"},     {"bus", "bus"},      {"red", "red"},
        {"Größen", "Größen"}, {"invoices", "invoic"}, {"calling", "call"},
    };
    for (const auto& [word, stem] : stems) EXPECT_EQ(stem_of(word), stem) << word;
}

proto::SearchKey parsed(std::string_view text) {
    proto::Lexer in(text);
    auto key = proto::parse_search_keys(in);
    EXPECT_TRUE(key) << text;
    return key ? *std::move(key) : proto::SearchKey();
}

TEST(ImapFuzzy, LoosensTextsUnderFuzzyAlone_Rfc6203_3) {
    auto key = parsed("FUZZY (SUBJECT \"broken tests\" SEEN) FROM \"two words\"");
    const auto terms = loosen(key);
    ASSERT_EQ(terms.size(), 1u);
    EXPECT_EQ(terms[0].words.size(), 2u);
    EXPECT_FALSE(key.contains(proto::SearchOp::fuzzy));
    const auto& group = key.children.at(0);
    EXPECT_EQ(group.children.at(0).op, proto::SearchOp::all_of);
    EXPECT_EQ(group.children.at(0).children.at(1).text, "test");
    EXPECT_EQ(key.children.at(1).text, "two words");
}

TEST(ImapFuzzy, BoundsHoldAfterLoosening) {
    std::string text = "FUZZY (";
    for (int i = 0; i < 60; ++i) text += "TEXT \"a1 b2 c3 d4 e5\" ";
    text.back() = ')';
    auto key = parsed(text);
    loosen(key);
    EXPECT_EQ(proto::excess_of(key), nullptr);
}

std::uint8_t score(std::string_view search, const std::string& message) {
    auto key = parsed(search);
    const auto terms = loosen(key);
    const std::string record = store::build_fetch_cache(message);
    return relevancy_of(terms, *store::CachedMessage::read(record));
}

TEST(ImapFuzzy, ScoresHonestly_Rfc6203_4) {
    const auto in_subject = [](std::string_view subject) {
        return "From: x@y.example\r\nSubject: " + std::string(subject) + "\r\n\r\nnothing here\r\n";
    };
    const std::string search = "FUZZY TEXT \"test meeting\"";
    const auto phrase = score(search, in_subject("a TEST meeting"));
    const auto scattered = score(search, in_subject("meeting about a test"));
    const auto stems = score(search, in_subject("testers meet"));
    const auto body = score(search, "Subject: x\r\n\r\nA test meeting comes\r\n");
    const auto far = score(search, "Subject: x\r\n\r\n" + std::string(500, 'z') + "\r\ntest meeting\r\n");
    EXPECT_EQ(phrase, 100);
    EXPECT_GT(phrase, scattered);
    EXPECT_GT(scattered, stems);
    EXPECT_GT(stems, far);
    EXPECT_GT(scattered, body);
    EXPECT_GT(body, far);
    EXPECT_GE(far, 1);
    EXPECT_EQ(score("FUZZY SEEN", in_subject("x")), 100);
}

TEST(ImapFilters, PutsStoredSearchesInPlace_Rfc5466_3_1) {
    const std::vector<store::Snapshot::Annotation> values = {
        {"/private/filters/values/both", "SEEN"},
        {"/private/filters/values/loop", "OR FILTER loop SEEN"},
        {"/private/filters/values/wrong", "OR SMALLER"},
        {"/private/filters/values/boom", "FILTER b1 FILTER b1"},
        {"/private/filters/values/b1",
         "FILTER b2 FILTER b2 FILTER b2 FILTER b2 FILTER b2 FILTER b2 FILTER b2 FILTER b2"},
        {"/private/filters/values/b2",
         "FILTER b3 FILTER b3 FILTER b3 FILTER b3 FILTER b3 FILTER b3 FILTER b3 FILTER b3"},
        {"/private/filters/values/b3",
         "FILTER b4 FILTER b4 FILTER b4 FILTER b4 FILTER b4 FILTER b4 FILTER b4 FILTER b4"},
        {"/private/filters/values/b4",
         "FILTER b5 FILTER b5 FILTER b5 FILTER b5 FILTER b5 FILTER b5 FILTER b5 FILTER b5"},
        {"/private/filters/values/b5",
         "SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN"},
        {"/shared/filters/values/both", "ANSWERED"},
        {"/shared/filters/values/one", "OR SMALLER 5000 FROM \"boss@example.com\""},
        {"/shared/filters/values/two", "NOT FILTER one"},
        {"/shared/filters/values/three", "FILTER two UNSEEN"},
    };
    const auto expanded = [&](std::string_view text) {
        auto key = parsed(text);
        const auto reply = expand_filters(key, values);
        return std::pair(std::move(key), reply ? reply->code : std::string());
    };
    EXPECT_EQ(expanded("FILTER both").first.number, static_cast<std::uint64_t>(proto::SystemFlag::seen));
    const auto nested = expanded("UID 300:900 FILTER Three");
    EXPECT_EQ(nested.second, "");
    EXPECT_TRUE(nested.first.contains(proto::SearchOp::smaller));
    EXPECT_FALSE(nested.first.contains(proto::SearchOp::filter));
    EXPECT_EQ(expanded("FILTER none").second, "UNDEFINED-FILTER none");
    EXPECT_EQ(expanded("FILTER loop").second, "UNDEFINED-FILTER loop");
    EXPECT_EQ(expanded("FILTER wrong").second, "UNDEFINED-FILTER wrong");
    EXPECT_EQ(expanded("FILTER boom").second, "LIMIT");
}

}  // namespace
}  // namespace mailstead::imapd::commands
