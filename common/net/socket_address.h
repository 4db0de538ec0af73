// IP addresses and ports as values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/asio/ip/address.hpp>

#include "common/base/result.h"

struct sockaddr;

namespace mailstead::net {

using IpAddress = boost::asio::ip::address;

// `192.0.2.1`, `2001:db8::1`; IPv4-mapped IPv6 becomes IPv4.
Parsed<IpAddress> parse_ip(std::string_view text);

// 4 or 16 bytes in network order, and back; other lengths give an error.
std::string ip_bytes(const IpAddress& ip);
Parsed<IpAddress> ip_from_bytes(std::string_view bytes);

// What one customer usually holds: the address itself for IPv4, its /64 for IPv6. For limits and reputation.
IpAddress customer_network(const IpAddress& ip);

// 10/8, 192.168/16, fc00::/7, loopback, link-local and their like: never reachable from the internet.
bool is_private(const IpAddress& ip);

struct SocketAddress {
    IpAddress ip;
    std::uint16_t port = 0;

    // `192.0.2.1:25`, `[2001:db8::1]:25`.
    static Parsed<SocketAddress> parse(std::string_view text);
    // From getpeername and the like; unspecified with port 0 for other families than IP. IPv4-mapped becomes
    // IPv4.
    static SocketAddress from_native(const sockaddr* address, std::size_t size);
    std::string to_string() const;

    friend bool operator==(const SocketAddress&, const SocketAddress&) = default;
};

}  // namespace mailstead::net
