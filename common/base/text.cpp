#include "common/base/text.h"

#include <algorithm>
#include <bit>
#include <stdexcept>

#include <boost/throw_exception.hpp>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "common/base/result.h"

namespace mailstead {

void throw_exception_from_error(const ParseError& error, const boost::source_location& where) {
    boost::throw_exception(std::logic_error("unchecked ParseError: " + std::string(error.what)), where);
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
    boost::throw_exception(std::logic_error("unchecked Error: " + error.what), where);
}

namespace text {

std::string lower(std::string_view s) {
    std::string out(s);
    std::transform(out.begin(), out.end(), out.begin(), to_lower);
    return out;
}

std::string upper(std::string_view s) {
    std::string out(s);
    std::transform(out.begin(), out.end(), out.begin(), to_upper);
    return out;
}

bool iequals(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                              [](char x, char y) { return to_lower(x) == to_lower(y); });
}

bool istarts_with(std::string_view s, std::string_view prefix) {
    return s.size() >= prefix.size() && iequals(s.substr(0, prefix.size()), prefix);
}

#ifdef __SSE2__
namespace {

// One character, in either case.
class Probe {
public:
    explicit Probe(char c)
        : bit_(_mm_set1_epi8(is_alpha(c) ? 0x20 : 0)), wanted_(_mm_or_si128(_mm_set1_epi8(c), bit_)) {}
    // Bit n: it is the n-th of these sixteen.
    unsigned fits(const char* sixteen) const {
        const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(sixteen));
        return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_or_si128(block, bit_), wanted_)));
    }

private:
    __m128i bit_;  // what tells lower case from upper
    __m128i wanted_;
};

}  // namespace
#endif

std::size_t ifind(std::string_view haystack, std::string_view needle) {
    if (needle.empty()) return 0;
    if (haystack.size() < needle.size()) return std::string_view::npos;
    const std::size_t starts = haystack.size() - needle.size() + 1;
    std::size_t at = 0;
#ifdef __SSE2__
    // Sixteen starts at a time: those where the first and the last character fit are looked at.
    const Probe first(needle.front());
    const Probe last(needle.back());
    for (; at + 16 <= starts; at += 16) {
        unsigned fits =
            first.fits(haystack.data() + at) & last.fits(haystack.data() + at + needle.size() - 1);
        for (; fits != 0; fits &= fits - 1) {
            const std::size_t start = at + static_cast<unsigned>(std::countr_zero(fits));
            if (iequals(haystack.substr(start, needle.size()), needle)) return start;
        }
    }
#endif
    for (; at < starts; ++at) {
        if (iequals(haystack.substr(at, needle.size()), needle)) return at;
    }
    return std::string_view::npos;
}

std::string_view trim(std::string_view s) {
    constexpr std::string_view kBlank = " \t\r\n";
    const std::size_t first = s.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return {};
    return s.substr(first, s.find_last_not_of(kBlank) - first + 1);
}

std::string_view next_field(std::string_view& rest, char separator) {
    const std::size_t end = rest.find(separator);
    const std::string_view field = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    return field;
}

namespace {

// The length of the well-formed UTF-8 sequence at the start of `s`, or 0 (RFC 3629, 4).
std::size_t utf8_sequence(std::string_view s) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
    const auto tail = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
        return i < s.size() && byte(i) >= low && byte(i) <= high;
    };
    const unsigned lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
        const unsigned high = lead == 0xED ? 0x9F : 0xBF;
        return tail(1, low, high) && tail(2) ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
        const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
        return tail(1, low, high) && tail(2) && tail(3) ? 4 : 0;
    }
    return 0;
}

constexpr char kHexDigits[] = "0123456789abcdef";

void append_escaped(std::string& out, char c) {
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 15];
}

std::optional<unsigned> hex_value(char c) {
    if (is_digit(c)) return static_cast<unsigned>(c - '0');
    const char folded = to_lower(c);
    if (folded >= 'a' && folded <= 'f') return static_cast<unsigned>(folded - 'a' + 10);
    return std::nullopt;
}

}  // namespace

bool is_utf8(std::string_view s) {
    while (!s.empty()) {
        const std::size_t length = utf8_sequence(s);
        if (length == 0) return false;
        s.remove_prefix(length);
    }
    return true;
}

std::string quote_for_log(std::string_view s, std::size_t limit) {
    std::string out;
    out.reserve(std::min(s.size(), limit) + 8);
    const std::size_t end = std::min(s.size(), limit);
    std::size_t i = 0;
    while (i < end) {
        const char c = s[i];
        const std::size_t length = utf8_sequence(s.substr(i));
        const bool plain = length > 1 || (length == 1 && c >= ' ' && c != 0x7F && c != '"' && c != '\\');
        if (plain) {
            out.append(s.substr(i, length));
        } else {
            append_escaped(out, c);
        }
        i += length == 0 ? 1 : length;
    }
    if (i < s.size()) out += "...";
    return out;
}

std::string hex(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += kHexDigits[byte >> 4];
        out += kHexDigits[byte & 15];
    }
    return out;
}

std::optional<std::string> unhex(std::string_view digits) {
    if (digits.size() % 2 != 0) return std::nullopt;
    std::string out;
    out.reserve(digits.size() / 2);
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        const auto high = hex_value(digits[i]);
        const auto low = hex_value(digits[i + 1]);
        if (!high || !low) return std::nullopt;
        out += static_cast<char>(*high << 4 | *low);
    }
    return out;
}

}  // namespace text
}  // namespace mailstead
