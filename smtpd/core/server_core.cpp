#include "smtpd/core/server_core.h"

#include <algorithm>
#include <array>

#include "smtpd/core/table.h"

namespace mailstead::smtpd {
namespace {

using smtp::EnhancedCode;

// Web browsers and proxies that are led to a mail port must not get any of their lines taken for commands.
bool is_http(std::string_view line) {
    static constexpr std::array<std::string_view, 6> kMethods{"GET ",  "POST ",    "PUT ",
                                                              "HEAD ", "CONNECT ", "OPTIONS "};
    return std::any_of(kMethods.begin(), kMethods.end(),
                       [line](std::string_view method) { return line.substr(0, method.size()) == method; });
}

}  // namespace

bool Profile::offers(std::string_view keyword) const {
    return std::find(hidden.begin(), hidden.end(), keyword) == hidden.end();
}

ServerCore::ServerCore(const Profile& profile, std::string session_id, std::optional<TlsReady> tls)
    : profile_(profile), session_id_(std::move(session_id)), tls_(std::move(tls)) {}

// RFC 5321, 3.1
Action ServerCore::start() {
    say(220, profile_.hostname + " ESMTP Mailstead");
    return next_command();
}

Action ServerCore::on_line(const Line& line) {
    if (!pending_mechanism_.empty()) return auth_line(line);
    if (line.fault == LineFault::too_long) return refuse(500, EnhancedCode{5, 5, 2}, "Line too long");
    if (line.fault == LineFault::bad_ending) {
        return refuse(500, EnhancedCode{5, 5, 2}, "A line must end with CR LF and contain neither elsewhere");
    }
    const smtp::VerbAndArguments command = smtp::split_command(line.text);
    if (command.verb) return run(*command.verb, command.arguments);
    if (is_http(line.text)) return give_up(421, EnhancedCode{4, 7, 0}, "This is a mail server");
    return refuse(500, EnhancedCode{5, 5, 1}, "Unknown command");
}

Action ServerCore::resume() {
    return next_command();
}

// RFC 5321, 3.8 and 4.5.3.2
Action ServerCore::on_failure(Failure failure) {
    if (failure == Failure::timed_out)
        say(421, EnhancedCode{4, 4, 2}, "Nothing was heard for too long, closing");
    if (failure == Failure::shutting_down)
        say(421, EnhancedCode{4, 3, 2}, "The server is going down, try again soon");
    return Close{};
}

// RFC 5321, 3.8
Action ServerCore::on_revoked(std::string_view why) {
    return give_up(421, EnhancedCode{4, 7, 0}, why);
}

void ServerCore::say(int code, EnhancedCode enhanced, std::string_view text) {
    smtp::write_reply(code, enhanced, text, replies_);
}

void ServerCore::say(int code, std::string_view text) {
    smtp::write_reply(code, std::nullopt, text, replies_);
}

std::size_t ServerCore::line_limit() const {
    const bool may_authenticate = profile_.service == Service::submission && !identity_;
    if (!pending_mechanism_.empty()) return profile_.limits.auth_line_octets;
    // AUTH with an initial response: the response may be as long as any (RFC 4954, 4.3), plus verb and
    // mechanism.
    return may_authenticate ? profile_.limits.auth_line_octets + 32 : profile_.limits.command_octets;
}

Action ServerCore::next_command() const {
    return ReadLine{.limit = line_limit(), .timeout = profile_.limits.command_timeout};
}

Action ServerCore::refuse(int code, EnhancedCode enhanced, std::string_view text) {
    say(code, enhanced, text);
    if (++errors_ >= profile_.limits.errors) return give_up(421, EnhancedCode{4, 7, 0}, "Too many errors");
    return next_command();
}

Action ServerCore::refuse(const smtp::CommandError& error, EnhancedCode bad_address) {
    switch (error.fault) {
        case smtp::Fault::bad_address:
            return refuse(501, bad_address, error.why.what);
        // RFC 5321, 4.1.1.11
        case smtp::Fault::unknown_parameter:
            return refuse(555, EnhancedCode{5, 5, 4}, error.why.what);
        case smtp::Fault::syntax:
        case smtp::Fault::bad_parameter:
            break;
    }
    return refuse(501, EnhancedCode{5, 5, 4}, error.why.what);
}

Action ServerCore::give_up(int code, EnhancedCode enhanced, std::string_view text) {
    say(code, enhanced, text);
    return Close{};
}

Action ServerCore::end_transaction() {
    transaction_ = {};
    using_bdat_ = false;
    if (phase_ != Phase::opened) phase_ = Phase::greeted;
    if (std::exchange(body_open_, false)) return DropBody{};
    return next_command();
}

}  // namespace mailstead::smtpd
