// AUTH (RFC 4954).
#include "common/base/base64.h"
#include "common/base/secret.h"
#include "common/base/text.h"
#include "smtpd/core/server_core.h"

namespace mailstead::smtpd {

using smtp::EnhancedCode;

bool ServerCore::offers_mechanism(std::string_view mechanism) const {
    std::string_view rest = tls_->auth_mechanisms;
    while (!rest.empty()) {
        if (text::next_field(rest, ' ') == mechanism) return true;
    }
    return false;
}

// RFC 4954, 4
Action ServerCore::auth(std::string_view arguments) {
    if (profile_.service != Service::submission || !profile_.offers("AUTH")) {
        return refuse(502, EnhancedCode{5, 5, 1}, "Logging in is not offered here");
    }
    if (!tls_) return refuse(538, EnhancedCode{5, 7, 11}, "Begin with STARTTLS");
    if (identity_) return refuse(503, EnhancedCode{5, 5, 1}, "You are logged in already");
    auto command = smtp::parse_auth(arguments);
    if (!command) return refuse(command.error(), EnhancedCode{5, 5, 4});
    if (!offers_mechanism(command->mechanism)) return refuse(504, EnhancedCode{5, 5, 4}, "Unknown mechanism");
    if (!command->initial_response) return begin_auth(std::move(command->mechanism), std::nullopt);
    if (command->initial_response->size() > profile_.limits.auth_line_octets) {
        return refuse(500, EnhancedCode{5, 5, 6}, "Line too long");
    }
    // RFC 4954, 4: "=" is an initial response of no length.
    if (*command->initial_response == "=") return begin_auth(std::move(command->mechanism), std::string());
    auto bytes = base64_decode(*command->initial_response);
    wipe(*command->initial_response);
    if (!bytes) return refuse(501, EnhancedCode{5, 5, 2}, "That is no base64");
    return begin_auth(std::move(command->mechanism), std::move(bytes));
}

Action ServerCore::begin_auth(std::string mechanism, std::optional<std::string> initial) {
    pending_mechanism_ = std::move(mechanism);
    return AuthStep{
        .kind = AuthStep::Kind::begin, .mechanism = pending_mechanism_, .message = std::move(initial)};
}

// The client's answer to a challenge: base64, or "*" to stop.
Action ServerCore::auth_line(const Line& line) {
    const auto stop = [this](int code, EnhancedCode enhanced, std::string_view text) -> Action {
        pending_mechanism_.clear();
        pending_login_.reset();
        say(code, enhanced, text);
        ++errors_;
        return AuthStep{.kind = AuthStep::Kind::cancel, .mechanism = {}, .message = {}};
    };
    if (line.fault == LineFault::too_long)
        return stop(500, EnhancedCode{5, 5, 6}, "Line too long");  // RFC 4954, 4
    if (line.fault == LineFault::bad_ending)
        return stop(500, EnhancedCode{5, 5, 2}, "A line must end with CR LF");
    if (line.text == "*") return stop(501, EnhancedCode{5, 7, 0}, "Cancelled");
    if (pending_login_)
        return line.text.empty() ? log_in() : stop(501, EnhancedCode{5, 5, 2}, "An empty line was expected");
    auto bytes = base64_decode(line.text);
    if (!bytes) return stop(501, EnhancedCode{5, 5, 2}, "That is no base64");
    return AuthStep{
        .kind = AuthStep::Kind::respond, .mechanism = pending_mechanism_, .message = std::move(bytes)};
}

Action ServerCore::on_auth(AuthAnswer answer) {
    if (const auto* challenge = std::get_if<AuthChallenge>(&answer)) {
        say(334, base64_encode(challenge->bytes));
        return next_command();
    }
    if (auto* accepted = std::get_if<AuthAccepted>(&answer)) {
        pending_login_ = std::move(*accepted);
        if (pending_login_->final_bytes.empty()) return log_in();
        // RFC 4954, 4: there is no room for data beside 235, so it goes as a challenge, whose answer is
        // empty.
        say(334, base64_encode(pending_login_->final_bytes));
        return next_command();
    }
    pending_mechanism_.clear();
    return auth_refused(std::get<AuthRefused>(answer).why);
}

Action ServerCore::log_in() {
    identity_ = Identity{.account = pending_login_->account,
                         .login = std::move(pending_login_->login),
                         .mechanism = std::exchange(pending_mechanism_, {})};
    pending_login_.reset();
    failed_logins_ = 0;
    say(235, EnhancedCode{2, 7, 0}, "Welcome");
    return next_command();
}

// RFC 4954, 6
Action ServerCore::auth_refused(AuthRefusal why) {
    switch (why) {
        case AuthRefusal::malformed:
            return refuse(501, EnhancedCode{5, 5, 2}, "That is not what the mechanism prescribes");
        case AuthRefusal::unknown_mechanism:
            return refuse(504, EnhancedCode{5, 5, 4}, "Unknown mechanism");
        case AuthRefusal::unavailable:
            say(454, EnhancedCode{4, 7, 0}, "Logins cannot be checked right now, try again soon");
            return next_command();
        case AuthRefusal::wrong_credentials:
            break;
    }
    say(535, EnhancedCode{5, 7, 8}, "Wrong name or password");
    if (++failed_logins_ >= profile_.limits.failed_logins) {
        return give_up(421, EnhancedCode{4, 7, 0}, "Too many failed logins");
    }
    // Each failure waits longer than the last: 1 s, 2 s...
    return Pause{Milliseconds(1000u << (failed_logins_ - 1))};
}

}  // namespace mailstead::smtpd
