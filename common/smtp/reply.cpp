#include "common/smtp/reply.h"

#include <algorithm>
#include <charconv>

#include "common/base/text.h"

namespace mailstead::smtp {
namespace {

constexpr std::size_t kMaxTextWritten = 500;
constexpr std::size_t kMaxLine = 4096;
constexpr std::size_t kMaxLines = 128;
constexpr std::size_t kMaxTotal = 64u << 10;

// RFC 5321, 4.2: textstring = 1*(%d09 / %d32-126); UTF-8 in texts by RFC 6531, 3.7.4.
void append_text(std::string_view text, std::string& out) {
    std::size_t size = std::min(text.size(), kMaxTextWritten);
    // Not in the middle of a UTF-8 character.
    while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
    for (const char c : text.substr(0, size)) {
        const auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7F ? ' ' : c;
    }
}

void append_number(int number, std::string& out) {
    char digits[12];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.append(digits, end);
}

// Cuts `5.1.1 ` off the front of `text` when it stands there and its class is that of `code`.
std::optional<EnhancedCode> take_enhanced(int code, std::string_view& text) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const auto enhanced = EnhancedCode::parse(text.substr(0, space));
    if (!enhanced || enhanced->kind != code / 100) return std::nullopt;
    text.remove_prefix(std::min(space + 1, text.size()));
    return enhanced;
}

// Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF   (RFC 5321, 4.2)
enum class Position { last, not_last };
void write_line(int code, std::optional<EnhancedCode> enhanced, std::string_view text, Position position,
                std::string& out) {
    append_number(code, out);
    out += position == Position::last ? ' ' : '-';
    if (enhanced) {
        append_number(enhanced->kind, out);
        out += '.';
        append_number(enhanced->subject, out);
        out += '.';
        append_number(enhanced->detail, out);
        out += ' ';
    }
    append_text(text, out);
    out += "\r\n";
}

}  // namespace

std::string EnhancedCode::to_string() const {
    return std::to_string(kind) + "." + std::to_string(subject) + "." + std::to_string(detail);
}

// status-code = class "." subject "." detail; subject and detail = 1*3digit   (RFC 2034, 4)
std::optional<EnhancedCode> EnhancedCode::parse(std::string_view text) {
    if (text.size() < 5 || text.size() > 9 || text[1] != '.') return std::nullopt;
    if (text[0] != '2' && text[0] != '4' && text[0] != '5') return std::nullopt;
    std::string_view rest = text.substr(2);
    const std::string_view subject_digits = text::next_field(rest, '.');
    if (subject_digits.size() > 3 || rest.size() > 3) return std::nullopt;
    const auto subject = text::parse_number<std::uint16_t>(subject_digits);
    const auto detail = text::parse_number<std::uint16_t>(rest);
    if (!subject || !detail) return std::nullopt;
    return EnhancedCode{static_cast<std::uint8_t>(text[0] - '0'), *subject, *detail};
}

std::string Reply::to_text(std::size_t limit) const {
    std::string joined;
    for (const std::string& line : lines) {
        if (!joined.empty()) joined += " / ";
        joined += line;
        if (joined.size() > limit) break;
    }
    std::string out = std::to_string(code);
    if (enhanced) out.append(" ").append(enhanced->to_string());
    if (!joined.empty()) out.append(" ").append(text::quote_for_log(joined, limit));
    return out;
}

void write_reply(const Reply& reply, std::string& out) {
    const std::size_t count = std::max<std::size_t>(reply.lines.size(), 1);
    for (std::size_t i = 0; i < count; ++i) {
        const std::string_view text =
            i < reply.lines.size() ? std::string_view(reply.lines[i]) : std::string_view{};
        write_line(reply.code, reply.enhanced, text, i + 1 < count ? Position::not_last : Position::last,
                   out);
    }
}

void write_reply(int code, std::optional<EnhancedCode> enhanced, std::string_view text, std::string& out) {
    write_line(code, enhanced, text, Position::last, out);
}

Parsed<std::size_t> ReplyParser::feed(std::string_view in) {
    std::size_t used = 0;
    while (!done_ && used < in.size()) {
        const std::size_t newline = in.find('\n', used);
        const std::size_t end = newline == std::string_view::npos ? in.size() : newline;
        if (line_.size() + (end - used) > kMaxLine) return ParseError("Reply line too long", used);
        total_ += end - used;
        if (total_ > kMaxTotal) return ParseError("Reply too long", used);
        line_.append(in, used, end - used);
        used = end;
        if (newline == std::string_view::npos) break;
        ++used;
        TRY_VOID(line_complete());
    }
    return used;
}

Parsed<bool> ReplyParser::line_complete() {
    std::string_view line = line_;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    // RFC 5321, 4.2: three digits, then a space, a hyphen, or nothing.
    const auto code = text::parse_number<std::uint16_t>(line.substr(0, 3));
    if (line.size() < 3 || !code || *code < 200 || *code > 599) return ParseError("Not an SMTP reply", 0);
    const char separator = line.size() > 3 ? line[3] : ' ';
    if (separator != ' ' && separator != '-') return ParseError("Not an SMTP reply", 3);
    if (!reply_.lines.empty() && reply_.code != *code)
        return ParseError("Reply codes of one reply differ", 0);
    if (reply_.lines.size() >= kMaxLines) return ParseError("Reply has too many lines", 0);
    std::string_view rest = line.size() > 4 ? line.substr(4) : std::string_view{};
    const auto enhanced = take_enhanced(*code, rest);
    if (reply_.lines.empty()) reply_.enhanced = enhanced;
    reply_.code = *code;
    reply_.lines.emplace_back(rest);
    done_ = separator == ' ';
    line_.clear();
    return true;
}

Reply ReplyParser::take() {
    Reply reply = std::move(reply_);
    *this = ReplyParser();
    return reply;
}

}  // namespace mailstead::smtp
