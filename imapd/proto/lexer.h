// The smallest pieces of the IMAP grammar (RFC 9051, 9), read from one framed command. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace mailstead::imapd::proto {

// Parentheses may nest this deep, wherever the grammar lets them nest.
inline constexpr unsigned kMaxNesting = 32;

// A literal whose bytes went past the framer in a stream.
struct StreamedLiteral {
    std::uint64_t size = 0;
    bool binary = false;
};

class Lexer {
public:
    explicit Lexer(std::string_view frame) : text_(frame) {}

    bool at_end() const { return at_ == text_.size(); }
    std::size_t offset() const { return at_; }
    // The next byte, NUL at the end.
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    ParseError error(std::string_view what) const { return ParseError(what, at_); }

    bool take(char c);
    // Takes `word` (any case) if it stands here as a whole word, that is, not followed by a letter, digit,
    // "-", "_" or ".".
    bool take_word(std::string_view word);

    Parsed<void> expect(char c, std::string_view otherwise);
    Parsed<void> space() { return expect(' ', "space expected"); }
    // Nothing but spaces, which some clients leave at the end.
    Parsed<void> end();

    // tag = 1*<any ASTRING-CHAR except "+">
    Parsed<std::string_view> tag();
    // atom = 1*ATOM-CHAR
    Parsed<std::string_view> atom();
    // 1*(ALPHA / DIGIT / "." / "-" / "_"): a keyword of the grammar that may be followed by "[".
    Parsed<std::string_view> word();
    // astring = 1*ASTRING-CHAR / string
    Parsed<std::string> astring();
    // string = quoted / literal
    Parsed<std::string> string();
    // nstring = string / nil
    Parsed<std::optional<std::string>> nstring();
    // list-mailbox = 1*list-char / string
    Parsed<std::string> list_mailbox();
    // number = 1*DIGIT   ; (0 <= n < 4,294,967,296)
    Parsed<std::uint32_t> number();
    // nz-number = digit-nz *DIGIT
    Parsed<std::uint32_t> nz_number();
    // number64 = 1*DIGIT   ; (0 <= n <= 9,223,372,036,854,775,807)
    Parsed<std::uint64_t> number64();
    // literal8 = "~{" number64 ["+"] "}" CRLF *OCTET: NUL too
    Parsed<std::string> literal8();
    // literal / literal8, of which only the announcement is in the frame.
    Parsed<StreamedLiteral> streamed_literal();

private:
    Parsed<std::string> quoted();
    Parsed<std::string> literal();
    Parsed<StreamedLiteral> announcement();
    template <class Accept>
    std::string_view run(Accept accept);

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace mailstead::imapd::proto
