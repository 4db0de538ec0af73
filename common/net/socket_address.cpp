#include "common/net/socket_address.h"

#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/base/text.h"

namespace mailstead::net {

namespace asio = boost::asio;

namespace {

IpAddress unmapped(const asio::ip::address_v6& v6) {
    return v6.is_v4_mapped() ? IpAddress(asio::ip::make_address_v4(asio::ip::v4_mapped, v6)) : IpAddress(v6);
}

bool within(const IpAddress& ip, const char* network, unsigned prefix) {
    const IpAddress base = asio::ip::make_address(network);
    if (base.is_v4() != ip.is_v4()) return false;
    const std::string a = ip_bytes(ip);
    const std::string b = ip_bytes(base);
    for (unsigned bit = 0; bit < prefix; ++bit) {
        const auto mask = static_cast<unsigned char>(0x80U >> (bit % 8));
        if ((static_cast<unsigned char>(a[bit / 8] ^ b[bit / 8]) & mask) != 0) return false;
    }
    return true;
}

}  // namespace

Parsed<IpAddress> parse_ip(std::string_view text) {
    // No zones: an interface name has no place in a mail configuration or a peer's claim.
    if (text.empty() || text.size() > 45 || text.find('%') != text.npos)
        return ParseError("not an IP address", 0);
    boost::system::error_code failure;
    const IpAddress ip = asio::ip::make_address(std::string(text), failure);
    if (failure) return ParseError("not an IP address", 0);
    return ip.is_v6() ? unmapped(ip.to_v6()) : ip;
}

std::string ip_bytes(const IpAddress& ip) {
    if (ip.is_v4()) {
        const auto bytes = ip.to_v4().to_bytes();
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    const auto bytes = ip.to_v6().to_bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Parsed<IpAddress> ip_from_bytes(std::string_view bytes) {
    if (bytes.size() == 4) {
        asio::ip::address_v4::bytes_type raw;
        std::memcpy(raw.data(), bytes.data(), raw.size());
        return IpAddress(asio::ip::address_v4(raw));
    }
    if (bytes.size() == 16) {
        asio::ip::address_v6::bytes_type raw;
        std::memcpy(raw.data(), bytes.data(), raw.size());
        return IpAddress(asio::ip::address_v6(raw));
    }
    return ParseError("an IP address has 4 or 16 bytes", 0);
}

IpAddress customer_network(const IpAddress& ip) {
    if (ip.is_v4()) return ip;
    auto bytes = ip.to_v6().to_bytes();
    std::memset(bytes.data() + 8, 0, 8);
    return asio::ip::address_v6(bytes);
}

bool is_private(const IpAddress& ip) {
    if (ip.is_loopback() || ip.is_unspecified()) return true;
    if (ip.is_v4()) {
        return within(ip, "10.0.0.0", 8) || within(ip, "172.16.0.0", 12) || within(ip, "192.168.0.0", 16) ||
               within(ip, "169.254.0.0", 16) || within(ip, "100.64.0.0", 10);
    }
    return within(ip, "fc00::", 7) || within(ip, "fe80::", 10);
}

Parsed<SocketAddress> SocketAddress::parse(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == text.npos) return ParseError("a port is missing", text.size());
    const auto port = text::parse_number<std::uint16_t>(text.substr(colon + 1));
    if (!port) return ParseError("not a port number", colon + 1);
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    TRY(ip, parse_ip(host));
    if (ip.is_v6() != bracketed && host.find(':') != host.npos && !bracketed) {
        return ParseError("an IPv6 address needs brackets before the port", 0);
    }
    return SocketAddress{ip, *port};
}

SocketAddress SocketAddress::from_native(const sockaddr* address, std::size_t size) {
    SocketAddress result;
    if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
        sockaddr_in in;
        std::memcpy(&in, address, sizeof in);
        result.ip = asio::ip::address_v4(ntohl(in.sin_addr.s_addr));
        result.port = ntohs(in.sin_port);
    } else if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
        sockaddr_in6 in;
        std::memcpy(&in, address, sizeof in);
        asio::ip::address_v6::bytes_type bytes;
        std::memcpy(bytes.data(), in.sin6_addr.s6_addr, bytes.size());
        result.ip = unmapped(asio::ip::address_v6(bytes));
        result.port = ntohs(in.sin6_port);
    }
    return result;
}

std::string SocketAddress::to_string() const {
    const std::string host = ip.to_string();
    return (ip.is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace mailstead::net
