// A domain that mail can have on the right of the "@": a DNS name or an address literal.
#pragma once

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace mailstead {

// Always valid, always lower case, international names held as A-labels (RFC 5890), no trailing dot.
class Domain {
public:
    // `mail.example.org`, `пример.example` in UTF-8, with or without a final dot; `[192.0.2.1]`,
    // `[IPv6:2001:db8::1]`. RFC 5321, 4.1.2 and 4.1.3; RFC 6531, 3.2; names of at most 253 bytes, labels of
    // at most 63; underscores are accepted, since some senders use them.
    static Parsed<Domain> parse(std::string_view text);

    // For the wire, DNS and comparison: `xn--e1afmkfd.example`, `[192.0.2.1]`.
    const std::string& ascii() const { return ascii_; }
    // For people and SMTPUTF8: U-labels.
    std::string unicode() const;
    // The IP address inside an address literal, as text; empty for a name.
    std::string_view literal() const;
    bool is_literal() const { return ascii_.front() == '['; }
    // The name without its first label; nullopt for a single label or a literal.
    std::optional<Domain> parent() const;
    // Whether this is `other` or below it.
    bool is_within(const Domain& other) const;

    friend auto operator<=>(const Domain&, const Domain&) = default;

private:
    explicit Domain(std::string ascii) : ascii_(std::move(ascii)) {}
    std::string ascii_;
};

}  // namespace mailstead

template <>
struct std::hash<mailstead::Domain> {
    std::size_t operator()(const mailstead::Domain& d) const noexcept {
        return std::hash<std::string>{}(d.ascii());
    }
};
