#include "common/smtp/command.h"

#include <gtest/gtest.h>

#include "common/smtp/xtext.h"

namespace mailstead::smtp {
namespace {

TEST(SmtpCommand, SplitsVerbInAnyCaseFromArguments) {
    EXPECT_EQ(split_command("mail FROM:<a@b.example>").verb, Verb::mail);
    EXPECT_EQ(split_command("mail FROM:<a@b.example>").arguments, "FROM:<a@b.example>");
    EXPECT_EQ(split_command("QUIT  \t").verb, Verb::quit);
    EXPECT_EQ(split_command("QUIT  \t").arguments, "");
    EXPECT_EQ(split_command("MAILX").verb, std::nullopt);
    EXPECT_EQ(split_command("").verb, std::nullopt);
    EXPECT_EQ(split_command(" RSET").verb, std::nullopt);
}

TEST(SmtpCommand, HelloKeepsNamesThatAreNoDomain_Rfc5321_4_1_4) {
    EXPECT_EQ(parse_hello("mx.example.org")->domain->ascii(), "mx.example.org");
    EXPECT_EQ(parse_hello("[192.0.2.1]")->domain->ascii(), "[192.0.2.1]");
    EXPECT_FALSE(parse_hello("my_laptop..local")->domain);
    EXPECT_EQ(parse_hello("my_laptop..local")->name, "my_laptop..local");
    EXPECT_FALSE(parse_hello(""));
    EXPECT_FALSE(parse_hello("two words"));
    EXPECT_FALSE(parse_hello("a\x01"));
    EXPECT_TRUE(parse_hello(std::string(255, 'a')));
    EXPECT_FALSE(parse_hello(std::string(256, 'a')));
}

struct MailCase {
    const char* name;
    const char* arguments;
    const char* written;  // nullptr: refused
    Fault fault = Fault::syntax;
};
class SmtpMail : public testing::TestWithParam<MailCase> {};

TEST_P(SmtpMail, ParsesAndWritesBack) {
    const auto mail = parse_mail(GetParam().arguments);
    if (!GetParam().written) {
        ASSERT_FALSE(mail);
        EXPECT_EQ(mail.error().fault, GetParam().fault);
        return;
    }
    ASSERT_TRUE(mail) << mail.error().why.what;
    std::string out;
    write_mail(*mail, out);
    EXPECT_EQ(out, GetParam().written);
}

INSTANTIATE_TEST_SUITE_P(
    Table, SmtpMail,
    testing::Values(
        MailCase{"plain", "FROM:<a@b.example>", "MAIL FROM:<a@b.example>\r\n"},
        MailCase{"null_path", "FROM:<>", "MAIL FROM:<>\r\n"},
        MailCase{"outlook_space", "FROM: <a@b.example>", "MAIL FROM:<a@b.example>\r\n"},
        MailCase{"folded_keyword", "from:<a@b.example> size=10", "MAIL FROM:<a@b.example> SIZE=10\r\n"},
        MailCase{"source_route_dropped", "FROM:<@x.example,@y.example:a@b.example>",
                 "MAIL FROM:<a@b.example>\r\n"},
        MailCase{"quoted_with_bracket", "FROM:<\"a>b\"@c.example>", "MAIL FROM:<\"a>b\"@c.example>\r\n"},
        MailCase{
            "all_parameters",
            "FROM:<a@b.example> SIZE=1000 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=QQ+2B1 AUTH=<>",
            "MAIL FROM:<a@b.example> SIZE=1000 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=QQ+2B1 "
            "AUTH=<>\r\n"},
        MailCase{"utf8_local_part", "FROM:<\xC3\xBC@b.example> SMTPUTF8",
                 "MAIL FROM:<\xC3\xBC@b.example> SMTPUTF8\r\n"},
        MailCase{"no_brackets", "FROM:a@b.example", nullptr},
        MailCase{"not_closed", "FROM:<a@b.example", nullptr},
        MailCase{"junk_after_path", "FROM:<a@b.example>SIZE=1", nullptr},
        MailCase{"no_from", "<a@b.example>", nullptr}, MailCase{"empty", "", nullptr},
        MailCase{"no_domain", "FROM:<a>", nullptr, Fault::bad_address},
        MailCase{"unknown_parameter", "FROM:<a@b.example> FOO=1", nullptr, Fault::unknown_parameter},
        MailCase{"size_is_no_number", "FROM:<a@b.example> SIZE=x", nullptr, Fault::bad_parameter},
        MailCase{"size_empty", "FROM:<a@b.example> SIZE=", nullptr, Fault::bad_parameter},
        MailCase{"size_past_64_bits", "FROM:<a@b.example> SIZE=99999999999999999999", nullptr,
                 Fault::bad_parameter},
        MailCase{"twice", "FROM:<a@b.example> SIZE=1 SIZE=1", nullptr, Fault::bad_parameter},
        MailCase{"flag_with_value", "FROM:<a@b.example> SMTPUTF8=1", nullptr, Fault::bad_parameter},
        MailCase{"envid_hides_newline", "FROM:<a@b.example> ENVID=a+0D+0Ab", nullptr, Fault::bad_parameter},
        MailCase{"malformed_keyword", "FROM:<a@b.example> =1", nullptr}),
    [](const auto& c) { return c.param.name; });

TEST(SmtpRcpt, PostmasterWithoutDomain_Rfc5321_4_5_1) {
    const auto rcpt = parse_rcpt("TO:<Postmaster>");
    ASSERT_TRUE(rcpt);
    EXPECT_FALSE(rcpt->to);
}

TEST(SmtpRcpt, ParsesDsnParameters_Rfc3461_4) {
    const auto rcpt = parse_rcpt("TO:<a@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@b.example");
    ASSERT_TRUE(rcpt);
    EXPECT_EQ(rcpt->notify, (Notify{.success = true, .failure = false, .delay = true}));
    EXPECT_EQ(rcpt->orcpt, (OriginalRecipient{"rfc822", "Bob+x@b.example"}));
    std::string out;
    write_rcpt(*rcpt, out);
    EXPECT_EQ(out, "RCPT TO:<a@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@b.example\r\n");
}

TEST(SmtpRcpt, RefusesWhatTheGrammarForbids) {
    for (const char* bad :
         {"TO:<>", "TO:<a@b.example> NOTIFY=", "TO:<a@b.example> NOTIFY=NEVER,DELAY",
          "TO:<a@b.example> NOTIFY=X", "TO:<a@b.example> ORCPT=a@b.example", "TO:<a@b.example> ORCPT=rfc822;",
          "TO:<a@b.example> SIZE=1", "TO:<a@b.example> ORCPT=rfc822;a+0Ab", "TO:<\"a@b.example>"}) {
        EXPECT_FALSE(parse_rcpt(bad)) << bad;
    }
}

TEST(SmtpRcpt, Utf8OriginalRecipientInBothForms_Rfc6533_3) {
    const auto escaped = parse_original_recipient("utf-8;\\x{FC}ber@b.example");
    const auto raw = parse_original_recipient(
        "UTF-8;\xC3\xBC"
        "ber@b.example");
    ASSERT_TRUE(escaped && raw);
    EXPECT_EQ(*escaped, *raw);
    EXPECT_EQ(to_string(*raw), "utf-8;\\x{FC}ber@b.example");
    EXPECT_FALSE(parse_original_recipient("utf-8;\\x{D800}@b.example"));
    EXPECT_FALSE(parse_original_recipient("utf-8;\\x{110000}@b.example"));
    EXPECT_FALSE(parse_original_recipient("utf-8;\\x{D}@b.example"));
}

TEST(SmtpRcpt, OriginalRecipientThatIsTakenCanBePassedOn_Rfc3461_4_2) {
    const auto named = [](std::size_t letters) {
        std::string text = "utf-8;";
        for (std::size_t n = 0; n < letters; ++n) text += "\xC3\xBC";
        return parse_original_recipient(text);
    };
    // Each letter is two octets as it comes and six, \x{FC}, as it is kept: 6 + 82 * 6 = 498.
    const auto longest = named(82);
    ASSERT_TRUE(longest);
    EXPECT_EQ(parse_original_recipient(to_string(*longest)), longest);
    EXPECT_FALSE(named(83));
}

TEST(SmtpBdat, ParsesSizeAndLast_Rfc3030_2) {
    EXPECT_EQ(parse_bdat("100")->octets, 100u);
    EXPECT_FALSE(parse_bdat("100")->last);
    EXPECT_TRUE(parse_bdat("0 last")->last);
    for (const char* bad : {"", "x", "-1", "1 LASTX", "1 LAST x", "18446744073709551616"}) {
        EXPECT_FALSE(parse_bdat(bad)) << bad;
    }
}

TEST(SmtpAuth, ParsesMechanismAndInitialResponse_Rfc4954_4) {
    EXPECT_EQ(parse_auth("plain")->mechanism, "PLAIN");
    EXPECT_FALSE(parse_auth("plain")->initial_response);
    EXPECT_EQ(parse_auth("PLAIN AGEAYg==")->initial_response, "AGEAYg==");
    EXPECT_FALSE(parse_auth(""));
    EXPECT_FALSE(parse_auth("PLAIN a b"));
    EXPECT_FALSE(parse_auth("PL*IN"));
    std::string out;
    write_auth("PLAIN", std::string(), out);
    EXPECT_EQ(out, "AUTH PLAIN =\r\n");
}

TEST(SmtpXtext, RoundTripsEveryByte) {
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    EXPECT_EQ(decode_xtext(encode_xtext(all)), all);
    for (const char* bad : {"+", "+4", "+ZZ", "a=b", "a b", "\x7F"}) EXPECT_FALSE(decode_xtext(bad)) << bad;
}

}  // namespace
}  // namespace mailstead::smtp
