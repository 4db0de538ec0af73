#include <gtest/gtest.h>

#include "imapd/proto/fetch_items.h"
#include "imapd/proto/list_pattern.h"
#include "imapd/proto/search_key.h"
#include "imapd/proto/sequence_set.h"

namespace mailstead::imapd::proto {
namespace {

using Ranges = std::vector<NumberRange>;

struct SetCase {
    const char* name;
    std::string_view written;
    std::uint32_t largest;
    std::string_view resolved;
};
class ImapSequenceSet : public testing::TestWithParam<SetCase> {};
TEST_P(ImapSequenceSet, Resolves_Rfc9051_9) {
    Lexer in(GetParam().written);
    const auto set = SequenceSet::parse(in);
    ASSERT_TRUE(set && in.at_end());
    std::string out;
    write_ranges(out, set->resolve(GetParam().largest));
    EXPECT_EQ(out, GetParam().resolved);
}
INSTANTIATE_TEST_SUITE_P(
    Table, ImapSequenceSet,
    testing::Values(SetCase{"one", "7", 15, "7"}, SetCase{"rfc_example", "2,4:7,9,12:*", 15, "2,4:7,9,12:15"},
                    SetCase{"backwards_and_overlap", "*:4,5:7", 10, "4:10"},
                    SetCase{"star_below", "3291:*", 100, "100:3291"}, SetCase{"adjacent", "1,2,3", 9, "1:3"},
                    SetCase{"star_of_empty", "1:*", 0, ""}, SetCase{"star_alone", "*", 5, "5"},
                    SetCase{"everything", "1:4294967295,*", 5, "1:4294967295"},
                    SetCase{"largest_twice", "4294967295,4294967294:4294967295", 5, "4294967294:4294967295"},
                    SetCase{"unsorted", "9,1,5,3:4", 9, "1,3:5,9"}),
    [](const auto& p) { return p.param.name; });

TEST(ImapSequenceSet, RefusesWhatIsNone) {
    for (const std::string_view bad :
         {"", "0", "1:", ":1", "1,", ",1", "01", "4294967296", "1:2:3 ", "a", "-1", "*:*:*"}) {
        Lexer in(bad);
        EXPECT_FALSE(SequenceSet::parse(in) && in.at_end()) << bad;
    }
}

std::string fetched(std::string_view written) {
    Lexer in(written);
    const auto items = parse_fetch_items(in);
    if (!items) return "error: " + std::string(items.error().what);
    if (!in.at_end()) return "not at the end";
    std::string out;
    for (const FetchItem& item : *items) {
        out += std::to_string(static_cast<int>(item.kind)) + (item.peek ? "p[" : "[");
        write_section(out, item.section);
        out += "]";
        if (item.partial)
            out +=
                "<" + std::to_string(item.partial->offset) + "." + std::to_string(item.partial->count) + ">";
    }
    return out;
}

TEST(ImapFetchItems, ReadsEveryForm_Rfc9051_6_4_5) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"FLAGS", "0p[]"},
        {"(FLAGS UID)", "0p[]1p[]"},
        {"ALL", "0p[]2p[]3p[]4p[]"},
        {"FULL", "0p[]2p[]3p[]4p[]5p[]"},
        {"BODY", "5p[]"},
        {"BODYSTRUCTURE", "6p[]"},
        {"BODY[]", "12[]"},
        {"BODY.PEEK[]<0.100>", "12p[]<0.100>"},
        {"BODY[HEADER.FIELDS (From \"To\")]", "12[HEADER.FIELDS (From To)]"},
        {"body[1.2.header.fields.not (x)]", "12[1.2.HEADER.FIELDS.NOT (x)]"},
        {"BODY[1.MIME]", "12[1.MIME]"},
        {"BODY[4.1.TEXT]", "12[4.1.TEXT]"},
        {"BODY[1]", "12[1]"},
        {"BINARY[1.2]<5.6>", "13[1.2]<5.6>"},
        {"BINARY.PEEK[]", "13p[]"},
        {"BINARY.SIZE[3]", "14p[3]"},
        {"RFC822.SIZE", "3p[]"},
        {"RFC822", "15[]"},
        {"RFC822.HEADER", "16p[]"},
        {"RFC822.TEXT", "17[]"},
        {"(MODSEQ EMAILID THREADID SAVEDATE)", "7p[]8p[]9p[]10p[]"},
        {"PREVIEW", "11p[]"},
        {"(PREVIEW (LAZY) UID)", "11p[]1p[]"},
        {"(PREVIEW UID)", "11p[]1p[]"},
    };
    for (const auto& [written, expected] : cases) EXPECT_EQ(fetched(written), expected) << written;
}

TEST(ImapFetchItems, RefusesWhatIsNone) {
    for (const std::string_view bad :
         {"", "()", "FOO", "BODY[", "BODY[MIME]", "BODY[0]", "BODY[1.]", "BODY[1.0]", "BODY[HEADER.FIELDS]",
          "BODY[HEADER.FIELDS ()]", "BODY[]<1>", "BODY[]<1.0>", "BODY[]<.1>", "BINARY[1.MIME]",
          "BINARY[TEXT]", "(FLAGS", "(FLAGS )", "BODY.PEEK", "PREVIEW (FOO)"}) {
        EXPECT_TRUE(fetched(bad).starts_with("error") || fetched(bad) == "not at the end") << bad;
    }
}

