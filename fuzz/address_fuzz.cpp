// Addresses, domains and mailbox names: what was accepted is written and read back as the same value, in each
// of its spellings.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/address/address.h"
#include "common/address/mailbox_name.h"
#include "common/address/modified_utf7.h"
#include "common/base/text.h"

using namespace mailstead;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void check_domain(std::string_view text) {
    const auto domain = Domain::parse(text);
    if (!domain) {
        require(!domain.error().what.empty());
        return;
    }
    require(!domain->ascii().empty() && domain->ascii().size() <= 253);
    require(text::is_ascii(domain->ascii()));
    // The tag of an IPv6 literal keeps its spelling (RFC 5321, 4.1.3).
    require(domain->is_literal() || text::lower(domain->ascii()) == domain->ascii());
    require(domain->is_literal() == !domain->literal().empty());
    const auto again = Domain::parse(domain->ascii());
    require(again && *again == *domain);
    // A name typed in capitals is the same name.
    const auto folded = Domain::parse(text::upper(domain->ascii()));
    require(folded && *folded == *domain);
    require(text::is_utf8(domain->unicode()));
    require(domain->is_within(*domain));
    if (const auto parent = domain->parent())
        require(domain->is_within(*parent) && !parent->is_within(*domain));
}

void check_local_part(std::string_view text) {
    const auto local = LocalPart::parse(text);
    if (!local) return;
    const std::string wire = local->wire();
    require(text::is_utf8(wire) && wire.find_first_of("\r\n") == std::string::npos &&
            wire.find('\0') == std::string::npos);
    // Quotes that the peer did not write can make it longer than what is read again.
    if (wire.size() > 255) return;
    const auto again = LocalPart::parse(wire);
    require(again && *again == *local && again->wire() == wire);
}

void check_address(std::string_view text) {
    const auto address = Address::parse(text);
    if (!address) return;
    const std::string wire = address->to_string();
    require(wire.find_first_of("\r\n<>") == std::string::npos || address->local().wire().front() == '"');
    if (address->local().wire().size() > 255) return;
    const auto again = Address::parse(wire);
    require(again && *again == *address);
    require(address->domain().is_literal() || text::lower(address->key()) == address->key());
}

void check_modified_utf7(std::string_view text) {
    const auto decoded = decode_modified_utf7(text);
    if (!decoded) return;
    require(text::is_utf8(*decoded));
    const std::string encoded = encode_modified_utf7(*decoded);
    require(text::is_ascii(encoded));
    const auto again = decode_modified_utf7(encoded);
    require(again && *again == *decoded);
}

void check_name(const MailboxName& name) {
    const auto utf8 = MailboxName::parse(name.utf8());
    require(utf8 && *utf8 == name);
    const auto utf7 = MailboxName::parse_modified_utf7(name.modified_utf7());
    require(utf7 && *utf7 == name);
    require(!name.levels().empty() && name.levels().size() <= 32 && name.levels().back() == name.leaf());
    if (const auto parent = name.parent()) require(name.is_below(*parent));
    if (const auto moved = name.rebased(name, MailboxName::inbox())) require(moved->is_inbox());
}

void check_mailbox_name(std::string_view text) {
    if (const auto name = MailboxName::parse(text)) check_name(*name);
    if (const auto name = MailboxName::parse_modified_utf7(text)) check_name(*name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_domain(text);
    check_local_part(text);
    check_address(text);
    check_modified_utf7(text);
    check_mailbox_name(text);
    return 0;
}
