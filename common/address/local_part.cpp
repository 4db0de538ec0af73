#include "common/address/local_part.h"

#include "common/base/text.h"

namespace mailstead {
namespace {

constexpr std::size_t kMaxLocalPart = 255;

// atext (RFC 5322, 3.2.3) or a byte of UTF-8 (RFC 6531, 3.3)
bool is_atext(char c) {
    constexpr std::string_view kSpecials = "!#$%&'*+-/=?^_`{|}~";
    return text::is_alpha(c) || text::is_digit(c) || kSpecials.find(c) != std::string_view::npos ||
           static_cast<unsigned char>(c) >= 0x80;
}

// Dot-string = Atom *("." Atom)
bool is_dot_string(std::string_view s) {
    if (s.empty() || s.front() == '.' || s.back() == '.') return false;
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (s[i] == '.' ? s[i - 1] == '.' : !is_atext(s[i])) return false;
    }
    return true;
}

// Quoted-string = DQUOTE *(qtextSMTP / quoted-pairSMTP) DQUOTE
Parsed<std::string> parse_quoted(std::string_view s) {
    if (s.size() < 2 || s.back() != '"') return ParseError{"quoted local part is not closed", s.size()};
    std::string decoded;
    for (std::size_t i = 1; i + 1 < s.size(); ++i) {
        char c = s[i];
        if (c == '"') return ParseError{"quote inside a quoted local part", i};
        if (c == '\\') {
            if (++i + 1 >= s.size()) return ParseError{"quoted local part is not closed", i};
            c = s[i];
        }
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F) return ParseError{"control character in a local part", i};
        decoded += c;
    }
    return decoded;
}

}  // namespace

Parsed<LocalPart> LocalPart::parse(std::string_view wire) {
    if (wire.empty()) return ParseError{"local part is empty", 0};
    if (wire.size() > kMaxLocalPart) return ParseError{"local part is too long", kMaxLocalPart};
    if (!text::is_utf8(wire)) return ParseError{"local part is not UTF-8", 0};
    if (wire.front() == '"') {
        TRY(decoded, parse_quoted(wire));
        return LocalPart(std::move(decoded));
    }
    if (!is_dot_string(wire)) return ParseError{"malformed local part", 0};
    return LocalPart(std::string(wire));
}

std::string LocalPart::wire() const {
    if (is_dot_string(decoded_)) return decoded_;
    std::string out = "\"";
    for (const char c : decoded_) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

bool LocalPart::is_ascii() const {
    return text::is_ascii(decoded_);
}

std::string LocalPart::folded() const {
    return text::lower(decoded_);
}

}  // namespace mailstead
