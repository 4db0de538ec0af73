// What the protocol core asks for, and what it is told: values, so that tests need neither sockets nor
// clocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/address/address.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/directory/routing.h"
#include "common/smtp/data_decoder.h"
#include "common/smtp/reply.h"

namespace mailstead::smtpd {

// The next line from the client, within `timeout` as a whole. Answer: on_line.
struct ReadLine {
    std::size_t limit = 0;
    Milliseconds timeout{};
};
// Send the replies, drop all that was received, shake hands (RFC 3207, 4.2). Answer: on_tls.
struct StartTls {
    Milliseconds timeout{};
};
// A step of a login. Answer: on_auth; none for `cancel`, which is followed by resume().
struct AuthStep {
    enum class Kind : std::uint8_t { begin, respond, cancel };
    Kind kind = Kind::begin;
    std::string mechanism;
    std::optional<std::string> message;  // base64 undone; with `begin` the initial response, if there was one
};
// Answer: on_recipient.
struct ResolveRecipient {
    std::optional<Address> to;  // nullopt: postmaster, without a domain
};
// May the logged-in account write mail in this name? Answer: on_sender.
struct CheckSender {
    Address from;
};
// Room for a message of about this size. Answer: on_room.
struct OpenBody {
    std::optional<std::uint64_t> announced;
};
// The bytes after DATA, into the body that was opened. Each piece within `timeout`, all within `total`.
// Answer: on_body.
struct ReadBody {
    smtp::BodyLimits limits;
    Milliseconds timeout{};
    Milliseconds total{};
};
// The bytes after BDAT: into the body that was opened, or nowhere. Answer: on_chunk.
struct ReadChunk {
    smtp::BodyLimits limits;
    std::uint64_t octets = 0;
    bool last = false;
    bool keep = true;
    Milliseconds timeout{};
    Milliseconds total{};
};
// Check the message, hand it to deliver, wait until it is durable. Answer: on_delivered.
struct Deliver {};
// Throw the opened body away. Answer: resume.
struct DropBody {};
// Send the replies and wait, to make guessing slow. Answer: resume.
struct Pause {
    Milliseconds duration{};
};
// Send the replies and end the connection.
struct Close {};

using Action = std::variant<ReadLine, StartTls, AuthStep, ResolveRecipient, CheckSender, OpenBody, ReadBody,
                            ReadChunk, Deliver, DropBody, Pause, Close>;

enum class LineFault : std::uint8_t {
    none,
    too_long,    // its end was found all the same
    bad_ending,  // not CRLF, or a CR inside
};
// Without its CRLF.
struct Line {
    std::string_view text;
    LineFault fault = LineFault::none;
};

// What to offer for AUTH on this connection, best first, separated by spaces.
struct TlsReady {
    std::string auth_mechanisms;
};

struct AuthChallenge {
    std::string bytes;  // not yet base64
};
struct AuthAccepted {
    AccountId account;
    std::string login;
    std::string final_bytes;  // what the mechanism still has to say with its success (SCRAM); empty: nothing
};
enum class AuthRefusal : std::uint8_t { malformed, wrong_credentials, unavailable, unknown_mechanism };
struct AuthRefused {
    AuthRefusal why = AuthRefusal::wrong_credentials;
};
using AuthAnswer = std::variant<AuthChallenge, AuthAccepted, AuthRefused>;

enum class RecipientStatus : std::uint8_t {
    accepted,
    unknown_user,
    not_ours,  // the domain is not ours, and `targets` says where it would be relayed to
    over_quota,
    too_many,      // this account has addressed too many people lately
    message_full,  // no more recipients fit into this message
    unavailable,   // the directory cannot be read
};
struct RecipientVerdict {
    RecipientStatus status = RecipientStatus::unavailable;
    Address to;  // in full, also for postmaster without a domain
    directory::Targets targets;
};

enum class SenderVerdict : std::uint8_t { allowed, not_yours, unavailable };
enum class Room : std::uint8_t { enough, disk_full, memory_full };

struct BodyOutcome {
    std::uint64_t octets = 0;
    std::optional<smtp::BodyFault> fault;
    bool disk_full = false;  // the body could not be kept
};

enum class Failure : std::uint8_t { timed_out, disconnected, shutting_down };

}  // namespace mailstead::smtpd
