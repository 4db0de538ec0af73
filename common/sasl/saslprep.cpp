#include "common/sasl/saslprep.h"

#include <stringprep.h>

#include "common/base/text.h"

namespace mailstead::sasl {
namespace {

constexpr std::size_t kMaxInput = 1024;
// A code point may decompose into several under NFKC; the longest grows eighteenfold, but rarely: what does
// not fit is refused.
constexpr std::size_t kMaxOutput = 4 * kMaxInput;

bool is_printable_ascii(std::string_view s) {
    for (const char c : s) {
        if (c < 0x20 || c >= 0x7F) return false;
    }
    return true;
}

}  // namespace

Parsed<std::string> saslprep(std::string_view utf8, Spelling spelling) {
    if (utf8.size() > kMaxInput) return ParseError{"too long", kMaxInput};
    if (is_printable_ascii(utf8)) return std::string(utf8);
    if (utf8.find('\0') != std::string_view::npos || !text::is_utf8(utf8)) return ParseError{"not UTF-8", 0};
    std::string buffer(kMaxOutput, '\0');
    buffer.replace(0, utf8.size(), utf8);
    const auto flags = spelling == Spelling::stored ? STRINGPREP_NO_UNASSIGNED : Stringprep_profile_flags{};
    const int status = stringprep(buffer.data(), buffer.size(), flags, stringprep_saslprep);
    std::string out = status == STRINGPREP_OK ? std::string(buffer.c_str()) : std::string();
    wipe(buffer);
    if (status != STRINGPREP_OK) return ParseError{"a character that SASLprep forbids", 0};
    return out;
}

Secret prepare_password(std::string_view password) {
    auto prepared = saslprep(password, Spelling::query);
    if (!prepared || prepared->empty()) return Secret(password);
    std::string bytes = *std::move(prepared);
    return Secret::take(bytes);
}

}  // namespace mailstead::sasl
