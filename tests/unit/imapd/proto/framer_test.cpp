#include "imapd/proto/framer.h"

#include <gtest/gtest.h>

#include "split.h"

namespace mailstead::imapd::proto {
namespace {

constexpr FramerLimits kSmall{40, 100, 30};

TEST(ImapFramer, FindsLinesWithAndWithoutCr) {
    EXPECT_EQ(record("a NOOP\r\nb NOOP\n", kSmall), "command a NOOP [a NOOP]\ncommand b NOOP [b NOOP]\n");
}

TEST(ImapFramer, KeepsLiteralInPlace_Rfc9051_4_3) {
    EXPECT_EQ(record("a LOGIN {3}\r\njoe {2+}\r\npw\r\n", kSmall),
              "literal 3\nliteral 2\ncommand a LOGIN [a LOGIN {3}\r\njoe {2+}\r\npw]\n");
}

TEST(ImapFramer, LiteralMayBeEmptyAndMayHoldLineEnds) {
    EXPECT_EQ(record("a LOGIN {0}\r\n {2+}\r\n\r\n\r\n", kSmall),
              "literal 0\nliteral 2\ncommand a LOGIN [a LOGIN {0}\r\n {2+}\r\n\r\n]\n");
}

TEST(ImapFramer, StreamsAppendWhateverItsSize) {
    const std::string body(5000, 'x');
    const std::string log = record("a APPEND box (\\Seen) {5000+}\r\n" + body + "\r\nb NOOP\r\n", kSmall);
    EXPECT_EQ(log, "literal 5000\nstreamed " + body +
                       "\ncommand a APPEND [a APPEND box (\\Seen) {5000+}\r\n]\ncommand b NOOP [b NOOP]\n");
}

struct Case {
    const char* name;
    std::string input;
    const char* log;
};

class ImapFramerLimit : public testing::TestWithParam<Case> {};
TEST_P(ImapFramerLimit, RejectsAndStaysInStep) {
    EXPECT_EQ(record(GetParam().input + "z NOOP\r\n", kSmall),
              std::string(GetParam().log) + "command z NOOP [z NOOP]\n");
}
INSTANTIATE_TEST_SUITE_P(
    Table, ImapFramerLimit,
    testing::Values(
        Case{"line_at_limit", "a NOOP" + std::string(34, ' ') + "\r\n",
             "command a NOOP [a NOOP                                  ]\n"},
        Case{"line_past_limit", "a NOOP" + std::string(35, ' ') + "\r\n", "rejected a 1\n"},
        Case{"huge_line", "a " + std::string(100'000, 'x') + "\r\n", "rejected a 1\n"},
        Case{"huge_line_then_literal_plus", "a " + std::string(1000, 'x') + " {3+}\r\nabc\r\n",
             "rejected a 1\n"},
        Case{"huge_line_then_sync_literal", "a " + std::string(1000, 'x') + " {3}\r\n", "rejected a 1\n"},
        Case{"literal_at_limit", "a LOGIN {30+}\r\n" + std::string(30, 'x') + " y\r\n",
             "literal 30\ncommand a LOGIN [a LOGIN {30+}\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx y]\n"},
        Case{"literal_past_limit", "a LOGIN {31+}\r\n" + std::string(31, 'x') + " {4+}\r\n\r\n\r\n\r\n",
             "literal 31\nrejected a 2\n"},
        Case{"sync_literal_past_limit", "a LOGIN {31}\r\n", "literal 31\nrejected a 2\n"},
        Case{"command_past_limit",
             "a LOGIN {30+}\r\n" + std::string(30, 'x') + " {30+}\r\n" + std::string(30, 'x') +
                 " abcdefghijklmnopqrst\r\n",
             "literal 30\nliteral 30\nrejected a 3\n"},
        Case{"absurd_sync_literal", "a LOGIN {99999999999999999999}\r\n", "rejected a 2\n"},
        Case{"bad_tag", "(( " + std::string(100, 'x') + "\r\n", "rejected * 1\n"},
        Case{"no_literal_after_all", "a NOOP {x}\r\n", "bad a unexpected text at the end [a NOOP {x}]\n"},
        Case{"no_digits", "a NOOP {}\r\n", "bad a unexpected text at the end [a NOOP {}]\n"},
        Case{"empty_line", "\r\n", "bad * tag expected []\n"}),
    [](const auto& p) { return p.param.name; });

TEST(ImapFramer, EndsWhenALiteralCannotBeSkipped) {
    EXPECT_EQ(record("a LOGIN {99999999999999999999+}\r\n", kSmall), "fatal\n");
    EXPECT_EQ(record("a LOGIN {9999999999999+}\r\nx", kSmall), "literal 9999999999999\nfatal\n");
}

TEST(ImapFramer, PlainLinesHoldNoLiterals) {
    Framer framer(kSmall);
    framer.set_plain_lines(true);
    std::string_view input = "abc{3}\r\n";
    EXPECT_EQ(framer.next(input), Framer::Event::command);
    EXPECT_EQ(framer.command(), "abc{3}");
}

TEST(ImapFramer, ResetForgetsWhatCameInClear) {
    Framer framer(kSmall);
    std::string_view input = "a LOGIN {3}\r\nj";
    EXPECT_EQ(framer.next(input), Framer::Event::literal);
    framer.keep();
    EXPECT_EQ(framer.next(input), Framer::Event::need_input);
    framer.reset();
    EXPECT_FALSE(framer.in_command());
    input = "b NOOP\r\n";
    EXPECT_EQ(framer.next(input), Framer::Event::command);
    EXPECT_EQ(framer.command(), "b NOOP");
}

TEST(ImapFramer, MemoryStaysWithinTheLimitsWhateverComes) {
    Framer framer(kSmall);
    const std::string flood(10'000, 'x');
    for (int i = 0; i < 1000; ++i) {
        std::string_view input = flood;
        EXPECT_EQ(framer.next(input), Framer::Event::need_input);
    }
    EXPECT_LE(framer.prefix().size(), 300u);
}

const std::string_view kSession =
    "1 CAPABILITY\r\n2 LOGIN {3}\r\njoe {4+}\r\np\r\nw\r\n3 SELECT INBOX\r\n4 APPEND Sent (\\Seen) "
    "{12+}\r\nSubject: x\r\n\r\n"
    "5 UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (From To)])\r\n6 garbage {5+}\r\n{9+}\r\r\n((((\r\n7 "
    "LOGIN {31+}\r\n"
    "0123456789012345678901234567890 x\r\n8 APPEND x {0+}\r\n {3+}\r\nabc\r\n9 "
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx {3+}\r\nabc\r\n10 "
    "LOGOUT\r\n";

TEST(ImapFramer, AnySplitOfASessionGivesTheSame) {
    for (const FramerLimits limits : {kSmall, kLimitsBeforeLogin}) {
        const std::string whole = record(kSession, limits);
        EXPECT_EQ(record_bytewise(kSession, limits), whole);
        for (std::size_t cut = 0; cut <= kSession.size(); ++cut) {
            ASSERT_EQ(record(kSession, limits, {cut}), whole) << "cut at " << cut;
            const std::size_t second = cut + (kSession.size() - cut) / 2;
            ASSERT_EQ(record(kSession, limits, {cut, second}), whole)
                << "cut at " << cut << " and " << second;
        }
    }
}

}  // namespace
}  // namespace mailstead::imapd::proto
