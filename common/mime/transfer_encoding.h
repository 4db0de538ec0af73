// Content-Transfer-Encoding (RFC 2045, 6), both ways.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mailstead::mime {

enum class TransferEncoding : std::uint8_t {
    seven_bit,
    eight_bit,
    binary,
    quoted_printable,
    base64,
    unknown
};

// The value of the header field, comments and blanks around it tolerated; empty means 7bit.
TransferEncoding parse_transfer_encoding(std::string_view value);

// Decodes a body that comes in pieces cut anywhere. Never fails: bytes outside the base64 alphabet are
// skipped, a malformed quoted-printable escape stands for itself (RFC 2045, 6.7 and 6.8). 7bit, 8bit, binary
// and unknown pass unchanged.
class TransferDecoder {
public:
    explicit TransferDecoder(TransferEncoding encoding) : encoding_(encoding) {}

    // Appends to `out` what can be decoded so far.
    void decode(std::string_view piece, std::string& out);
    // Appends what was held back, at the end of the body.
    void finish(std::string& out);

private:
    void decode_base64(std::string_view piece, std::string& out);
    void decode_quoted_printable(std::string_view piece, std::string& out);
    void decode_line(std::string_view line, std::string& out);

    TransferEncoding encoding_;
    std::uint32_t bits_ = 0;   // base64: a group that is not full
    unsigned characters_ = 0;  // base64: how many characters of it are there
    std::string held_;         // quoted-printable: an escape or blanks that may turn out to be trailing
};

// A whole body at once.
std::string decode_transfer(std::string_view body, TransferEncoding encoding);

// Lines of 76 characters, each ended by CRLF.
std::string encode_base64(std::string_view bytes);
// Text whose lines end in CRLF or LF; CRLF comes out, no line is longer than 76 (RFC 2045, 6.7).
std::string encode_quoted_printable(std::string_view text);

// Every bare LF and bare CR made CRLF. For text that must cross IMAP or SMTP.
std::string to_crlf(std::string_view text);

}  // namespace mailstead::mime