std::string searched(std::string_view written) {
    Lexer in(written);
    const auto key = parse_search_keys(in);
    if (!key) return "error: " + std::string(key.error().what);
    if (!in.at_end()) return "not at the end";
    const auto describe = [](const auto& self, const SearchKey& k) -> std::string {
        std::string out = std::to_string(static_cast<int>(k.op));
        if (!k.field.empty()) out += "/" + k.field;
        if (!k.text.empty()) out += "=" + k.text;
        if (k.children.empty()) return out;
        out += "(";
        for (const SearchKey& child : k.children) out += self(self, child) + " ";
        out.back() = ')';
        return out;
    };
    return describe(describe, *key);
}

TEST(ImapSearchKeys, BuildsTheTree_Rfc9051_6_4_4) {
    EXPECT_EQ(searched("ALL"), "0");
    EXPECT_EQ(searched("UNSEEN FROM smith"), "2(4(7) 25/FROM=smith)");
    EXPECT_EQ(searched("OR SEEN (NOT FLAGGED 1:3)"), "3(7 2(4(7) 5))");
    EXPECT_EQ(searched("HEADER Message-ID \"\""), "25/Message-ID");
    EXPECT_EQ(searched("UNKEYWORD $Junk"), "4(8=$Junk)");
    EXPECT_EQ(searched("SINCE 1-Feb-1994 SENTON \"01-Feb-1994\""), "2(11 13)");
    EXPECT_EQ(searched("MODSEQ \"/flags/\\\\draft\" all 620162338"), "22");
    EXPECT_EQ(searched("MODSEQ 5 LARGER 1 SMALLER 9 OLDER 4 YOUNGER 4"), "2(22 20 21 18 19)");
    EXPECT_EQ(searched("EMAILID M1 THREADID T1 SAVEDBEFORE 1-Jan-2020 $ UID 3"), "2(23=M1 24=T1 15 5 6)");
}

TEST(ImapSearchKeys, RefusesWhatIsNone) {
    for (const std::string_view bad :
         {"", "FOO", "FROM", "FROM ", "OR SEEN", "NOT", "()", "(SEEN", "BEFORE 31", "SINCE 99-Foo-2020",
          "LARGER x", "OLDER 0", "KEYWORD \"x\"", "TEXT \"\xff\"", "HEADER x", "UID"}) {
        EXPECT_TRUE(searched(bad).starts_with("error")) << bad;
    }
}

TEST(ImapSearchKeys, DepthAndCountAreBounded) {
    EXPECT_TRUE(searched(std::string(10'000, '(')).starts_with("error: search keys nested"));
    std::string nots;
    for (int i = 0; i < 10'000; ++i) nots += "NOT ";
    EXPECT_TRUE(searched(nots + "SEEN").starts_with("error: search keys nested"));
    std::string many = "SEEN";
    for (int i = 0; i < 2100; ++i) many += " SEEN";
    EXPECT_EQ(searched(many), "error: too many search keys");
    std::string texts = "BODY x";
    for (int i = 0; i < 63; ++i) texts += " TEXT x";
    EXPECT_FALSE(searched(texts).starts_with("error"));
    EXPECT_EQ(searched(texts + " BODY x"), "error: too many text keys");
    EXPECT_FALSE(searched(std::string(31, '(') + "SEEN" + std::string(31, ')')).starts_with("error"));
}

struct PatternCase {
    std::string_view pattern, name;
    bool matches;
};
TEST(ImapListPattern, Matches_Rfc9051_6_3_9) {
    constexpr PatternCase kCases[] = {
        {"*", "a/b/c", true},
        {"%", "a", true},
        {"%", "a/b", false},
        {"a/%", "a/b", true},
        {"a/%", "a/b/c", false},
        {"%/b", "a/b", true},
        {"*b", "a/b", true},
        {"inbox", "INBOX", true},
        {"iNb%", "INBOX", true},
        {"inbox/x", "INBOX/x", true},
        {"inbox/X", "INBOX/x", false},
        {"A", "a", false},
        {"a*c", "abc", true},
        {"a*c", "abcd", false},
        {"%%", "ab", true},
        {"*%", "a/b", true},
        {"%*", "a/b", true},
        {"", "", true},
        {"", "a", false},
        {"a%c*e", "abc/d/e", true},
        {"%a%/%b%", "xax/yby", true},
        {"%a%/%b%", "xax/yay/b", false},
        {"*a%", "a/ba", true},
        {"*/a%x", "p/q/a/x", false},
    };
    for (const auto& c : kCases) {
        EXPECT_EQ(matches_list_pattern(c.pattern, c.name, '/'), c.matches) << c.pattern << " on " << c.name;
    }
}

TEST(ImapListPattern, HostilePatternEndsSoon) {
    std::string pattern;
    for (int i = 0; i < 500; ++i) pattern += "*a%";
    EXPECT_FALSE(matches_list_pattern(simplify_list_pattern(pattern), std::string(1000, 'a') + "b/c", '/'));
    EXPECT_EQ(simplify_list_pattern("%*%a**%%"), "*a*");
}

}  // namespace
}  // namespace mailstead::imapd::proto
