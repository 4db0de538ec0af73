// The envelope of a message, as smtpd hands it to deliver.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/address/address.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace mailstead::ipc {

// RFC 1652, RFC 3030
enum class BodyType : std::uint8_t { seven_bit, eight_bit_mime, binary_mime };

// RFC 3461, 4.3: RET
enum class ReturnContent : std::uint8_t { unspecified, full, headers };

// RFC 3461, 4.1: NOTIFY, as bits; none set: the parameter was absent.
using NotifyFlags = std::uint8_t;
inline constexpr NotifyFlags kNotifyNever = 1;
inline constexpr NotifyFlags kNotifySuccess = 2;
inline constexpr NotifyFlags kNotifyFailure = 4;
inline constexpr NotifyFlags kNotifyDelay = 8;

// A mailbox here.
struct Local {
    AccountId account;
    std::string mailbox_hint;  // from `user+tag`, UTF-8; empty: INBOX
    friend auto operator<=>(const Local&, const Local&) = default;
};
// Somewhere else; the address differs from the recipient's where an alias points outside.
struct Remote {
    Address address;
    friend auto operator<=>(const Remote&, const Remote&) = default;
};
using Target = std::variant<Local, Remote>;

struct Recipient {
    Address address;  // as the sender gave it
    NotifyFlags notify = 0;
    std::string orcpt;  // RFC 3461, 4.2, decoded: `rfc822;user@example.org`; empty if absent
    Target target;
    friend auto operator<=>(const Recipient&, const Recipient&) = default;
};

struct Envelope {
    ReversePath reverse_path;
    std::vector<Recipient> recipients;
    ReturnContent ret = ReturnContent::unspecified;
    std::string envid;  // RFC 3461, 4.4, decoded
    bool smtputf8 = false;
    bool require_tls = false;  // RFC 8689
    BodyType body = BodyType::seven_bit;
    friend auto operator<=>(const Envelope&, const Envelope&) = default;
};

inline constexpr std::size_t kMaxRecipients = 10'000;
inline constexpr std::size_t kMaxEnvelopeText = 1'000;  // bytes of one orcpt, envid or mailbox hint

// The binary form inside messages. `read_envelope` checks everything; after an error `in` is spent.
void write_address(ByteWriter& out, const Address& address);
Parsed<Address> read_address(ByteReader& in);
void write_envelope(ByteWriter& out, const Envelope& envelope);
Parsed<Envelope> read_envelope(ByteReader& in);

}  // namespace mailstead::ipc
