#include "common/mailauth/spf_macro.h"
#include "common/mailauth/spf_record.h"
#include "tests/unit/mailauth/zone.h"

namespace mailstead::mailauth {
namespace {

MacroValues values(std::string_view client = "192.0.2.3") {
    MacroValues v;
    v.local_part = "strong-bad";
    v.sender_domain = "email.example.com";
    v.domain = "email.example.com";
    v.helo = "helo.example";
    v.receiver = "mx.example";
    v.client_name = "unknown";
    v.client = *dns::IpAddress::parse(client);
    return v;
}

// The table of RFC 7208, 7.4.
TEST(SpfMacro, ExpandsAsRfc7208_7_4Shows) {
    const std::pair<const char*, const char*> cases[] = {
        {"%{s}", "strong-bad@email.example.com"},
        {"%{o}", "email.example.com"},
        {"%{d}", "email.example.com"},
        {"%{d4}", "email.example.com"},
        {"%{d3}", "email.example.com"},
        {"%{d2}", "example.com"},
        {"%{d1}", "com"},
        {"%{dr}", "com.example.email"},
        {"%{d2r}", "example.email"},
        {"%{l}", "strong-bad"},
        {"%{l-}", "strong.bad"},
        {"%{lr}", "strong-bad"},
        {"%{lr-}", "bad.strong"},
        {"%{l1r-}", "strong"},
        {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
        {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
        {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
        {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
        {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
    };
    for (const auto& [text, expected] : cases)
        EXPECT_EQ(expand_macros(text, values(), MacroUse::domain), expected) << text;
    EXPECT_EQ(expand_macros("%{ir}.%{v}._spf.%{d2}", values("2001:db8::cb01"), MacroUse::domain),
              "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com");
}

TEST(SpfMacro, CutsLongNamesFromTheLeft_Rfc7208_7_3) {
    MacroValues v = values();
    const std::string local(60, 'a');
    v.local_part = local;
    const auto name = expand_domain("%{l}.%{l}.%{l}.%{l}.%{l}.tail.example", v);
    ASSERT_TRUE(name);
    // Five times 61 bytes and the tail are 317; one label less makes 256, still too many.
    EXPECT_EQ(*name, local + "." + local + "." + local + ".tail.example");
}

TEST(SpfMacro, BoundsWhatItWrites) {
    std::string text;
    for (int i = 0; i < 2000; ++i) text += "%{s}";
    EXPECT_FALSE(expand_macros(text, values(), MacroUse::domain));
}

TEST(SpfMacro, NameWithABackslashIsNotAskedFor) {
    MacroValues v = values();
    v.local_part = "a\\.b";
    EXPECT_FALSE(expand_domain("%{l}.example", v));
}

TEST(SpfRecord, KeepsWhatTheTermsSay) {
    const auto record = parse_spf_record(
        "v=spf1 +a:x.example/24//64 ~mx/30 ?ip6:2001:db8::/32 -all exp=e.example redirect=r.example");
    ASSERT_TRUE(record);
    ASSERT_EQ(record->terms.size(), 4U);
    EXPECT_EQ(record->terms[0].domain_spec, "x.example");
    EXPECT_EQ(record->terms[0].prefix4, 24U);
    EXPECT_EQ(record->terms[0].prefix6, 64U);
    EXPECT_EQ(record->terms[1].on_match, SpfVerdict::softfail);
    EXPECT_EQ(record->terms[1].prefix4, 30U);
    EXPECT_EQ(record->terms[2].network.to_string(), "2001:db8::/32");
    EXPECT_EQ(record->terms[3].on_match, SpfVerdict::fail);
    EXPECT_EQ(record->explanation, "e.example");
    EXPECT_EQ(record->redirect, "r.example");
}

TEST(SpfRecord, SaysWhereItIsWrong) {
    const auto record = parse_spf_record("v=spf1 a ip4:300.1.1.1 -all");
    ASSERT_FALSE(record);
    EXPECT_EQ(record.error().offset, 9U);
}

TEST(SpfRecord, BoundsItsLength) {
    EXPECT_FALSE(parse_spf_record("v=spf1 " + std::string(16 * 1024, ' ') + "-all"));
    EXPECT_TRUE(parse_spf_record("v=spf1 " + std::string(15 * 1024, ' ') + "-all"));
}

}  // namespace
}  // namespace mailstead::mailauth
