// SMTP commands as values, parsed by the server and written by the relay (RFC 5321, 4.1; parameters from RFC
// 1870, RFC 3030, RFC 3461, RFC 4954, RFC 6152, RFC 6531, RFC 8689). Pure; no state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/address/address.h"
#include "common/base/result.h"
#include "common/smtp/parameters.h"

namespace mailstead::smtp {

enum class Verb : std::uint8_t {
    helo,
    ehlo,
    mail,
    rcpt,
    data,
    bdat,
    auth,
    starttls,
    vrfy,
    expn,
    rset,
    noop,
    help,
    quit,
};

// `MAIL`, `RCPT`...: the verb in capitals.
std::string_view to_string(Verb verb);

// Why a command was refused; each has its own reply code (RFC 5321, 4.2.4; RFC 3463).
enum class Fault : std::uint8_t {
    syntax,             // 501 5.5.4
    bad_address,        // 501 5.1.7 (sender), 501 5.1.3 (recipient)
    unknown_parameter,  // 555 5.5.4
    bad_parameter,      // 501 5.5.4
};
struct CommandError {
    Fault fault = Fault::syntax;
    ParseError why;
};
template <class T>
using Command = Result<T, CommandError>;

// One line taken apart: the verb (nullopt when unknown) and what follows it, without the space between.
struct VerbAndArguments {
    std::optional<Verb> verb;
    std::string_view arguments;
};
// `line` has no CRLF. Trailing spaces are dropped (RFC 5321, 4.1.1).
VerbAndArguments split_command(std::string_view line);

// The name that a client calls itself. Senders get it wrong so often that a name which is no domain is kept
// as text: RFC 5321, 4.1.4 forbids to refuse mail for it.
struct Hello {
    std::string name;              // as it came, printable ASCII or UTF-8, at most 255 bytes
    std::optional<Domain> domain;  // when it is one
};
Command<Hello> parse_hello(std::string_view arguments);

// MAIL FROM:<reverse-path> [parameters]
struct Mail {
    ReversePath from;
    std::optional<std::uint64_t> size;  // octets; RFC 1870
    std::optional<BodyType> body;       // RFC 6152, RFC 3030
    bool smtputf8 = false;              // RFC 6531
    bool require_tls = false;           // RFC 8689
    std::optional<DsnReturn> ret;       // RFC 3461, 4.3
    std::optional<std::string> envid;   // RFC 3461, 4.4; decoded
    std::optional<std::string> auth;    // RFC 4954, 5; decoded; empty for "<>"
};
Command<Mail> parse_mail(std::string_view arguments);

// RCPT TO:<forward-path> [parameters]
struct Rcpt {
    std::optional<Address> to;               // nullopt is `<postmaster>` without a domain (RFC 5321, 4.5.1)
    std::optional<Notify> notify;            // RFC 3461, 4.1
    std::optional<OriginalRecipient> orcpt;  // RFC 3461, 4.2
};
Command<Rcpt> parse_rcpt(std::string_view arguments);

// BDAT octets [LAST]   (RFC 3030, 2)
struct Bdat {
    std::uint64_t octets = 0;
    bool last = false;
};
Command<Bdat> parse_bdat(std::string_view arguments);

// AUTH mechanism [initial-response]   (RFC 4954, 4)
struct Auth {
    std::string mechanism;                        // in capitals
    std::optional<std::string> initial_response;  // base64 as it came; "=" stands for an empty one
};
Command<Auth> parse_auth(std::string_view arguments);

// DATA, RSET, QUIT, STARTTLS: nothing may follow.
Command<bool> parse_no_arguments(std::string_view arguments);

// Each appends one command line with its CRLF to `out`. What is written contains no CR or LF from the values.
// Domains are written with A-labels; a local part beyond ASCII is written as UTF-8, so the caller has checked
// that the peer announced SMTPUTF8 and set `Mail::smtputf8`.
void write_hello(Verb helo_or_ehlo, std::string_view name, std::string& out);
void write_mail(const Mail& mail, std::string& out);
void write_rcpt(const Rcpt& rcpt, std::string& out);
void write_bdat(const Bdat& bdat, std::string& out);
void write_auth(std::string_view mechanism, const std::optional<std::string>& initial_response_base64,
                std::string& out);
// DATA, STARTTLS, RSET, NOOP, QUIT, HELP.
void write_plain(Verb verb, std::string& out);

}  // namespace mailstead::smtp
