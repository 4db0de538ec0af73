#include <gtest/gtest.h>

#include "imapd/proto/lexer.h"
#include "imapd/proto/response.h"

namespace mailstead::imapd::proto {
namespace {

std::string string_of(std::string_view s, Utf8 utf8 = Utf8::no) {
    std::string out;
    write_string(out, s, utf8);
    return out;
}

TEST(ImapWriter, ChoosesQuotedOrLiteral_Rfc9051_4_3) {
    EXPECT_EQ(string_of(""), "\"\"");
    EXPECT_EQ(string_of("a \"b\\"), R"("a \"b\\")");
    EXPECT_EQ(string_of("a\r\nb"), "{4}\r\na\r\nb");
    EXPECT_EQ(string_of("ü"), "{2}\r\nü");
    EXPECT_EQ(string_of("ü", Utf8::yes), "\"ü\"");
    EXPECT_EQ(string_of("\xff", Utf8::yes), "{1}\r\n\xff");
    EXPECT_EQ(string_of(std::string_view("a\0", 2)), std::string("~{2}\r\na\0", 8));
    EXPECT_EQ(string_of(std::string(5000, 'x')).substr(0, 8), "{5000}\r\n");
}

TEST(ImapWriter, WhatIsWrittenIsReadBack) {
    for (const std::string_view s : {"", "abc", "a b", "\"\\", "x\r\ny", "NIL", "ü", "{3}"}) {
        std::string out;
        write_astring(out, s);
        Lexer in(out);
        const auto back = in.astring();
        ASSERT_TRUE(back) << out;
        EXPECT_EQ(*back, s);
        EXPECT_TRUE(in.at_end());
    }
}

TEST(ImapWriter, MailboxNames) {
    const auto name = *MailboxName::parse("Entwürfe & mehr");
    std::string out;
    write_mailbox(out, name, Utf8::no);
    EXPECT_EQ(out, "\"Entw&APw-rfe &- mehr\"");
    out.clear();
    write_mailbox(out, name, Utf8::yes);
    EXPECT_EQ(out, "\"Entwürfe & mehr\"");
}

TEST(ImapWriter, Dates) {
    std::string out;
    write_date_time(out, std::chrono::sys_seconds(std::chrono::seconds(837596665)));
    write_date_time(out, std::chrono::sys_seconds(std::chrono::seconds(0)));
    EXPECT_EQ(out, "\"17-Jul-1996 09:44:25 +0000\"\" 1-Jan-1970 00:00:00 +0000\"");
}

TEST(ImapWriter, Conditions) {
    std::string out;
    write_condition(out, "a1", Condition::no, "OVERQUOTA", "Full");
    write_condition(out, "*", Condition::ok, "", "Hi");
    write_continuation(out, "go");
    EXPECT_EQ(out, "a1 NO [OVERQUOTA] Full\r\n* OK Hi\r\n+ go\r\n");
}

}  // namespace
}  // namespace mailstead::imapd::proto
