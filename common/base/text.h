// ASCII text as protocols use it. Nothing here depends on the locale.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailstead::text {

constexpr char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr char to_upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_space(char c) {
    return c == ' ' || c == '\t';
}
constexpr bool is_ascii(std::string_view s) {
    for (const char c : s) {
        if (static_cast<unsigned char>(c) >= 0x80) return false;
    }
    return true;
}

// ASCII letters folded; other bytes as they are.
std::string lower(std::string_view s);
std::string upper(std::string_view s);

// Equality, prefix and search with ASCII letters folded.
bool iequals(std::string_view a, std::string_view b);
bool istarts_with(std::string_view s, std::string_view prefix);
std::size_t ifind(std::string_view haystack, std::string_view needle);

// Without leading and trailing spaces, tabs, CRs and LFs.
std::string_view trim(std::string_view s);

// Cuts up to the first `separator` off `rest`; the last piece is all that was left.
std::string_view next_field(std::string_view& rest, char separator);

// All of `s` as a decimal number (no sign, no spaces) that fits Number; nullopt otherwise.
template <std::unsigned_integral Number>
std::optional<Number> parse_number(std::string_view s) {
    if (s.empty() || !is_digit(s.front())) return std::nullopt;
    Number number{};
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), number);
    if (error != std::errc{} || end != s.data() + s.size()) return std::nullopt;
    return number;
}

// Whether `s` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view s);

// Peer text made safe for one log or reply line: control characters, quotes, backslashes and invalid UTF-8
// become \xNN, and anything past `limit` bytes becomes "...".
std::string quote_for_log(std::string_view s, std::size_t limit = 256);

// Lower-case hexadecimal, two digits a byte.
std::string hex(std::string_view bytes);
std::optional<std::string> unhex(std::string_view digits);

}  // namespace mailstead::text
