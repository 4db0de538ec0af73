#include "common/mime/transfer_encoding.h"

#include <array>
#include <optional>

#include "common/base/base64.h"
#include "common/base/text.h"

namespace mailstead::mime {
namespace {

constexpr std::uint8_t kNotBase64 = 0xFF;
constexpr std::size_t kMaxHeld = 1024;  // a quoted-printable line has at most 76 characters

constexpr std::array<std::uint8_t, 256> base64_values() {
    std::array<std::uint8_t, 256> table{};
    table.fill(kNotBase64);
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return table;
}
constexpr auto kBase64 = base64_values();

std::uint8_t base64_value(char c) {
    return kBase64[static_cast<unsigned char>(c)];
}

std::optional<unsigned> hex_digit(char c) {
    if (text::is_digit(c)) return static_cast<unsigned>(c - '0');
    const char folded = text::to_lower(c);
    if (folded >= 'a' && folded <= 'f') return static_cast<unsigned>(folded - 'a' + 10);
    return std::nullopt;
}

// The bytes that 2, 3 or 4 characters stand for.
void put_group(std::uint32_t bits, unsigned characters, std::string& out) {
    bits <<= 6 * (4 - characters);
    for (unsigned i = 1; i < characters; ++i) out += static_cast<char>(bits >> (24 - 8 * i) & 0xFF);
}

// qp-section without its trailing blanks: "=" 2HEXDIG is one byte, anything else stands for itself.
void unescape(std::string_view s, std::string& out) {
    while (!s.empty()) {
        const std::size_t plain = std::min(s.find('='), s.size());
        out.append(s.substr(0, plain));
        s.remove_prefix(plain);
        if (s.empty()) return;
        const auto high = s.size() >= 3 ? hex_digit(s[1]) : std::nullopt;
        const auto low = s.size() >= 3 ? hex_digit(s[2]) : std::nullopt;
        const bool escape = high && low;
        out += escape ? static_cast<char>(*high << 4 | *low) : '=';
        s.remove_prefix(escape ? 3 : 1);
    }
}

std::string_view without_trailing_blanks(std::string_view s) {
    while (!s.empty() && (text::is_space(s.back()) || s.back() == '\r')) s.remove_suffix(1);
    return s;
}

}  // namespace

TransferEncoding parse_transfer_encoding(std::string_view value) {
    value = text::trim(value);
    while (value.starts_with('(')) {
        const std::size_t end = value.find(')');
        value = end == std::string_view::npos ? std::string_view{} : text::trim(value.substr(end + 1));
    }
    value = text::trim(value.substr(0, value.find_first_of(" \t\r\n(;")));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        value = value.substr(1, value.size() - 2);
    if (value.empty() || text::iequals(value, "7bit")) return TransferEncoding::seven_bit;
    if (text::iequals(value, "8bit")) return TransferEncoding::eight_bit;
    if (text::iequals(value, "binary")) return TransferEncoding::binary;
    if (text::iequals(value, "base64")) return TransferEncoding::base64;
    if (text::iequals(value, "quoted-printable")) return TransferEncoding::quoted_printable;
    return TransferEncoding::unknown;
}

void TransferDecoder::decode(std::string_view piece, std::string& out) {
    if (encoding_ == TransferEncoding::base64) return decode_base64(piece, out);
    if (encoding_ == TransferEncoding::quoted_printable) return decode_quoted_printable(piece, out);
    out.append(piece);
}

void TransferDecoder::decode_base64(std::string_view piece, std::string& out) {
    out.reserve(out.size() + piece.size() / 4 * 3 + 3);
    for (std::size_t i = 0; i < piece.size(); ++i) {
        while (characters_ == 0 && piece.size() - i >= 4) {
            const std::uint32_t a = base64_value(piece[i]), b = base64_value(piece[i + 1]);
            const std::uint32_t c = base64_value(piece[i + 2]), d = base64_value(piece[i + 3]);
            if (((a | b | c | d) & 0x80) != 0) break;
            const std::uint32_t bits = a << 18 | b << 12 | c << 6 | d;
            const char bytes[3] = {static_cast<char>(bits >> 16), static_cast<char>(bits >> 8),
                                   static_cast<char>(bits)};
            out.append(bytes, 3);
            i += 4;
        }
        if (i >= piece.size()) return;
        const std::uint8_t value = base64_value(piece[i]);
        if (piece[i] == '=' && characters_ > 0) {
            // The end of one encoding; what follows is another, glued on.
            put_group(bits_, characters_, out);
            bits_ = 0;
            characters_ = 0;
        }
        if (value == kNotBase64) continue;
        bits_ = bits_ << 6 | value;
        if (++characters_ == 4) {
            put_group(bits_, 4, out);
            bits_ = 0;
            characters_ = 0;
        }
    }
}

void TransferDecoder::decode_quoted_printable(std::string_view piece, std::string& out) {
    std::string joined;
    if (!held_.empty()) {
        joined = std::move(held_);
        held_.clear();
        joined.append(piece);
        piece = joined;
    }
    std::size_t lf;
    while ((lf = piece.find('\n')) != std::string_view::npos) {
        decode_line(piece.substr(0, lf + 1), out);
        piece.remove_prefix(lf + 1);
    }
    // Blanks, and an escape that is not whole, wait for what follows.
    std::size_t keep = without_trailing_blanks(piece).size();
    for (std::size_t back = 1; back <= 2 && back <= keep; ++back) {
        if (piece[keep - back] == '=') {
            keep -= back;
            break;
        }
    }
    if (piece.size() - keep > kMaxHeld) keep = piece.size();
    unescape(piece.substr(0, keep), out);
    held_.assign(piece.substr(keep));
}

// RFC 2045, 6.7: (3) blanks at the end of a line are not part of the text; (5) "=" there is a soft line
// break.
void TransferDecoder::decode_line(std::string_view line, std::string& out) {
    line.remove_suffix(1);
    const std::string_view line_end = line.ends_with('\r') ? "\r\n" : "\n";
    line = without_trailing_blanks(line);
    if (line.ends_with('=')) return unescape(line.substr(0, line.size() - 1), out);
    unescape(line, out);
    out.append(line_end);
}

void TransferDecoder::finish(std::string& out) {
    if (encoding_ == TransferEncoding::base64 && characters_ > 1) put_group(bits_, characters_, out);
    characters_ = 0;
    bits_ = 0;
    std::string_view rest = without_trailing_blanks(held_);
    if (rest.ends_with('=')) rest.remove_suffix(1);
    unescape(rest, out);
    held_.clear();
}

std::string decode_transfer(std::string_view body, TransferEncoding encoding) {
    std::string out;
    TransferDecoder decoder(encoding);
    decoder.decode(body, out);
    decoder.finish(out);
    return out;
}

std::string encode_base64(std::string_view bytes) {
    constexpr std::size_t kBytesPerLine = 57;  // 76 characters
    std::string out;
    out.reserve(bytes.size() / 3 * 4 + bytes.size() / kBytesPerLine * 2 + 8);
    for (std::size_t i = 0; i < bytes.size(); i += kBytesPerLine) {
        out += base64_encode(bytes.substr(i, kBytesPerLine));
        out += "\r\n";
    }
    return out;
}

namespace {

void encode_line(std::string_view line, std::string& out) {
    constexpr char kHex[] = "0123456789ABCDEF";
    constexpr std::size_t kMaxLine = 75;  // and "="
    std::size_t width = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const auto byte = static_cast<unsigned char>(line[i]);
        const bool last = i + 1 == line.size();
        const bool plain = (byte > ' ' && byte < 0x7F && byte != '=') || (text::is_space(line[i]) && !last);
        const std::size_t size = plain ? 1 : 3;
        if (width + size > kMaxLine) {
            out += "=\r\n";
            width = 0;
        }
        width += size;
        if (plain) {
            out += line[i];
        } else {
            out += '=';
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
    }
}

}  // namespace

std::string encode_quoted_printable(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 8);
    while (!text.empty()) {
        const std::size_t lf = text.find('\n');
        std::string_view line = text.substr(0, lf);
        if (lf != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
        encode_line(line, out);
        if (lf == std::string_view::npos) break;
        out += "\r\n";
        text.remove_prefix(lf + 1);
    }
    return out;
}

std::string to_crlf(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 32);
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
        out.append(text.substr(0, end));
        if (end == text.size()) break;
        out += "\r\n";
        text.remove_prefix(text.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
    }
    return out;
}

}  // namespace mailstead::mime
