// Object identifiers as the wire shows them (RFC 8474, 4 to 6).
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/text.h"
#include "imapd/proto/response.h"

namespace mailstead::imapd {

// Numbers count within an account. `scope` is zero for the user's own; what lies in another account has its
// number behind, so that no two things that one user sees have the same identifier.
inline void write_id(std::string& out, char kind, std::uint64_t number, AccountId scope) {
    out += kind;
    proto::write_number(out, number);
    if (!scope) return;
    out += '-';
    proto::write_number(out, scope.value);
}
inline void write_id(std::string& out, MailboxId id, AccountId scope = {}) {
    write_id(out, 'F', id.value, scope);
}
inline void write_id(std::string& out, MessageId id, AccountId scope = {}) {
    write_id(out, 'M', id.value, scope);
}
inline void write_id(std::string& out, ThreadId id, AccountId scope = {}) {
    write_id(out, 'T', id.value, scope);
}
// The number of an identifier of this kind and scope; nullopt for anything else: it names nothing here.
inline std::optional<std::uint64_t> read_id(char kind, std::string_view text, AccountId scope = {}) {
    if (!text.starts_with(kind)) return std::nullopt;
    text.remove_prefix(1);
    const std::size_t dash = text.find('-');
    if ((dash == std::string_view::npos) == static_cast<bool>(scope)) return std::nullopt;
    if (scope && text.substr(dash + 1) != std::to_string(scope.value)) return std::nullopt;
    return text::parse_number<std::uint64_t>(text.substr(0, dash));
}

}  // namespace mailstead::imapd
