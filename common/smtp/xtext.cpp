#include "common/smtp/xtext.h"

#include <charconv>
#include <cstdint>

#include "common/base/text.h"

namespace mailstead::smtp {
namespace {

// xchar = any ASCII from "!" to "~" except "+" and "="
bool is_xchar(char c) {
    return c > 0x20 && c < 0x7F && c != '+' && c != '=';
}

std::optional<std::uint32_t> parse_hex(std::string_view digits) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

void append_hex(std::uint32_t value, std::string& out) {
    char digits[8];
    const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
    if (end - digits == 1) out += '0';
    out += text::upper(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

void append_utf8(std::uint32_t c, std::string& out) {
    const auto byte = [&out](std::uint32_t b) { out += static_cast<char>(b); };
    if (c < 0x80) {
        byte(c);
    } else if (c < 0x800) {
        byte(0xC0 | (c >> 6));
        byte(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        byte(0xE0 | (c >> 12));
        byte(0x80 | ((c >> 6) & 0x3F));
        byte(0x80 | (c & 0x3F));
    } else {
        byte(0xF0 | (c >> 18));
        byte(0x80 | ((c >> 12) & 0x3F));
        byte(0x80 | ((c >> 6) & 0x3F));
        byte(0x80 | (c & 0x3F));
    }
}

// One code point of well-formed UTF-8, cut off `rest`.
std::uint32_t next_code_point(std::string_view& rest) {
    const auto byte = [&rest](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(rest[i]));
    };
    const std::uint32_t first = byte(0);
    const std::size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    std::uint32_t c = size == 1 ? first : first & (0xFFu >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) c = (c << 6) | (byte(i) & 0x3F);
    rest.remove_prefix(size);
    return c;
}

// `\x{HEX}` at the start of `rest`, cut off.
std::optional<std::uint32_t> take_escape(std::string_view& rest) {
    const std::size_t close = rest.find('}');
    if (rest.substr(0, 3) != "\\x{" || close == std::string_view::npos || close > 9) return std::nullopt;
    const auto c = parse_hex(rest.substr(3, close - 3));
    if (!c || *c > 0x10FFFF || (*c >= 0xD800 && *c < 0xE000) || *c < 0x20 || *c == 0x7F) return std::nullopt;
    rest.remove_prefix(close + 1);
    return c;
}

}  // namespace

std::string encode_xtext(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    for (const char c : bytes) {
        if (is_xchar(c)) {
            out += c;
        } else {
            out += '+';
            append_hex(static_cast<unsigned char>(c), out);
        }
    }
    return out;
}

std::optional<std::string> decode_xtext(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_xchar(text[i])) {
            out += text[i];
            continue;
        }
        const auto value =
            text[i] == '+' && i + 2 < text.size() ? parse_hex(text.substr(i + 1, 2)) : std::nullopt;
        if (!value) return std::nullopt;
        out += static_cast<char>(*value);
        i += 2;
    }
    return out;
}

std::string encode_utf8_address(std::string_view utf8) {
    std::string out;
    if (!text::is_utf8(utf8)) return encode_xtext(utf8);
    while (!utf8.empty()) {
        const std::uint32_t c = next_code_point(utf8);
        // RFC 6533, 3: QCHAR is printable ASCII but for "+", "=" and "\".
        if (c < 0x80 && is_xchar(static_cast<char>(c)) && c != '\\') {
            out += static_cast<char>(c);
        } else {
            out += "\\x{";
            append_hex(c, out);
            out += '}';
        }
    }
    return out;
}

std::optional<std::string> decode_utf8_address(std::string_view text) {
    if (!text::is_utf8(text)) return std::nullopt;
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const char c = text.front();
        if (c == '\\') {
            const auto escaped = take_escape(text);
            if (!escaped) return std::nullopt;
            append_utf8(*escaped, out);
        } else if (is_xchar(c) || static_cast<unsigned char>(c) >= 0x80) {
            out += c;
            text.remove_prefix(1);
        } else {
            return std::nullopt;
        }
    }
    return out;
}

}  // namespace mailstead::smtp
