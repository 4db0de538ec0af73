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

inline void write_id(std::string& out, MailboxId id) {
    out += 'F';
    proto::write_number(out, id.value);
}
inline void write_id(std::string& out, MessageId id) {
    out += 'M';
    proto::write_number(out, id.value);
}
inline void write_id(std::string& out, ThreadId id) {
    out += 'T';
    proto::write_number(out, id.value);
}
// The number of an identifier of this kind; nullopt for anything else: it names nothing here.
inline std::optional<std::uint64_t> read_id(char kind, std::string_view text) {
    if (!text.starts_with(kind)) return std::nullopt;
    return text::parse_number<std::uint64_t>(text.substr(1));
}

}  // namespace mailstead::imapd
