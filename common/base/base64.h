// Base64 as SASL, DKIM and MIME header fields use it (RFC 4648, 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailstead {

// With padding, without line breaks.
std::string base64_encode(std::string_view bytes);

// Strict: padding required, no other characters. nullopt otherwise.
std::optional<std::string> base64_decode(std::string_view text);

// Skips spaces, tabs, CRs and LFs between the characters (DKIM tags, RFC 6376, 3.2); padding may be missing.
std::optional<std::string> base64_decode_folded(std::string_view text);

}  // namespace mailstead
