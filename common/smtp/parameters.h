// Values of MAIL and RCPT parameters (RFC 3461 and others).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailstead::smtp {

enum class BodyType : std::uint8_t { seven_bit, eight_bit_mime, binary_mime };
std::string_view to_string(BodyType body);  // `7BIT`, `8BITMIME`, `BINARYMIME`
std::optional<BodyType> parse_body_type(std::string_view text);

enum class DsnReturn : std::uint8_t { full, headers };
std::string_view to_string(DsnReturn ret);  // `FULL`, `HDRS`
std::optional<DsnReturn> parse_dsn_return(std::string_view text);

// When the sender wants a report about a recipient. All false is NEVER. The default without the parameter is
// failure and delay (RFC 3461, 4.1: FAILURE, and DELAY at the server's choice).
struct Notify {
    bool success = false;
    bool failure = false;
    bool delay = false;
    bool never() const { return !success && !failure && !delay; }
    friend bool operator==(const Notify&, const Notify&) = default;

    // Three bits (1 success, 2 failure, 4 delay) for storage and messages; 0 is NEVER.
    std::uint8_t bits() const;
    static Notify from_bits(std::uint8_t bits);
};
// `NEVER` or a comma list of `SUCCESS`, `FAILURE`, `DELAY`.
std::string to_string(const Notify& notify);
std::optional<Notify> parse_notify(std::string_view text);

// Whether a decoded value can stand in a report without harm: xtext can hide a CRLF.
bool is_printable(std::string_view decoded);

// The recipient as the sender first named it: `rfc822;user@example.org`.
struct OriginalRecipient {
    std::string type;     // `rfc822`, `utf-8`, in lower case
    std::string address;  // decoded
    friend bool operator==(const OriginalRecipient&, const OriginalRecipient&) = default;
};
// original-recipient-address = addr-type ";" xtext   (RFC 3461, 4.2; `utf-8` per RFC 6533, 3)
std::optional<OriginalRecipient> parse_original_recipient(std::string_view text);
// For the wire. Type `utf-8` is written with \x{...} escapes, which every peer can carry.
std::string to_string(const OriginalRecipient& original);

}  // namespace mailstead::smtp
