#include "imapd/session/preauth.h"

#include <chrono>

#include "common/base/base64.h"
#include "common/runtime/log.h"
#include "imapd/proto/response.h"
#include "imapd/session/client_name.h"

namespace mailstead::imapd {
namespace {

using proto::Condition;
using proto::Framer;
using proto::Verb;

constexpr unsigned kMaxBadCommands = 10;

std::string_view text_of(Framer::Rejection why) {
    switch (why) {
        case Framer::Rejection::line_too_long:
            return "Line too long";
        case Framer::Rejection::literal_too_big:
            return "Literal too long";
        default:
            return "Command too long";
    }
}

}  // namespace

Preauth::Preauth(Connection& connection, LoginService& service, const ListenerFacts& listener,
                 std::string session_id, Greeting greeting)
    : connection_(connection),
      listener_(listener),
      session_id_(std::move(session_id)),
      login_(service, connection.stream(), listener, ipc::Service::imap, session_id_),
      greeting_(greeting) {
    capabilities_.hide(listener.hidden_capabilities);
}

net::Task<std::optional<LoggedIn>> Preauth::run() {
    if (greeting_ == Greeting::yes)
        proto::write_condition(connection_.out(), "*", Condition::ok, capability_line(),
                               listener_.hostname + " IMAP ready");
    const auto end = std::chrono::steady_clock::now() + kLoginWindow;
    while (!over_ && !logged_in_) {
        if (std::chrono::steady_clock::now() > end) {
            bye("Too long without a login");
            break;
        }
        const auto event = co_await connection_.next(connection_.timeouts().login);
        if (!event) {
            if (event.error().kind == net::IoFailure::timed_out) bye("Too long without a login");
            if (event.error().kind == net::IoFailure::cancelled) bye("Server is stopping", "UNAVAILABLE");
            break;
        }
        if (*event == Framer::Event::literal) {
            connection_.take_literal();
        } else if (*event == Framer::Event::rejected) {
            over_ =
                !count_bad(connection_.framer().rejected_tag(), text_of(connection_.framer().rejection()));
        } else if (*event == Framer::Event::command) {
            const bool going = co_await on_command();
            over_ = over_ || !going;
        } else {
            bye("Literal too long");
        }
    }
    if (!logged_in_) (void)co_await connection_.flush();
    co_return std::move(logged_in_);
}

net::Task<bool> Preauth::on_command() {
    auto command = proto::parse_command(connection_.framer().command(), {});
    if (!command) co_return count_bad(command.error().tag, command.error().error.what);
    tag_ = command->tag;
    co_return co_await execute(*command);
}

net::Task<bool> Preauth::execute(proto::Command& command) {
    switch (command.verb) {
        case Verb::capability:
            connection_.out() += "* " + capability_line() + "\r\n";
            answer(tag_, {Condition::ok, "", "That is all"});
            co_return true;
        case Verb::noop:
            answer(tag_, {Condition::ok, "", "Nothing done"});
            co_return true;
        case Verb::id:
            client_ = client_name(std::get<proto::IdParameters>(command.arguments));
            connection_.out() += "* ID (\"name\" \"Mailstead\")\r\n";
            answer(tag_, {Condition::ok, "", "Pleased to meet you"});
            co_return true;
        case Verb::logout:
            bye("Good bye");
            answer(tag_, {Condition::ok, "", "Logged out"});
            co_return false;
        case Verb::starttls:
            co_return co_await start_tls(tag_);
        case Verb::login: {
            const Answer given = co_await log_in(std::get<proto::Login>(command.arguments));
            if (!logged_in_) answer(tag_, given);
            break;
        }
        case Verb::authenticate: {
            const Answer given = co_await authenticate(std::get<proto::Authenticate>(command.arguments));
            if (!logged_in_) answer(tag_, given);
            break;
        }
        default:
            co_return count_bad(tag_, "Log in first");
    }
    if (!login_.too_many_failures()) co_return !over_;
    bye("Too many failed logins");
    co_return false;
}

net::Task<bool> Preauth::start_tls(std::string tag) {
    if (!login_.starttls_possible()) co_return count_bad(tag, "STARTTLS is not available");
    answer(tag, {Condition::ok, "", "Begin TLS"});
    const auto sent = co_await connection_.flush();
    if (!sent) co_return false;
    const auto done = co_await connection_.start_tls(listener_.tls);
    if (!done) {
        const std::string why = net::describe(done.error());
        log::info("imap.tls.failed", {{"session", session_id_}, {"reason", why}});
        connection_.stream().close();
    }
    co_return done.has_value();
}

net::Task<Preauth::Answer> Preauth::log_in(proto::Login& login) {
    if (!login_.passwords_allowed()) co_return Answer{Condition::no, "PRIVACYREQUIRED", "Use STARTTLS first"};
    auto answered = co_await login_.with_password(login.user, login.password);
    co_return co_await converse(std::move(answered));
}

net::Task<Preauth::Answer> Preauth::authenticate(proto::Authenticate& request) {
    if (!login_.offers(request.mechanism)) {
        const bool needs_tls =
            !login_.passwords_allowed() && (request.mechanism == "PLAIN" || request.mechanism == "LOGIN");
        if (needs_tls) co_return Answer{Condition::no, "PRIVACYREQUIRED", "Use STARTTLS first"};
        co_return Answer{Condition::no, "CANNOT", "No such mechanism"};
    }
    std::optional<Secret> initial;
    if (request.initial) initial = Secret::take(*request.initial);
    auto answered = co_await login_.begin(request.mechanism, std::move(initial));
    co_return co_await converse(std::move(answered));
}

net::Task<Preauth::Answer> Preauth::converse(LoginAnswer answered) {
    constexpr int kMaxSteps = 10;
    for (int i = 0; i < kMaxSteps; ++i) {
        if (auto* success = std::get_if<LoginSuccess>(&answered)) co_return co_await finish(*success);
        if (auto* refusal = std::get_if<LoginRefusal>(&answered)) co_return answer_to(refusal->why);
        auto response = co_await ask_client(std::get<LoginChallenge>(answered).bytes.reveal());
        if (!response) {
            login_.cancel();
            co_return Answer{Condition::bad, "", "Authentication cancelled"};
        }
        LoginAnswer next = co_await login_.respond(*std::move(response));
        answered = std::move(next);
    }
    login_.cancel();
    co_return Answer{Condition::bad, "", "Too many steps"};
}

// continue-req = "+" SP base64 CRLF; the client answers base64, or "*" to give up (RFC 9051, 6.2.2).
net::Task<std::optional<Secret>> Preauth::ask_client(std::string_view challenge) {
    proto::write_continuation(connection_.out(), base64_encode(challenge));
    connection_.framer().set_plain_lines(true);
    const auto event = co_await connection_.next(connection_.timeouts().login);
    connection_.framer().set_plain_lines(false);
    if (!event) {
        over_ = true;
        co_return std::nullopt;
    }
    if (*event != Framer::Event::command) co_return std::nullopt;
    auto decoded = base64_decode(connection_.framer().command());
    if (!decoded) co_return std::nullopt;
    co_return Secret::take(*decoded);
}

net::Task<Preauth::Answer> Preauth::finish(LoginSuccess& success) {
    // The server's own proof of SCRAM travels as one more challenge, which the client answers with an empty
    // line.
    if (!success.final_bytes.empty()) {
        const auto response = co_await ask_client(success.final_bytes.reveal());
        if (!response || !response->empty()) co_return Answer{Condition::bad, "", "Authentication cancelled"};
    }
    logged_in_ = LoggedIn{tag_, success.account, std::move(success.login), std::move(success.proof), client_};
    co_return Answer{};
}

// RFC 5530, 3
Preauth::Answer Preauth::answer_to(LoginRefusal::Why why) {
    switch (why) {
        case LoginRefusal::Why::malformed:
            return {Condition::bad, "", "That is not what the mechanism prescribes"};
        case LoginRefusal::Why::not_authorized:
            return {Condition::no, "AUTHORIZATIONFAILED", "You may not act as somebody else"};
        case LoginRefusal::Why::unavailable:
            return {Condition::no, "UNAVAILABLE", "Logins cannot be checked now, try again later"};
        case LoginRefusal::Why::wrong_credentials:
            break;
    }
    return {Condition::no, "AUTHENTICATIONFAILED", "Wrong user name or password"};
}

void Preauth::answer(std::string_view tag, const Answer& given) {
    proto::write_condition(connection_.out(), tag, given.condition, given.code, given.text);
}

bool Preauth::count_bad(std::string_view tag, std::string_view text) {
    answer(tag, {Condition::bad, "", text});
    if (++bad_commands_ < kMaxBadCommands) return true;
    bye("Too many bad commands");
    return false;
}

void Preauth::bye(std::string_view text, std::string_view code) {
    over_ = true;
    proto::write_condition(connection_.out(), "*", Condition::bye, code, text);
}

std::string Preauth::capability_line() const {
    std::string line;
    capabilities_.write_before_login(
        line, {login_.starttls_possible(), !login_.passwords_allowed(), login_.mechanisms()});
    return line;
}

}  // namespace mailstead::imapd
