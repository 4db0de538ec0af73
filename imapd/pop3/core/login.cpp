// USER, PASS, AUTH (RFC 5034), STLS (RFC 2595, 4), UTF8 (RFC 6856, 2).
#include "common/base/base64.h"
#include "common/base/text.h"
#include "imapd/pop3/core/server_core.h"

namespace mailstead::imapd::pop3 {
namespace {

bool is_offered(std::string_view mechanisms, std::string_view mechanism) {
    while (!mechanisms.empty()) {
        if (text::iequals(text::next_field(mechanisms, ' '), mechanism)) return true;
    }
    return false;
}

constexpr std::string_view kNeedsTls = "Use STLS first";

}  // namespace

Action ServerCore::on_tls(LoginFacts facts) {
    // RFC 2595, 4: nothing that was said in clear counts.
    login_ = std::move(facts);
    user_.clear();
    return next_command();
}

// "USER" SP name
Action ServerCore::user(std::string_view arguments) {
    if (!login_.passwords_allowed) return refuse(kNeedsTls);
    if (arguments.empty()) return refuse("USER name");
    user_ = std::string(arguments);
    return ok("Now the password");
}

// "PASS" SP string: all of the line, blanks included (RFC 1939, 7)
Action ServerCore::pass(std::string_view arguments) {
    if (!login_.passwords_allowed) return refuse(kNeedsTls);
    if (user_.empty()) return refuse("Begin with USER");
    AuthStep step;
    step.kind = AuthStep::Kind::password;
    step.user = std::exchange(user_, {});
    step.message = Secret(arguments);
    return step;
}

// "AUTH" SP mechanism [SP initial-response]   (RFC 5034, 4)
Action ServerCore::auth(std::string_view arguments) {
    std::string_view rest = arguments;
    const std::string_view mechanism = text::next_field(rest, ' ');
    if (mechanism.empty()) return refuse("AUTH mechanism [initial-response]");
    if (!is_offered(login_.mechanisms, mechanism)) {
        const bool needs_tls = !login_.passwords_allowed && login_.starttls_possible;
        return refuse(needs_tls ? kNeedsTls : "No such mechanism");
    }
    AuthStep step;
    step.mechanism = text::upper(mechanism);
    user_.clear();
    in_exchange_ = true;
    if (rest.empty()) return step;
    // RFC 5034, 4: "=" is an initial response of no length.
    std::optional<std::string> initial = rest == "=" ? std::string() : base64_decode(rest);
    if (!initial) {
        in_exchange_ = false;
        return refuse("That is no base64");
    }
    step.message = Secret::take(*initial);
    return step;
}

// The client's answer to a challenge: base64, or "*" to stop.
Action ServerCore::auth_line(std::string_view line) {
    if (line == "*") return stop_auth("Cancelled");
    auto bytes = base64_decode(line);
    if (!bytes) return stop_auth("That is no base64");
    if (pending_login_) return bytes->empty() ? accept_login() : stop_auth("An empty line was expected");
    AuthStep step;
    step.kind = AuthStep::Kind::respond;
    step.message = Secret::take(*bytes);
    return step;
}

Action ServerCore::stop_auth(std::string_view text) {
    in_exchange_ = false;
    pending_login_.reset();
    const Action next = refuse(text);
    if (std::holds_alternative<Close>(next)) return Close{};
    AuthStep step;
    step.kind = AuthStep::Kind::cancel;
    return step;
}

Action ServerCore::on_auth(AuthAnswer answer) {
    if (const auto* challenge = std::get_if<AuthChallenge>(&answer)) {
        out_ += "+ " + base64_encode(challenge->bytes.reveal()) + "\r\n";
        return next_command();
    }
    if (auto* accepted = std::get_if<AuthAccepted>(&answer)) {
        pending_login_ = std::move(*accepted);
        if (pending_login_->final_bytes.empty()) return accept_login();
        // RFC 4422, 5: there is no room for data beside +OK, so it goes as a challenge, whose answer is
        // empty.
        out_ += "+ " + base64_encode(pending_login_->final_bytes.reveal()) + "\r\n";
        return next_command();
    }
    return refuse_login(std::get<AuthRefused>(answer).why);
}

Action ServerCore::accept_login() {
    in_exchange_ = false;
    OpenMaildrop open{pending_login_->account, std::move(pending_login_->login)};
    pending_login_.reset();
    return open;
}

// RFC 3206, 4: [AUTH] says that asking the user again may help, [SYS/TEMP] that it may not.
Action ServerCore::refuse_login(AuthRefused::Why why) {
    in_exchange_ = false;
    switch (why) {
        case AuthRefused::Why::malformed:
            return refuse("That is not what the mechanism prescribes");
        case AuthRefused::Why::unavailable:
            say("-ERR", "[SYS/TEMP] Logins cannot be checked now, try again later");
            return next_command();
        case AuthRefused::Why::not_authorized:
            say("-ERR", "[AUTH] You may not act as somebody else");
            break;
        case AuthRefused::Why::wrong_credentials:
            say("-ERR", "[AUTH] Wrong user name or password");
            break;
    }
    if (++failed_logins_ < profile_.limits.failed_logins) return next_command();
    say("-ERR", "[AUTH] Too many failed logins");
    return Close{};
}

Action ServerCore::on_maildrop(MaildropAnswer answer) {
    if (const auto* why = std::get_if<Trouble>(&answer)) return trouble(*why);
    auto& facts = std::get<MaildropFacts>(answer);
    state_ = State::transaction;
    messages_ = facts.messages;
    octets_ = facts.octets;
    hidden_ = std::move(facts.hidden);  // RFC 2449, 5: what CAPA says may change with the login
    return ok(std::to_string(messages_) + " messages (" + std::to_string(octets_) + " octets)");
}

Action ServerCore::stls(std::string_view) {
    // RFC 6856, 2.1
    if (utf8_) return refuse("Not after UTF8");
    if (!login_.starttls_possible) return refuse("TLS is not available here");
    say("+OK", "Begin TLS");
    return StartTls{};
}

Action ServerCore::utf8_mode(std::string_view) {
    utf8_ = true;
    return ok("UTF-8 it is");
}

}  // namespace mailstead::imapd::pop3
