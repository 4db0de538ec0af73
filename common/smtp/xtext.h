// The escapings inside ESMTP parameters and delivery reports.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailstead::smtp {

// xtext = *( xchar / hexchar ), hexchar = "+" 2(HEXDIG, upper case)   (RFC 3461, 4)
// The decoder takes lower-case digits as well; nullopt for a bare "+", "=" or a byte outside 33-126.
std::string encode_xtext(std::string_view bytes);
std::optional<std::string> decode_xtext(std::string_view text);

// utf-8-addr-xtext and utf-8-addr-unitext (RFC 6533, 3): code points as `\x{NNNN}`. The encoder writes ASCII
// only; the decoder takes both forms and gives UTF-8; nullopt when malformed, a surrogate, or above 10FFFF.
std::string encode_utf8_address(std::string_view utf8);
std::optional<std::string> decode_utf8_address(std::string_view text);

}  // namespace mailstead::smtp
