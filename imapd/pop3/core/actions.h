// What the POP3 core asks for, and what it is told: values, so that tests need neither sockets nor clocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/secret.h"

namespace mailstead::imapd::pop3 {

// The next line, within `timeout`. Answer: on_line, or on_long_line.
struct ReadLine {
    std::size_t limit = 0;  // bytes without its line end
    Milliseconds timeout{};
};
// Send the replies, drop all that was received, shake hands (RFC 2595, 4). Answer: on_tls.
struct StartTls {};
// A step of a login. Answer: on_auth; none for `cancel`, which is followed by resume().
struct AuthStep {
    enum class Kind : std::uint8_t { begin, password, respond, cancel };
    Kind kind = Kind::begin;
    std::string mechanism;          // of `begin`
    std::string user;               // of `password`
    std::optional<Secret> message;  // base64 undone; the password
};
// Answer: on_maildrop.
struct OpenMaildrop {
    AccountId account;
    std::string login;
};
// Answer: on_message.
struct LookUp {
    std::uint32_t number = 0;
};
// A line for each message that is_listed(): its number and size, or its number and unique id. Answer: resume.
struct WriteListing {
    enum class What : std::uint8_t { sizes, unique_ids };
    What what = What::sizes;
};
// Answer: on_opened.
struct OpenMessage {
    std::uint32_t number = 0;
};
// The message that was opened, or its header and the first lines of its body, with the end of the response.
// Answer: resume.
struct SendMessage {
    std::optional<std::uint32_t> body_lines;
};
// Remove these messages for good; element n is message n + 1. Answer: on_updated.
struct Update {
    std::vector<bool> removed;
};
// Send the replies and end the connection.
struct Close {};

using Action = std::variant<ReadLine, StartTls, AuthStep, OpenMaildrop, LookUp, WriteListing, OpenMessage,
                            SendMessage, Update, Close>;

// What the connection allows now. Changes with TLS.
struct LoginFacts {
    std::string mechanisms;  // best first, separated by spaces
    bool passwords_allowed = false;
    bool starttls_possible = false;
};

struct AuthChallenge {
    Secret bytes;  // not yet base64
};
struct AuthAccepted {
    AccountId account;
    std::string login;
    Secret final_bytes;  // what the mechanism still has to say with its success (SCRAM); empty: nothing
};
struct AuthRefused {
    enum class Why : std::uint8_t { malformed, wrong_credentials, not_authorized, unavailable };
    Why why = Why::wrong_credentials;
};
using AuthAnswer = std::variant<AuthChallenge, AuthAccepted, AuthRefused>;

enum class Trouble : std::uint8_t {
    in_use,     // too many sessions of this account
    temporary,  // deliver or the store is away
    permanent,  // damaged
    in_repair,  // damaged, and being made anew
    lost,       // the file of the message
};
struct MaildropFacts {
    std::uint32_t messages = 0;
    std::uint64_t octets = 0;
    std::vector<std::string> hidden;  // what this account is not offered, beside what nobody is
};
using MaildropAnswer = std::variant<MaildropFacts, Trouble>;

struct MessageFacts {
    std::uint64_t octets = 0;
    std::string unique_id;  // 1 to 70 characters from "!" to "~" (RFC 1939, 7)
};
struct MessageGone {};  // somebody else removed it
using MessageAnswer = std::variant<MessageFacts, MessageGone, Trouble>;

}  // namespace mailstead::imapd::pop3
