#include "common/address/domain.h"

#include <gtest/gtest.h>

namespace mailstead {
namespace {

std::string ascii(std::string_view text) {
    const auto domain = Domain::parse(text);
    return domain ? domain->ascii() : "refused";
}

TEST(Domain, IsHeldInOneSpelling) {
    struct Case {
        std::string_view text;
        std::string_view ascii;
    };
    const Case cases[] = {
        {"example.org", "example.org"},
        {"EXAMPLE.Org", "example.org"},
        {"example.org.", "example.org"},
        {"localhost", "localhost"},
        {"_dmarc.example.org", "_dmarc.example.org"},
        {"a-b.example", "a-b.example"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"b\xC3\xBC"
         "cher.example",
         "xn--bcher-kva.example"},
        {"B\xC3\x9C"
         "CHER.example",
         "xn--bcher-kva.example"},
        {"fa\xC3\x9F.de", "xn--fa-hia.de"},  // IDNA 2008 keeps the sharp s
        {"\xD0\xBF\xD1\x80\xD0\xB8\xD0\xBC\xD0\xB5\xD1\x80.example", "xn--e1afmkfd.example"},
        {"", "refused"},
        {".", "refused"},
        {"a..b", "refused"},
        {".example.org", "refused"},
        {"example.org..", "refused"},
        {"-a.example", "refused"},
        {"a-.example", "refused"},
        {"a b.example", "refused"},
        {"a@b.example", "refused"},
        {"\xFF.example", "refused"},
        {"a\\.example", "refused"},
    };
    for (const Case& c : cases) EXPECT_EQ(ascii(c.text), c.ascii) << c.text;
    EXPECT_EQ(ascii(std::string_view("a\0b.example", 11)), "refused");
}

TEST(Domain, LengthsAtTheirLimits_Rfc1035_2_3_4) {
    const std::string label63(63, 'a');
    EXPECT_EQ(ascii(label63 + ".example"), label63 + ".example");
    EXPECT_EQ(ascii(label63 + "a.example"), "refused");
    const std::string name253 = label63 + '.' + label63 + '.' + label63 + '.' + std::string(61, 'a');
    ASSERT_EQ(name253.size(), 253U);
    EXPECT_EQ(ascii(name253), name253);
    EXPECT_EQ(ascii(name253 + 'a'), "refused");
}

TEST(Domain, UnicodeIsForPeople) {
    EXPECT_EQ(Domain::parse("xn--bcher-kva.example")->unicode(),
              "b\xC3\xBC"
              "cher.example");
    EXPECT_EQ(Domain::parse("example.org")->unicode(), "example.org");
    EXPECT_EQ(Domain::parse("xn--zzzzzzzzzzzzzz99999.example")->unicode(), "xn--zzzzzzzzzzzzzz99999.example")
        << "not decodable";
}

TEST(Domain, AddressLiterals_Rfc5321_4_1_3) {
    EXPECT_EQ(ascii("[192.0.2.1]"), "[192.0.2.1]");
    EXPECT_EQ(ascii("[ipv6:2001:DB8:0:0::1]"), "[IPv6:2001:db8::1]");
    EXPECT_EQ(Domain::parse("[IPv6:::1]")->literal(), "::1");
    EXPECT_EQ(Domain::parse("[192.0.2.1]")->literal(), "192.0.2.1");
    EXPECT_TRUE(Domain::parse("[192.0.2.1]")->is_literal());
    EXPECT_EQ(Domain::parse("example.org")->literal(), "");
    for (const std::string_view bad :
         {"[", "[]", "[192.0.2.1", "[192.0.2]", "[192.0.2.256]", "[::1]", "[IPv6:192.0.2.1]", "[IPv6:]",
          "[example.org]", "[192.0.2.1].example"}) {
        EXPECT_EQ(ascii(bad), "refused") << bad;
    }
}

TEST(Domain, ParentsAndDescent) {
    const Domain domain = *Domain::parse("a.b.example");
    EXPECT_EQ(domain.parent()->ascii(), "b.example");
    EXPECT_EQ(domain.parent()->parent()->ascii(), "example");
    EXPECT_FALSE(domain.parent()->parent()->parent());
    EXPECT_FALSE(Domain::parse("[192.0.2.1]")->parent());
    EXPECT_TRUE(domain.is_within(domain));
    EXPECT_TRUE(domain.is_within(*Domain::parse("b.example")));
    EXPECT_FALSE(domain.is_within(*Domain::parse("x.example")));
    EXPECT_FALSE(Domain::parse("ab.example")->is_within(*Domain::parse("b.example")));
    EXPECT_FALSE(Domain::parse("example")->is_within(domain));
}

}  // namespace
}  // namespace mailstead
