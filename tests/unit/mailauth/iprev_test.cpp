#include "common/mailauth/iprev.h"

#include "tests/unit/mailauth/zone.h"

namespace mailstead::mailauth {
namespace {

IprevResult check(const dns::FakeResolver& resolver, std::string_view client) {
    IprevCheck check(*dns::IpAddress::parse(client));
    drive_with(check, resolver);
    return check.result();
}

TEST(Iprev, PassesWhenANameLeadsBack) {
    const auto resolver = zone(R"(
        1.2.0.192.in-addr.arpa PTR wrong.example
        1.2.0.192.in-addr.arpa PTR mail.example
        wrong.example A 192.0.2.99
        mail.example A 192.0.2.1)");
    const auto result = check(resolver, "192.0.2.1");
    EXPECT_EQ(result.verdict, IprevVerdict::pass);
    EXPECT_EQ(result.name, "mail.example");
    EXPECT_EQ(result.confirmed_names, std::vector<std::string>{"mail.example"});
    EXPECT_EQ(check(resolver, "::ffff:192.0.2.1").verdict, IprevVerdict::pass);
}

TEST(Iprev, FailsWhenNoNameLeadsBack) {
    const auto result =
        check(zone("1.2.0.192.in-addr.arpa PTR liar.example\nliar.example A 192.0.2.2"), "192.0.2.1");
    EXPECT_EQ(result.verdict, IprevVerdict::fail);
    EXPECT_EQ(result.name, "liar.example");
}

TEST(Iprev, TellsNoNameFromNoAnswer) {
    EXPECT_EQ(check(zone(""), "192.0.2.1").verdict, IprevVerdict::permerror);
    EXPECT_EQ(check(zone("1.2.0.192.in-addr.arpa FAIL"), "192.0.2.1").verdict, IprevVerdict::temperror);
    EXPECT_EQ(check(zone("1.2.0.192.in-addr.arpa PTR dead.example\ndead.example FAIL"), "192.0.2.1").verdict,
              IprevVerdict::temperror);
}

TEST(Iprev, LooksAtTenNames) {
    std::string lines;
    for (int i = 0; i < 30; ++i) lines += "1.2.0.192.in-addr.arpa PTR n" + std::to_string(i) + ".example\n";
    const auto resolver = zone(lines);
    check(resolver, "192.0.2.1");
    EXPECT_EQ(resolver.asked().size(), 11U);
}

}  // namespace
}  // namespace mailstead::mailauth
