// What lies in the Xapian database of an account. Internal to this library.
//
//   documents   document id = message id. Terms: "B" word for words that SEARCH BODY sees, "H" word for those
//   that
//               SEARCH TEXT alone sees, "!" when some of the text is not indexed. No positions, no data
//   metadata    "format"        version, of the words as well: how text is decoded, folded and parted
//               "identity"      which history of the account the message ids belong to
//               "high"          decimal: every message up to this id is indexed or was gone
//               "words/" n      the dictionary in chunks: LF word LF word ... LF. Each word that some term
//               has is in
//                               it, so that words which contain a pattern are found by walking over plain
//                               bytes
//
// Everything changes in one Xapian transaction, so a crash leaves a whole state with its own "high".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mailstead::fulltext::format {

inline constexpr std::string_view kVersion = "1";
inline constexpr char kBody = 'B';
inline constexpr char kHeader = 'H';
inline constexpr const char* kPartial = "!";
inline constexpr const char* kFormatKey = "format";
inline constexpr const char* kIdentityKey = "identity";
inline constexpr const char* kHighKey = "high";
inline constexpr std::size_t kChunk = 64 * 1024;  // of the dictionary

inline std::string chunk_key(std::size_t n) {
    return "words/" + std::to_string(n);
}
inline std::string term(char scope, std::string_view word) {
    std::string out(1, scope);
    out += word;
    return out;
}

}  // namespace mailstead::fulltext::format
