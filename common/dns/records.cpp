#include "common/dns/records.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>

#include "common/base/text.h"

namespace mailstead::dns {
namespace {

bool starts_with_bits(const std::uint8_t* a, const std::uint8_t* b, unsigned bits) {
    const unsigned whole = bits / 8;
    if (!std::equal(a, a + whole, b)) return false;
    const unsigned rest = bits % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xFFU << (8 - rest));
    return ((a[whole] ^ b[whole]) & mask) == 0;
}

const std::uint8_t* octets(std::string_view bytes) {
    return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

constexpr IpAddress::V6 kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0};

struct TypeName {
    RecordType type;
    std::string_view name;
};
constexpr TypeName kTypeNames[] = {
    {RecordType::a, "A"},         {RecordType::aaaa, "AAAA"}, {RecordType::mx, "MX"},
    {RecordType::txt, "TXT"},     {RecordType::tlsa, "TLSA"}, {RecordType::ptr, "PTR"},
    {RecordType::cname, "CNAME"}, {RecordType::srv, "SRV"},
};

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    // The longest form is an IPv6 address with an IPv4 tail: 45 characters.
    char buffer[INET6_ADDRSTRLEN];
    if (text.empty() || text.size() >= sizeof buffer || text.find('\0') != text.npos) return std::nullopt;
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = '\0';
    if (V4 four{}; ::inet_pton(AF_INET, buffer, four.data()) == 1) return v4(four);
    if (V6 six{}; ::inet_pton(AF_INET6, buffer, six.data()) == 1) return v6(six);
    return std::nullopt;
}

IpAddress IpAddress::unmapped() const {
    if (!is_v6_ || !starts_with_bits(bytes_.data(), kMappedPrefix.data(), 96)) return *this;
    return v4({bytes_[12], bytes_[13], bytes_[14], bytes_[15]});
}

std::string IpAddress::to_string() const {
    char buffer[INET6_ADDRSTRLEN];
    ::inet_ntop(is_v6_ ? AF_INET6 : AF_INET, bytes_.data(), buffer, sizeof buffer);
    return buffer;
}

std::string IpAddress::literal() const {
    return (is_v6_ ? "[IPv6:" : "[") + to_string() + "]";
}

std::string IpAddress::reverse_name() const {
    std::string name;
    if (!is_v6_) {
        for (std::size_t i = 4; i-- > 0;) name += std::to_string(bytes_[i]) + ".";
        return name + "in-addr.arpa";
    }
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (std::size_t i = 16; i-- > 0;) {
        name += kDigits[bytes_[i] & 0x0F];
        name += '.';
        name += kDigits[bytes_[i] >> 4];
        name += '.';
    }
    return name + "ip6.arpa";
}

bool IpAddress::is_loopback() const {
    const IpAddress plain = unmapped();
    if (plain.is_v4()) return plain.bytes_[0] == 127;
    V6 one{};
    one[15] = 1;
    return plain.bytes_ == one;
}

bool IpAddress::is_private() const {
    static const std::vector<IpNetwork> networks = [] {
        std::vector<IpNetwork> list;
        // RFC 6890 and RFC 4193: loopback, this network, private use, carrier NAT, link-local, unique local,
        // unspecified.
        for (const char* text : {"127.0.0.0/8", "0.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                 "100.64.0.0/10", "169.254.0.0/16", "::1", "::", "fe80::/10", "fc00::/7"}) {
            list.push_back(*IpNetwork::parse(text));
        }
        return list;
    }();
    const IpAddress plain = unmapped();
    return std::any_of(networks.begin(), networks.end(),
                       [&](const IpNetwork& n) { return n.contains(plain); });
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    const unsigned longest = address->is_v4() ? 32 : 128;
    if (slash == text.npos) return IpNetwork{*address, longest};
    const std::string_view digits = text.substr(slash + 1);
    const auto prefix = text::parse_number<unsigned>(digits);
    const bool leading_zero = digits.size() > 1 && digits.front() == '0';
    if (!prefix || leading_zero || *prefix > longest) return std::nullopt;
    return IpNetwork{*address, *prefix};
}

bool IpNetwork::contains(const IpAddress& other) const {
    if (address.is_v4() != other.is_v4()) return false;
    return starts_with_bits(octets(address.bytes()), octets(other.bytes()), prefix);
}

std::string IpNetwork::to_string() const {
    return address.to_string() + "/" + std::to_string(prefix);
}

std::string_view to_string(RecordType type) {
    for (const TypeName& entry : kTypeNames) {
        if (entry.type == type) return entry.name;
    }
    return "?";
}

std::optional<RecordType> parse_record_type(std::string_view text) {
    for (const TypeName& entry : kTypeNames) {
        if (text::iequals(entry.name, text)) return entry.type;
    }
    return std::nullopt;
}

bool is_askable(std::string_view name) {
    if (!name.empty() && name.back() == '.') name.remove_suffix(1);
    if (name.empty() || name.size() > 253) return false;
    while (true) {
        const std::size_t dot = name.find('.');
        const std::size_t label = dot == name.npos ? name.size() : dot;
        if (label == 0 || label > 63) return false;
        if (dot == name.npos) return true;
        name.remove_prefix(dot + 1);
    }
}

}  // namespace mailstead::dns
