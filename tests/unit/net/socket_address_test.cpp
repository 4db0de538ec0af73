#include "common/net/socket_address.h"

#include <gtest/gtest.h>

namespace mailstead::net {
namespace {

TEST(SocketAddress, ParsesAndPrints) {
    struct Case {
        const char* text;
        const char* printed;  // nullptr: refused
    };
    for (const Case& c :
         {Case{"0.0.0.0:25", "0.0.0.0:25"}, Case{"[::]:993", "[::]:993"}, Case{"127.0.0.1:0", "127.0.0.1:0"},
          Case{"[2001:DB8::1]:465", "[2001:db8::1]:465"}, Case{"[::ffff:192.0.2.1]:25", "192.0.2.1:25"},
          Case{"2001:db8::1:25", nullptr}, Case{"192.0.2.1", nullptr}, Case{"192.0.2.1:", nullptr},
          Case{"192.0.2.1:65536", nullptr}, Case{"192.0.2.1:+5", nullptr}, Case{"host:25", nullptr},
          Case{"[fe80::1%eth0]:25", nullptr}, Case{"", nullptr}, Case{":25", nullptr},
          Case{"[]:25", nullptr}}) {
        const auto address = SocketAddress::parse(c.text);
        ASSERT_EQ(address.has_value(), c.printed != nullptr) << c.text;
        if (address) {
            EXPECT_EQ(address->to_string(), c.printed);
        }
    }
}

TEST(SocketAddress, CustomerNetworkIsTheAddressOrThe64) {
    EXPECT_EQ(customer_network(parse_ip("192.0.2.7").value()), parse_ip("192.0.2.7").value());
    EXPECT_EQ(customer_network(parse_ip("2001:db8:1:2:3:4:5:6").value()), parse_ip("2001:db8:1:2::").value());
}

TEST(SocketAddress, KnowsPrivateAddresses) {
    for (const char* ip : {"10.1.2.3", "172.31.0.1", "192.168.1.1", "127.0.0.1", "169.254.1.1", "100.64.0.1",
                           "::1", "fd00::1", "fe80::1"}) {
        EXPECT_TRUE(is_private(parse_ip(ip).value())) << ip;
    }
    for (const char* ip : {"172.32.0.1", "192.0.2.1", "11.0.0.1", "100.128.0.1", "2001:db8::1"}) {
        EXPECT_FALSE(is_private(parse_ip(ip).value())) << ip;
    }
}

TEST(SocketAddress, BytesGoThereAndBack) {
    for (const char* ip : {"192.0.2.1", "2001:db8::1"}) {
        EXPECT_EQ(ip_from_bytes(ip_bytes(parse_ip(ip).value())).value(), parse_ip(ip).value());
    }
    EXPECT_FALSE(ip_from_bytes("12345"));
    EXPECT_FALSE(ip_from_bytes(""));
}

}  // namespace
}  // namespace mailstead::net
