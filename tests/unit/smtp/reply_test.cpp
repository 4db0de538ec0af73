#include "common/smtp/reply.h"

#include <gtest/gtest.h>

namespace mailstead::smtp {
namespace {

std::string wire(const Reply& reply) {
    std::string out;
    write_reply(reply, out);
    return out;
}

Parsed<Reply> read(std::string_view bytes) {
    ReplyParser parser;
    const auto used = parser.feed(bytes);
    if (!used) return used.error();
    if (!parser.done()) return ParseError("incomplete", *used);
    return parser.take();
}

TEST(SmtpReply, WritesEnhancedCodeOnEveryLine_Rfc2034_4) {
    Reply reply(550, EnhancedCode{5, 1, 1}, "No such user");
    reply.lines.push_back("Try postmaster");
    EXPECT_EQ(wire(reply), "550-5.1.1 No such user\r\n550 5.1.1 Try postmaster\r\n");
}

TEST(SmtpReply, NeverWritesControlCharactersOrLongLines) {
    EXPECT_EQ(wire(Reply(250, "a\r\n550 b")), "250 a  550 b\r\n");
    EXPECT_EQ(wire(Reply(250, std::string(600, 'x'))).size(), 4 + 500 + 2);
    // A two-byte character across the limit goes as a whole.
    EXPECT_EQ(wire(Reply(250, std::string(499, 'x') + "\xC3\xBC")).size(), 4 + 499 + 2);
}

TEST(SmtpReply, ParsesWhatItWrote) {
    Reply reply(451, EnhancedCode{4, 7, 123}, "one");
    reply.lines.push_back("");
    reply.lines.push_back("three");
    const auto back = read(wire(reply));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->code, 451);
    EXPECT_EQ(back->enhanced, reply.enhanced);
    EXPECT_EQ(back->lines, reply.lines);
}

TEST(SmtpReply, SplittingAnywhereChangesNothing) {
    const std::string bytes = "250-mx.example.org\r\n250-SIZE 10\r\n250 DSN\r\n";
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        ReplyParser parser;
        ASSERT_TRUE(parser.feed(std::string_view(bytes).substr(0, cut)));
        ASSERT_EQ(parser.done(), cut == bytes.size());
        ASSERT_TRUE(parser.feed(std::string_view(bytes).substr(cut)));
        ASSERT_TRUE(parser.done());
        EXPECT_EQ(parser.take().lines, (std::vector<std::string>{"mx.example.org", "SIZE 10", "DSN"}));
    }
}

TEST(SmtpReply, LeavesThePipelinedNextReplyAlone) {
    ReplyParser parser;
    const std::string bytes = "250 one\r\n550 two\r\n";
    EXPECT_EQ(*parser.feed(bytes), 9u);
    EXPECT_EQ(parser.take().code, 250);
    EXPECT_EQ(*parser.feed(std::string_view(bytes).substr(9)), 9u);
    EXPECT_EQ(parser.take().code, 550);
}

TEST(SmtpReply, AcceptsOddButSeenSpellings) {
    EXPECT_EQ(read("250\r\n")->lines, std::vector<std::string>{""});
    EXPECT_EQ(read("250 ok\n")->lines, std::vector<std::string>{"ok"});
    // The class of the enhanced code disagrees: it is text.
    EXPECT_FALSE(read("250 5.1.1 odd\r\n")->enhanced);
}

TEST(SmtpReply, RefusesWhatIsNoReply) {
    for (const char* bad : {"\r\n", "HTTP/1.1 200 OK\r\n", "25 x\r\n", "199 x\r\n", "600 x\r\n", "250_x\r\n",
                            "250-a\r\n550 b\r\n"}) {
        EXPECT_FALSE(read(bad)) << bad;
    }
}

TEST(SmtpReply, BoundsLineCountAndSize) {
    EXPECT_TRUE(read("250 " + std::string(4091, 'x') + "\r\n"));
    EXPECT_FALSE(read("250 " + std::string(4092, 'x') + "\r\n"));
    std::string lines;
    for (int i = 0; i < 127; ++i) lines += "250-x\r\n";
    EXPECT_TRUE(read(lines + "250 x\r\n"));
    EXPECT_FALSE(read(lines + "250-x\r\n250 x\r\n"));
}

TEST(SmtpReply, TextForLogsHasNoLineBreaks) {
    Reply reply(550, EnhancedCode{5, 7, 1}, "one");
    reply.lines.push_back("two\x01");
    EXPECT_EQ(reply.to_text(), "550 5.7.1 one / two\\x01");
}

TEST(SmtpEnhancedCode, ParsesStrictly) {
    EXPECT_EQ(EnhancedCode::parse("5.7.26"), (EnhancedCode{5, 7, 26}));
    for (const char* bad :
         {"", "5", "5.7", "3.1.1", "5.1.1 ", "5.1234.1", "5.1.1234", "5..1", "5.1.", "5.1.1.1"}) {
        EXPECT_FALSE(EnhancedCode::parse(bad)) << bad;
    }
}

}  // namespace
}  // namespace mailstead::smtp
