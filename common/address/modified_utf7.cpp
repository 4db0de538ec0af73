#include "common/address/modified_utf7.h"

#include <cstdint>

#include "common/base/text.h"

namespace mailstead {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

void append_utf8(std::string& out, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | code >> 6);
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3F));
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

// Takes one code point off well-formed UTF-8.
std::uint32_t next_code_point(std::string_view& s) {
    const auto lead = static_cast<unsigned char>(s[0]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    std::uint32_t code = length == 1 ? lead : lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(s[i]) & 0x3F);
    s.remove_prefix(length);
    return code;
}

// Collects UTF-16 units out of one "&...-" run.
class Utf16Collector {
public:
    explicit Utf16Collector(std::string& out) : out_(out) {}
    bool unit(std::uint32_t u) {
        if (u >= 0xD800 && u < 0xDC00) {
            if (high_ != 0) return false;
            high_ = u;
            return true;
        }
        if (u >= 0xDC00 && u < 0xE000) {
            if (high_ == 0) return false;
            append_utf8(out_, 0x10000 + ((high_ - 0xD800) << 10) + (u - 0xDC00));
            high_ = 0;
            return true;
        }
        if (high_ != 0 || (u >= 0x20 && u < 0x7F)) return false;  // printable ASCII stands for itself
        append_utf8(out_, u);
        return true;
    }
    bool complete() const { return high_ == 0; }

private:
    std::string& out_;
    std::uint32_t high_ = 0;
};

bool decode_run(std::string_view run, std::string& out) {
    Utf16Collector units(out);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : run) {
        const std::size_t digit = kAlphabet.find(c);
        if (digit == std::string_view::npos) return false;
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        held += 6;
        if (held < 16) continue;
        held -= 16;
        if (!units.unit(bits >> held & 0xFFFF)) return false;
        bits &= (1U << held) - 1;
    }
    return held < 6 && bits == 0 && units.complete();
}

void encode_run(const std::string& utf16, std::string& out) {
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : utf16) {
        bits = bits << 8 | static_cast<unsigned char>(c);
        held += 8;
        while (held >= 6) {
            held -= 6;
            out += kAlphabet[bits >> held & 0x3F];
        }
        bits &= (1U << held) - 1;
    }
    if (held > 0) out += kAlphabet[bits << (6 - held) & 0x3F];
}

}  // namespace

Parsed<std::string> decode_modified_utf7(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c < 0x20 || c == 0x7F) return ParseError{"character not allowed in a mailbox name", i};
        if (c != '&') {
            out += c;
            continue;
        }
        const std::size_t end = text.find('-', i);
        if (end == std::string_view::npos) return ParseError{"\"&\" without \"-\" in a mailbox name", i};
        const std::string_view run = text.substr(i + 1, end - i - 1);
        if (run.empty()) {
            out += '&';
        } else if (!decode_run(run, out)) {
            return ParseError{"malformed modified UTF-7 in a mailbox name", i};
        }
        i = end;
    }
    return out;
}

std::string encode_modified_utf7(std::string_view utf8) {
    std::string out;
    std::string pending;  // big-endian UTF-16 not yet written
    const auto flush = [&] {
        if (pending.empty()) return;
        out += '&';
        encode_run(pending, out);
        out += '-';
        pending.clear();
    };
    const auto put_unit = [&](std::uint32_t u) {
        pending += static_cast<char>(u >> 8);
        pending += static_cast<char>(u & 0xFF);
    };
    while (!utf8.empty()) {
        const std::uint32_t code = next_code_point(utf8);
        if (code >= 0x20 && code < 0x7F) {
            flush();
            out += static_cast<char>(code);
            if (code == '&') out += '-';
        } else if (code < 0x10000) {
            put_unit(code);
        } else {
            put_unit(0xD800 + ((code - 0x10000) >> 10));
            put_unit(0xDC00 + ((code - 0x10000) & 0x3FF));
        }
    }
    flush();
    return out;
}

}  // namespace mailstead
