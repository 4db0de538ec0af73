// Text in any charset to UTF-8, and the form in which texts are compared.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mailstead::mime {

inline constexpr std::size_t kMaxConverted = 64 * 1024 * 1024;  // bytes of UTF-8 out of one conversion

// Always well-formed UTF-8, at most `limit` bytes (cut at a character). What is invalid in the charset
// becomes U+FFFD. us-ascii with 8-bit bytes is taken as UTF-8 when it is that, otherwise as windows-1252; an
// unknown charset likewise. us-ascii, utf-8, iso-8859-1 and windows-1252 are built in; the others come from
// iconv. Each thread keeps its own converters.
std::string to_utf8(std::string_view bytes, std::string_view charset, std::size_t limit = kMaxConverted);
// Header text that names no charset: UTF-8 when it is that, otherwise windows-1252.
std::string to_utf8(std::string_view bytes);

// Whether to_utf8 knows the charset (SEARCH CHARSET must refuse others: BADCHARSET, RFC 9051, 6.4.4).
bool is_known_charset(std::string_view charset);

// Opens the usual converters once, so that their files are found before a sandbox closes the file system.
// iconv keeps modules while one user holds them: call it in the thread that lives longest.
void preload_charsets();

// The comparison key of i;unicode-casemap (RFC 5051, 2): every character mapped to titlecase by its simple
// mapping, then decomposed fully (canonical and compatibility), again until nothing changes. So "É", "é", and
// "e" with a combining accent are one, and so are full-width and plain letters. Accents themselves count.
// `utf8` need not be well-formed; bad bytes become U+FFFD. A text contains a pattern when its key contains
// the pattern's key.
std::string fold_for_search(std::string_view utf8);

}  // namespace mailstead::mime
