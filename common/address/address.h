// A mail address, and the reverse-path that may be null.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "common/address/domain.h"
#include "common/address/local_part.h"

namespace mailstead {

// Mailbox = Local-part "@" ( Domain / address-literal )   (RFC 5321, 4.1.2)
class Address {
public:
    Address(LocalPart local, Domain domain) : local_(std::move(local)), domain_(std::move(domain)) {}

    // `user@example.org`, without angle brackets.
    static Parsed<Address> parse(std::string_view text);

    const LocalPart& local() const { return local_; }
    const Domain& domain() const { return domain_; }

    // `user@xn--e1afmkfd.example`: for the wire, unless the local part needs SMTPUTF8.
    std::string to_string() const;
    // `user@пример.example`: for people and for SMTPUTF8 peers.
    std::string unicode() const;
    // Whether the address can be sent to a peer without SMTPUTF8.
    bool is_ascii() const { return local_.is_ascii(); }
    // Lower case throughout: the key under which the directory knows the address.
    std::string key() const;

    friend auto operator<=>(const Address&, const Address&) = default;

private:
    LocalPart local_;
    Domain domain_;
};

// nullopt is the null reverse-path `<>` of delivery reports (RFC 5321, 4.5.5).
using ReversePath = std::optional<Address>;

// The address between "<" and ">", empty for the null path.
std::string to_string(const ReversePath& path);

}  // namespace mailstead
