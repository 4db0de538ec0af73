#include <gtest/gtest.h>

#include "common/dns/records.h"

namespace mailstead::dns {
namespace {

IpAddress ip(std::string_view text) {
    const auto address = IpAddress::parse(text);
    EXPECT_TRUE(address) << text;
    return address.value_or(IpAddress());
}

TEST(IpAddress, ReadsAndPrints) {
    const std::pair<const char*, const char*> cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"::", "::"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
        {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
    };
    for (const auto& [text, printed] : cases) EXPECT_EQ(ip(text).to_string(), printed);
    for (const char* text : {"", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4 ", "::1%eth0",
                             "[::1]", "1:2", ":::", "12345::", "a.b.c.d"}) {
        EXPECT_FALSE(IpAddress::parse(text)) << text;
    }
    EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
    EXPECT_FALSE(IpAddress::parse(std::string(100, '1')));
}

TEST(IpAddress, ReverseNamesAndLiterals) {
    EXPECT_EQ(ip("192.0.2.1").reverse_name(), "1.2.0.192.in-addr.arpa");
    // RFC 3596, 2.5
    EXPECT_EQ(ip("4321:0:1:2:3:4:567:89ab").reverse_name(),
              "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa");
    EXPECT_EQ(ip("192.0.2.1").literal(), "[192.0.2.1]");
    EXPECT_EQ(ip("2001:db8::1").literal(), "[IPv6:2001:db8::1]");
}

TEST(IpAddress, MappedIsTheIpv4AddressWithin) {
    EXPECT_EQ(ip("::ffff:192.0.2.1").unmapped(), ip("192.0.2.1"));
    EXPECT_EQ(ip("2001:db8::1").unmapped(), ip("2001:db8::1"));
    EXPECT_EQ(ip("::192.0.2.1").unmapped(), ip("::192.0.2.1"));
    EXPECT_NE(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
}

TEST(IpAddress, KnowsWhatIsNotPublic) {
    for (const char* text : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"})
        EXPECT_TRUE(ip(text).is_loopback()) << text;
    for (const char* text : {"128.0.0.1", "::2", "::"}) EXPECT_FALSE(ip(text).is_loopback()) << text;
    for (const char* text : {"10.1.2.3", "172.31.0.1", "192.168.1.1", "100.127.255.255", "169.254.1.1",
                             "fe80::1", "fd00::1", "::1", "::ffff:10.0.0.1"}) {
        EXPECT_TRUE(ip(text).is_private()) << text;
    }
    for (const char* text : {"172.32.0.1", "100.128.0.1", "192.0.2.1", "2001:db8::1", "8.8.8.8"})
        EXPECT_FALSE(ip(text).is_private()) << text;
}

TEST(IpNetwork, HoldsWhatSharesItsPrefix) {
    struct Case {
        const char* network;
        const char* address;
        bool within;
    };
    const Case cases[] = {
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.77/25", "192.0.2.1", true},
        {"0.0.0.0/0", "203.0.113.1", true},
        {"0.0.0.0/0", "::1", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1/31", "192.0.2.0", true},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::/0", "2001:db8::1", true},
        {"2001:db8::1/128", "2001:db8::2", false},
    };
    for (const Case& c : cases) {
        const auto network = IpNetwork::parse(c.network);
        ASSERT_TRUE(network) << c.network;
        EXPECT_EQ(network->contains(ip(c.address)), c.within) << c.network << " " << c.address;
    }
    for (const char* text :
         {"192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/08", "::/129", "/8", "192.0.2.0/8/8"}) {
        EXPECT_FALSE(IpNetwork::parse(text)) << text;
    }
}

TEST(DnsName, IsAskableWithinTheLimits_Rfc1035_2_3_4) {
    EXPECT_TRUE(is_askable("example.org"));
    EXPECT_TRUE(is_askable("example.org."));
    EXPECT_TRUE(is_askable("_dmarc.example.org"));
    EXPECT_TRUE(is_askable(std::string(63, 'a') + ".b"));
    EXPECT_FALSE(is_askable(std::string(64, 'a') + ".b"));
    EXPECT_FALSE(is_askable(""));
    EXPECT_FALSE(is_askable("."));
    EXPECT_FALSE(is_askable("a..b"));
    EXPECT_FALSE(is_askable(".a"));
    std::string name;
    while (name.size() < 250) name += "ab.";
    EXPECT_TRUE(is_askable(name + "c"));
    EXPECT_FALSE(is_askable(name + "cde"));
}

TEST(DnsAnswer, NarrowKeepsRecordsOfTheKind) {
    const auto mixed = AnyAnswer::of({Mx{10, "a.example"}, Txt{"x"}}, Seconds{60}, true);
    const auto mx = narrow<Mx>(mixed);
    ASSERT_EQ(mx.records.size(), 1U);
    EXPECT_TRUE(mx.authenticated);
    EXPECT_EQ(mx.ttl, Seconds{60});
    EXPECT_TRUE(narrow<Srv>(mixed).absent());
    EXPECT_TRUE(narrow<Mx>(AnyAnswer::failure("x")).failed());
    EXPECT_EQ(widen(mx).records.size(), 1U);
}

}  // namespace
}  // namespace mailstead::dns
