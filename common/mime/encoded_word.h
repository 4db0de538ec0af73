// Encoded words in header fields (RFC 2047).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mailstead::mime {

// Header text to UTF-8. Blanks between two encoded words are dropped; adjacent words of one charset are
// joined before conversion, since many senders cut inside a character. Words inside of other text, with
// blanks in them, or longer than 75 are tolerated. What is no valid word stays as it is; raw 8-bit text is
// UTF-8 or else windows-1252. `text` may be folded. At most `limit` bytes come out.
std::string decode_encoded_words(std::string_view text, std::size_t limit = 256 * 1024);

// Whether the text can hold an encoded word at all; a cheap test for the usual case.
bool has_encoded_word(std::string_view text);

// UTF-8 as encoded words of at most 75 characters, parted by single spaces, never cut inside a character; B
// or Q, whichever is shorter. Pure ASCII without "=?" comes back unchanged. In a phrase (a display name) only
// the characters of RFC 2047, 5 (3) stay bare.
enum class WordPlace { text, phrase };
std::string encode_words(std::string_view utf8, WordPlace place);

}  // namespace mailstead::mime
