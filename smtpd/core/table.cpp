#include "smtpd/core/table.h"

#include <array>

namespace mailstead::smtpd {
namespace {

using smtp::EnhancedCode;
using smtp::Verb;

constexpr std::uint8_t bits(Phase phase) {
    return static_cast<std::uint8_t>(phase);
}
constexpr std::uint8_t kAny = 31;
constexpr std::uint8_t kBetween = bits(Phase::greeted);
constexpr std::uint8_t kEnvelope = bits(Phase::mail) | bits(Phase::recipients);

}  // namespace

const CommandRow& row_of(Verb verb) {
    using C = ServerCore;
    constexpr std::uint8_t kIdle = kBeforeLogin | kNoProgress;
    // In the order of enum Verb.
    static constexpr std::array<CommandRow, 14> kRows{{
        {Verb::helo, kAny, kIdle, &C::helo, "HELO name"},
        {Verb::ehlo, kAny, kIdle, &C::ehlo, "EHLO name"},
        {Verb::mail, kBetween, kNoFlags, &C::mail, "MAIL FROM:<address> [parameters]"},
        {Verb::rcpt, kEnvelope, kNoFlags, &C::rcpt, "RCPT TO:<address> [parameters]"},
        {Verb::data, bits(Phase::recipients), kNoFlags, &C::data, "DATA"},
        {Verb::bdat, kAny, kOctetsFollow | kBeforeLogin, &C::bdat, "BDAT octets [LAST]"},
        {Verb::auth, kBetween, kBeforeLogin, &C::auth, "AUTH mechanism [response]"},
        {Verb::starttls, kBetween, kBeforeLogin, &C::starttls, "STARTTLS"},
        {Verb::vrfy, kAny, kNoProgress, &C::vrfy, "VRFY name"},
        {Verb::expn, kAny, kNoProgress, &C::expn, "EXPN list"},
        {Verb::rset, kAny, kIdle, &C::rset, "RSET"},
        {Verb::noop, kAny, kIdle, &C::noop, "NOOP"},
        {Verb::help, kAny, kIdle, &C::help, "HELP [command]"},
        {Verb::quit, kAny, kBeforeLogin, &C::quit, "QUIT"},
    }};
    return kRows[static_cast<std::size_t>(verb)];
}

Action ServerCore::run(Verb verb, std::string_view arguments) {
    const CommandRow& row = row_of(verb);
    if ((row.flags & kNoProgress) != 0 && ++idle_commands_ > profile_.limits.idle_commands) {
        return give_up(421, EnhancedCode{4, 7, 0}, "Too many commands without a message");
    }
    const bool needs_login = profile_.service == Service::submission && !identity_;
    if (needs_login && (row.flags & kBeforeLogin) == 0) {
        // RFC 4954, 6; RFC 3207, 4
        if (!tls_) return refuse(530, EnhancedCode{5, 7, 0}, "Begin with STARTTLS, then log in");
        return refuse(530, EnhancedCode{5, 7, 0}, "Log in first");
    }
    const bool legal = (row.phases & static_cast<std::uint8_t>(phase_)) != 0;
    if (!legal && (row.flags & kOctetsFollow) == 0) return out_of_sequence(verb);
    return (this->*row.handler)(arguments);
}

// RFC 5321, 4.1.4
Action ServerCore::out_of_sequence(Verb verb) {
    const EnhancedCode code{5, 5, 1};
    if (phase_ == Phase::opened) return refuse(503, code, "Say EHLO first");
    if (phase_ == Phase::chunks)
        return refuse(503, code, "Only BDAT or RSET may follow BDAT");  // RFC 3030, 2
    if (phase_ == Phase::greeted) return refuse(503, code, "Say MAIL first");
    if (verb == Verb::data) {
        // RFC 5321, 3.3: all recipients were refused, or none was named.
        return refuse(refused_recipients_in_message_ > 0 ? 554 : 503, code, "No valid recipients");
    }
    return refuse(503, code, "Not in the middle of a message");
}

}  // namespace mailstead::smtpd
