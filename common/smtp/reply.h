// SMTP replies, built by the server and parsed by the relay (RFC 5321, 4.2; enhanced codes RFC 2034, RFC
// 3463, RFC 5248).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace mailstead::smtp {

// class "." subject "." detail: `5.1.1`. The class is the first digit of the reply code.
struct EnhancedCode {
    std::uint8_t kind = 0;  // 2, 4 or 5
    std::uint16_t subject = 0;
    std::uint16_t detail = 0;
    friend auto operator<=>(const EnhancedCode&, const EnhancedCode&) = default;

    std::string to_string() const;
    // `5.1.1` and nothing else.
    static std::optional<EnhancedCode> parse(std::string_view text);
};

struct Reply {
    int code = 0;  // 200-599
    std::optional<EnhancedCode> enhanced;
    std::vector<std::string> lines;  // texts without codes; at least one, maybe empty

    Reply() = default;
    Reply(int reply_code, std::string text) : code(reply_code), lines{std::move(text)} {}
    Reply(int reply_code, EnhancedCode enhanced_code, std::string text)
        : code(reply_code), enhanced(enhanced_code), lines{std::move(text)} {}

    bool positive() const { return code >= 200 && code < 300; }
    bool intermediate() const { return code >= 300 && code < 400; }
    bool transient() const { return code >= 400 && code < 500; }
    bool permanent() const { return code >= 500 && code < 600; }

    // `550 5.1.1 No such user here`: one line for logs, the ledger and Diagnostic-Code; lines joined by " /
    // ", control and invalid bytes escaped, at most `limit` bytes of text.
    std::string to_text(std::size_t limit = 512) const;
};

// Appends the reply with its CRLFs to `out`; the enhanced code stands on every line (RFC 2034, 4). CR, LF and
// control characters in texts become spaces; a text over 500 bytes is cut at a character.
void write_reply(const Reply& reply, std::string& out);
// The same for one line, without an allocation of its own.
void write_reply(int code, std::optional<EnhancedCode> enhanced, std::string_view text, std::string& out);

// Collects one reply from a peer's bytes, however they are cut. Lines of at most 4,096 bytes (RFC 5321 says
// 512; longer ones are seen), at most 128 lines and 64 KiB in all. A bare LF ends a line as well: this is
// what the peer said, not mail.
class ReplyParser {
public:
    // Consumes from `in` up to the end of one reply and returns how many bytes it took. Look at `done()`
    // afterwards; when it is true, call `take()` before feeding more. Error: the peer does not speak SMTP, or
    // a limit was passed; the parser is useless then.
    Parsed<std::size_t> feed(std::string_view in);
    bool done() const { return done_; }
    // The reply; the parser starts afresh.
    Reply take();

private:
    Parsed<bool> line_complete();
    Reply reply_;
    std::string line_;
    std::size_t total_ = 0;
    bool done_ = false;
};

}  // namespace mailstead::smtp
