#include "common/address/address.h"

namespace mailstead {

Parsed<Address> Address::parse(std::string_view text) {
    // The last "@" divides: a quoted local part may contain others, a domain none.
    const std::size_t at = text.rfind('@');
    if (at == std::string_view::npos) return ParseError{"address has no @", text.size()};
    TRY(local, LocalPart::parse(text.substr(0, at)));
    auto domain = Domain::parse(text.substr(at + 1));
    if (!domain) return ParseError{domain.error().what, at + 1 + domain.error().offset};
    return Address(std::move(local), *std::move(domain));
}

std::string Address::to_string() const {
    return local_.wire() + '@' + domain_.ascii();
}

std::string Address::unicode() const {
    return local_.wire() + '@' + domain_.unicode();
}

std::string Address::key() const {
    return local_.folded() + '@' + domain_.ascii();
}

std::string to_string(const ReversePath& path) {
    return path ? path->to_string() : std::string{};
}

}  // namespace mailstead
