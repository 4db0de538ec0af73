#include "common/mailauth/results.h"

#include "tests/unit/mailauth/zone.h"

namespace mailstead::mailauth {
namespace {

TEST(AuthenticationResults, SaysNoneWithoutResults_Rfc8601_2_2) {
    EXPECT_EQ(write_authentication_results("mx.example.org", {}),
              "Authentication-Results: mx.example.org; none\r\n");
}

TEST(AuthenticationResults, WritesEachMethodOnItsLine) {
    SpfResult spf;
    spf.verdict = SpfVerdict::pass;
    spf.domain = "example.net";
    spf.sender = "ann@example.net";
    spf.reason = "192.0.2.1 is allowed by mx of example.net";
    DkimResult dkim;
    dkim.verdict = DkimVerdict::pass;
    dkim.domain = "example.net";
    dkim.identity = "@example.net";
    dkim.selector = "s1";
    dkim.algorithm = "rsa-sha256";
    dkim.signature_start = "ab+/cd==";
    dkim.key_bits = 2048;
    DmarcResult dmarc;
    dmarc.verdict = DmarcVerdict::fail;
    dmarc.domain = "example.net";
    dmarc.policy_domain = "example.net";
    dmarc.published = dmarc.apply = DmarcPolicy::reject;
    dmarc.reason = "neither SPF nor DKIM passed";
    dmarc.record.emplace();
    IprevResult iprev{IprevVerdict::pass, "mail.example.net", {"mail.example.net"}};
    const MethodResult results[] = {method_result(spf), method_result(dkim), method_result(dmarc),
                                    method_result(iprev, *dns::IpAddress::parse("2001:db8::1"))};
    EXPECT_EQ(write_authentication_results("mx.example.org", results),
              "Authentication-Results: mx.example.org;\r\n"
              "\tspf=pass (192.0.2.1 is allowed by mx of example.net)\r\n"
              "\tsmtp.mailfrom=ann@example.net;\r\n"
              "\tdkim=pass (2048-bit key) header.d=example.net header.i=@example.net\r\n"
              "\theader.s=s1 header.a=rsa-sha256 header.b=\"ab+/cd==\";\r\n"
              "\tdmarc=fail (neither SPF nor DKIM passed; p=reject)\r\n"
              "\theader.from=example.net policy.dmarc=reject;\r\n"
              "\tiprev=pass (mail.example.net) policy.iprev=\"2001:db8::1\"\r\n");
}

TEST(AuthenticationResults, HeloIdentityAndLogin) {
    SpfResult spf;
    spf.verdict = SpfVerdict::none;
    spf.identity = SpfIdentity::helo;
    spf.domain = "mail.example";
    const MethodResult results[] = {method_result(spf),
                                    auth_passed("SCRAM-SHA-256", Address::parse("ann@example.org").value())};
    EXPECT_EQ(write_authentication_results("mx.example.org", results),
              "Authentication-Results: mx.example.org;\r\n\tspf=none smtp.helo=mail.example;\r\n"
              "\tauth=pass (SCRAM-SHA-256) smtp.auth=ann@example.org\r\n");
}

TEST(AuthenticationResults, StrangersTextCannotBreakOut) {
    MethodResult evil{"spf",
                      "fail",
                      "a) spf=pass (b\r\nX-Evil: 1\\",
                      {{"smtp.mailfrom", "\"x; dkim=pass\"@e.example\r\nY: 2"}}};
    const std::string field = write_authentication_results("mx.example.org", {&evil, 1});
    EXPECT_EQ(field,
              "Authentication-Results: mx.example.org;\r\n"
              "\tspf=fail (a\\) spf=pass \\(b  X-Evil: 1\\\\)\r\n"
              "\tsmtp.mailfrom=\"\\\"x; dkim=pass\\\"@e.example  Y: 2\"\r\n");
}

TEST(AuthenticationResults, LongTextIsCutAndStaysUtf8) {
    MethodResult long_text{"dkim", "fail", std::string(199, 'x') + "\xc3\xa9\xc3\xa9", {}};
    const std::string field = write_authentication_results("mx.example.org", {&long_text, 1});
    EXPECT_NE(field.find("(" + std::string(199, 'x') + ")"), std::string::npos);
    MethodResult broken{"dkim", "fail", "\xff\xfe", {}};
    EXPECT_NE(write_authentication_results("mx.example.org", {&broken, 1}).find("(\?\?)"), std::string::npos);
}

TEST(AuthservId, IsReadThroughCommentsAndQuotes) {
    const std::pair<const char*, const char*> cases[] = {
        {" mx.example.org; none", "mx.example.org"},
        {"\r\n\t MX.Example.ORG 1; spf=pass", "mx.example.org"},
        {" (a (nested \\) comment)) mx.example.org(x) 1 ; none", "mx.example.org"},
        {"\"mx.example.org\"; none", "mx.example.org"},
        {"\"mx\\.example.org\"; none", "mx.example.org"},
        {"mx.example.org", "mx.example.org"},
        {"(never closed mx.example.org; none", ""},
        {"; none", ""},
        {"", ""},
    };
    for (const auto& [value, id] : cases) EXPECT_EQ(authserv_id_of(value), id) << value;
}

TEST(AuthservId, ForgedFieldsAreFound_Rfc8601_5) {
    EXPECT_TRUE(pretends_to_be(" mx.example.org; spf=pass", "mx.example.org"));
    EXPECT_TRUE(pretends_to_be(" MX.EXAMPLE.org. 1; spf=pass", "mx.example.org"));
    EXPECT_TRUE(pretends_to_be("(c)\"mx.example.org\";dkim=pass", "mx.example.org"));
    EXPECT_TRUE(pretends_to_be("inner.mx.example.org; dkim=pass", "mx.example.org"));
    EXPECT_TRUE(pretends_to_be("", "mx.example.org"));
    EXPECT_FALSE(pretends_to_be("mx.google.com; dkim=pass", "mx.example.org"));
    EXPECT_FALSE(pretends_to_be("notmx.example.org; dkim=pass", "mx.example.org"));
}

}  // namespace
}  // namespace mailstead::mailauth
