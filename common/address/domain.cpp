#include "common/address/domain.h"

#include <arpa/inet.h>
#include <memory>

#include <idn2.h>

#include "common/base/text.h"

namespace mailstead {
namespace {

constexpr std::size_t kMaxName = 253;  // RFC 1035, 2.3.4, less the root's length byte and the first label's
constexpr std::size_t kMaxLabel = 63;

// Domain = sub-domain *("." sub-domain); sub-domain = Let-dig [Ldh-str]   (RFC 5321, 4.1.2)
std::optional<ParseError> check_labels(std::string_view name) {
    if (name.size() > kMaxName) return ParseError{"domain name is longer than 253 bytes", kMaxName};
    std::size_t offset = 0;
    std::string_view rest = name;
    do {
        const std::size_t dot = rest.find('.');
        const std::string_view label = rest.substr(0, dot);
        if (label.empty()) return ParseError{"domain name has an empty label", offset};
        if (label.size() > kMaxLabel)
            return ParseError{"domain name has a label longer than 63 bytes", offset};
        if (label.front() == '-' || label.back() == '-') {
            return ParseError{"a label of a domain name cannot start or end with a hyphen", offset};
        }
        for (const char c : label) {
            const bool allowed = text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_';
            if (!allowed) return ParseError{"character not allowed in a domain name", offset};
        }
        offset += label.size() + 1;
        rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
        if (dot != std::string_view::npos && rest.empty())
            return ParseError{"domain name has an empty label", offset};
    } while (!rest.empty());
    return std::nullopt;
}

// address-literal = "[" ( IPv4-address-literal / IPv6-address-literal ) "]"   (RFC 5321, 4.1.3)
Parsed<std::string> parse_literal(std::string_view text) {
    constexpr std::string_view kIpv6Tag = "IPv6:";
    if (text.size() < 3 || text.size() > 64 || text.back() != ']')
        return ParseError{"malformed address literal", 0};
    std::string inner(text.substr(1, text.size() - 2));
    unsigned char raw[sizeof(in6_addr)];
    char canonical[INET6_ADDRSTRLEN];
    if (text::istarts_with(inner, kIpv6Tag)) {
        inner.erase(0, kIpv6Tag.size());
        if (inet_pton(AF_INET6, inner.c_str(), raw) != 1)
            return ParseError{"malformed IPv6 address literal", 6};
        inet_ntop(AF_INET6, raw, canonical, sizeof canonical);
        return "[IPv6:" + std::string(canonical) + "]";
    }
    if (inet_pton(AF_INET, inner.c_str(), raw) != 1) return ParseError{"malformed IPv4 address literal", 1};
    inet_ntop(AF_INET, raw, canonical, sizeof canonical);
    return "[" + std::string(canonical) + "]";
}

using IdnString = std::unique_ptr<char, decltype(&idn2_free)>;

Parsed<std::string> to_a_labels(const std::string& name) {
    char* raw = nullptr;
    const int status = idn2_to_ascii_8z(name.c_str(), &raw, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    const IdnString ascii(raw, &idn2_free);
    if (status != IDN2_OK) return ParseError{"not a valid internationalized domain name", 0};
    return std::string(ascii.get());
}

}  // namespace

Parsed<Domain> Domain::parse(std::string_view text) {
    if (!text.empty() && text.front() == '[') {
        TRY(literal, parse_literal(text));
        return Domain(std::move(literal));
    }
    if (text.size() > 1 && text.back() == '.') text.remove_suffix(1);
    if (text.empty()) return ParseError{"domain name is empty", 0};
    if (text.size() > 4 * kMaxName) return ParseError{"domain name is too long", kMaxName};
    std::string name(text);
    if (name.find('\0') != std::string::npos) return ParseError{"character not allowed in a domain name", 0};
    if (!text::is_ascii(name)) {
        if (!text::is_utf8(name)) return ParseError{"domain name is not UTF-8", 0};
        TRY(ascii, to_a_labels(name));
        name = std::move(ascii);
    }
    if (const auto error = check_labels(name)) return *error;
    return Domain(text::lower(name));
}

std::string Domain::unicode() const {
    if (is_literal() || ascii_.find("xn--") == std::string::npos) return ascii_;
    char* raw = nullptr;
    const int status = idn2_to_unicode_8z8z(ascii_.c_str(), &raw, 0);
    const IdnString name(raw, &idn2_free);
    return status == IDN2_OK ? std::string(name.get()) : ascii_;
}

std::string_view Domain::literal() const {
    if (!is_literal()) return {};
    const std::string_view inner = std::string_view(ascii_).substr(1, ascii_.size() - 2);
    return inner.starts_with("IPv6:") ? inner.substr(5) : inner;
}

std::optional<Domain> Domain::parent() const {
    const std::size_t dot = ascii_.find('.');
    if (is_literal() || dot == std::string::npos) return std::nullopt;
    return Domain(ascii_.substr(dot + 1));
}

bool Domain::is_within(const Domain& other) const {
    const std::string& suffix = other.ascii_;
    if (ascii_ == suffix) return true;
    return ascii_.size() > suffix.size() && ascii_.ends_with(suffix) &&
           ascii_[ascii_.size() - suffix.size() - 1] == '.';
}

}  // namespace mailstead
