#include "imapd/proto/lexer.h"

#include <array>

#include "common/base/text.h"

namespace mailstead::imapd::proto {
namespace {

enum : unsigned char { kAtom = 1, kAString = 2, kList = 4, kTag = 8, kWord = 16 };

// ATOM-CHAR is any CHAR except ( ) { SP CTL % * " \ ]; astrings and tags may hold "]", lists the wildcards.
constexpr std::array<unsigned char, 256> make_classes() {
    std::array<unsigned char, 256> classes{};
    for (unsigned c = 0x21; c < 0x7F; ++c) {
        const char ch = static_cast<char>(c);
        if (ch == '(' || ch == ')' || ch == '{' || ch == '"' || ch == '\\') continue;
        if (ch == '%' || ch == '*') {
            classes[c] = kList;
            continue;
        }
        classes[c] = kAString | kList | kTag;
        if (ch != ']') classes[c] |= kAtom;
        if (ch == '+') classes[c] &= static_cast<unsigned char>(~kTag);
        const bool word = text::is_alpha(ch) || text::is_digit(ch) || ch == '.' || ch == '-' || ch == '_';
        if (word) classes[c] |= kWord;
    }
    return classes;
}
constexpr auto kClasses = make_classes();

constexpr bool is(char c, unsigned char which) {
    return (kClasses[static_cast<unsigned char>(c)] & which) != 0;
}

}  // namespace

template <class Accept>
std::string_view Lexer::run(Accept accept) {
    const std::size_t start = at_;
    while (at_ < text_.size() && accept(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
}

bool Lexer::take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
}

bool Lexer::take_word(std::string_view word) {
    const std::string_view rest = text_.substr(at_);
    if (!text::istarts_with(rest, word)) return false;
    if (rest.size() > word.size() && is(rest[word.size()], kWord)) return false;
    at_ += word.size();
    return true;
}

Parsed<void> Lexer::expect(char c, std::string_view otherwise) {
    if (!take(c)) return error(otherwise);
    return {};
}

Parsed<void> Lexer::end() {
    run([](char c) { return c == ' '; });
    if (!at_end()) return error("unexpected text at the end");
    return {};
}

Parsed<std::string_view> Lexer::tag() {
    const std::string_view found = run([](char c) { return is(c, kTag); });
    if (found.empty()) return error("tag expected");
    return found;
}

Parsed<std::string_view> Lexer::atom() {
    const std::string_view found = run([](char c) { return is(c, kAtom); });
    if (found.empty()) return error("atom expected");
    return found;
}

Parsed<std::string_view> Lexer::word() {
    const std::string_view found = run([](char c) { return is(c, kWord); });
    if (found.empty()) return error("keyword expected");
    return found;
}

Parsed<std::string> Lexer::astring() {
    if (peek() == '"' || peek() == '{') return string();
    const std::string_view found = run([](char c) { return is(c, kAString); });
    if (found.empty()) return error("string expected");
    return std::string(found);
}

Parsed<std::string> Lexer::string() {
    if (peek() == '"') return quoted();
    if (peek() == '{') return literal();
    return error("string expected");
}

Parsed<std::optional<std::string>> Lexer::nstring() {
    if (take_word("NIL")) return std::optional<std::string>();
    TRY(value, string());
    return std::optional<std::string>(std::move(value));
}

Parsed<std::string> Lexer::list_mailbox() {
    if (peek() == '"' || peek() == '{') return string();
    const std::string_view found = run([](char c) { return is(c, kList); });
    if (found.empty()) return error("mailbox pattern expected");
    return std::string(found);
}

// quoted = DQUOTE *QUOTED-CHAR DQUOTE
// QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
Parsed<std::string> Lexer::quoted() {
    ++at_;
    std::string value;
    for (;;) {
        const std::string_view plain =
            run([](char c) { return c != '"' && c != '\\' && c != '\r' && c != '\n' && c != '\0'; });
        value.append(plain);
        if (take('"')) return value;
        if (!take('\\')) return error("unterminated quoted string");
        if (peek() != '"' && peek() != '\\') return error("only \" and \\ can follow a backslash");
        value += text_[at_++];
    }
}

// literal = "{" number64 ["+"] "}" CRLF *CHAR8
Parsed<std::string> Lexer::literal() {
    TRY(announced, announcement());
    if (announced.size > text_.size() - at_) return error("literal is cut short");
    const std::string_view bytes = text_.substr(at_, static_cast<std::size_t>(announced.size));
    if (bytes.find('\0') != std::string_view::npos) return error("NUL in a literal");  // RFC 9051, 4.3
    at_ += bytes.size();
    return std::string(bytes);
}

Parsed<std::string> Lexer::literal8() {
    if (peek() != '~') return error("literal8 expected");
    TRY(announced, announcement());
    if (announced.size > text_.size() - at_) return error("literal is cut short");
    std::string bytes(text_.substr(at_, static_cast<std::size_t>(announced.size)));
    at_ += bytes.size();
    return bytes;
}

Parsed<StreamedLiteral> Lexer::streamed_literal() {
    return announcement();
}

Parsed<StreamedLiteral> Lexer::announcement() {
    StreamedLiteral found;
    found.binary = take('~');
    TRY_VOID(expect('{', "literal expected"));
    TRY(size, number64());
    found.size = size;
    (void)take('+');
    if (!text_.substr(at_).starts_with("}\r\n")) return error("malformed literal");
    at_ += 3;
    return found;
}

Parsed<std::uint32_t> Lexer::number() {
    const std::size_t start = at_;
    const auto value = text::parse_number<std::uint32_t>(run(text::is_digit));
    if (!value) return ParseError("number expected", start);
    return *value;
}

Parsed<std::uint32_t> Lexer::nz_number() {
    const std::size_t start = at_;
    if (peek() == '0') return error("number above zero expected");
    const auto value = text::parse_number<std::uint32_t>(run(text::is_digit));
    if (!value) return ParseError("number above zero expected", start);
    return *value;
}

Parsed<std::uint64_t> Lexer::number64() {
    const std::size_t start = at_;
    const auto value = text::parse_number<std::uint64_t>(run(text::is_digit));
    if (!value || *value > INT64_MAX) return ParseError("number expected", start);
    return *value;
}

}  // namespace mailstead::imapd::proto
