#include "common/smtp/capabilities.h"

#include <gtest/gtest.h>

namespace mailstead::smtp {
namespace {

Capabilities parse(std::vector<std::string> lines) {
    Reply reply(250, "mx.example.org");
    reply.lines.insert(reply.lines.end(), lines.begin(), lines.end());
    return parse_capabilities(reply);
}

TEST(SmtpCapabilities, ReadsAllThatTheRelayUses) {
    const Capabilities c =
        parse({"PIPELINING", "size 35882577", "STARTTLS", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING",
               "BINARYMIME", "ENHANCEDSTATUSCODES", "REQUIRETLS", "AUTH PLAIN  login",
               "LIMITS RCPTMAX=100 MAILMAX=20 RCPTDOMAINMAX=1 OTHER=x"});
    EXPECT_TRUE(c.pipelining && c.starttls && c.eight_bit_mime && c.smtputf8 && c.dsn && c.chunking);
    EXPECT_TRUE(c.binary_mime && c.enhanced_status_codes && c.require_tls && c.size);
    EXPECT_EQ(c.size_limit, 35882577u);
    EXPECT_EQ(c.auth, (std::vector<std::string>{"PLAIN", "LOGIN"}));
    EXPECT_EQ(c.limit_rcpt_max, 100u);
    EXPECT_EQ(c.limit_mail_max, 20u);
    EXPECT_EQ(c.limit_rcpt_domain_max, 1u);
}

TEST(SmtpCapabilities, TheFirstLineIsANameAndNoKeyword) {
    EXPECT_FALSE(parse_capabilities(Reply(250, "STARTTLS")).starttls);
}

TEST(SmtpCapabilities, PassesOverWhatItCannotRead) {
    const Capabilities c =
        parse({"SIZE x", "SIZE 0", "LIMITS RCPTMAX=0 MAILMAX", "", "   ", "XFOO bar", "AUTH"});
    EXPECT_TRUE(c.size);
    EXPECT_FALSE(c.size_limit);
    EXPECT_FALSE(c.limit_rcpt_max || c.limit_mail_max);
    EXPECT_TRUE(c.auth.empty());
}

TEST(SmtpCapabilities, OldExchangeWritesAuthWithEquals) {
    EXPECT_TRUE(parse({"AUTH=LOGIN PLAIN"}).offers_auth("LOGIN"));
}

}  // namespace
}  // namespace mailstead::smtp
