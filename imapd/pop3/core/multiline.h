// A message as a multi-line response: dots stuffed, lines ended by CRLF (RFC 1939, 3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailstead::imapd::pop3 {

// One message, in pieces of any size.
class MultilineWriter {
public:
    // `body_lines`: how much of the body follows the header and the blank line; nullopt: all (RFC 1939, 7:
    // TOP).
    explicit MultilineWriter(std::optional<std::uint32_t> body_lines) : body_lines_(body_lines) {}

    // Appends the encoded piece to `out`. False when nothing more is wanted.
    bool feed(std::string_view piece, std::string& out);
    // Appends what ends the response, once.
    void finish(std::string& out);

private:
    std::optional<std::uint32_t> body_lines_;
    bool in_body_ = false;
    bool full_ = false;
    std::uint64_t line_bytes_ = 0;  // of the line in hand
    bool after_cr_ = false;
};

}  // namespace mailstead::imapd::pop3
