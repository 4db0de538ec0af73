#include "imapd/session/preauth.h"

#include <algorithm>
#include <chrono>

#include "common/base/base64.h"
#include "common/runtime/log.h"
#include "imapd/proto/response.h"

namespace mailstead::imapd {
namespace {

using proto::Condition;
using proto::Framer;
using proto::Verb;

constexpr unsigned kMaxBadCommands = 10;
constexpr unsigned kMaxFailedLogins = 5;

struct Binding {
    std::string_view name;
    net::ChannelBinding kind;
};
// Best first.
constexpr Binding kBindings[] = {{"tls-exporter", net::ChannelBinding::tls_exporter},
                                 {"tls-server-end-point", net::ChannelBinding::tls_server_end_point},
                                 {"tls-unique", net::ChannelBinding::tls_unique}};

// gs2-cbind-flag = ("p=" cb-name) / "n" / "y"   (RFC 5802, 7): the binding that the client wants, empty for
// none.
std::string_view wanted_binding(std::string_view client_first) {
    if (!client_first.starts_with("p=")) return {};
    return client_first.substr(2, client_first.find(',') - 2);
}

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
      service_(service),
      listener_(listener),
      session_id_(std::move(session_id)),
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
    if (failed_logins_ < kMaxFailedLogins) co_return !over_;
    bye("Too many failed logins");
    co_return false;
}

net::Task<bool> Preauth::start_tls(std::string tag) {
    if (!starttls_possible()) co_return count_bad(tag, "STARTTLS is not available");
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

// The LOGIN command is PLAIN by another spelling.
net::Task<Preauth::Answer> Preauth::log_in(proto::Login& login) {
    if (!passwords_allowed()) co_return Answer{Condition::no, "PRIVACYREQUIRED", "Use STARTTLS first"};
    // A NUL would end the user name inside the PLAIN message; the grammar has none (RFC 9051, 9).
    std::string message;
    message += '\0';
    message += login.user;
    message += '\0';
    message += login.password.reveal();
    ipc::AuthStep step = first_step();
    step.mechanism = "PLAIN";
    step.has_initial = true;
    step.client_bytes = Secret::take(message);
    co_return co_await converse(std::move(step));
}

net::Task<Preauth::Answer> Preauth::authenticate(proto::Authenticate& request) {
    const auto offered = mechanisms();
    if (std::find(offered.begin(), offered.end(), request.mechanism) == offered.end()) {
        const bool needs_tls =
            !passwords_allowed() && (request.mechanism == "PLAIN" || request.mechanism == "LOGIN");
        if (needs_tls) co_return Answer{Condition::no, "PRIVACYREQUIRED", "Use STARTTLS first"};
        co_return Answer{Condition::no, "CANNOT", "No such mechanism"};
    }
    chosen_binding_.clear();
    ipc::AuthStep step = first_step();
    step.mechanism = request.mechanism;
    step.has_initial = request.initial.has_value();
    if (request.initial) step.client_bytes = Secret::take(*request.initial);
    co_return co_await converse(std::move(step));
}

net::Task<Preauth::Answer> Preauth::converse(ipc::AuthStep step) {
    constexpr int kMaxSteps = 10;
    for (int i = 0; i < kMaxSteps; ++i) {
        const std::string_view wanted = wanted_binding(step.client_bytes.reveal());
        if (!wanted.empty() && step.mechanism.ends_with("-PLUS")) choose_binding(step, wanted);
        ipc::AuthStep following = first_step();
        following.mechanism = step.mechanism;
        auto answered = co_await service_.step(std::move(step));
        if (!answered)
            co_return Answer{Condition::no, "UNAVAILABLE", "Logins cannot be checked now, try again later"};
        if (auto* success = std::get_if<ipc::AuthSuccess>(&answered->outcome))
            co_return co_await finish(*success);
        if (auto* failure = std::get_if<ipc::AuthFailure>(&answered->outcome)) co_return refuse(*failure);
        auto* challenge = std::get_if<ipc::AuthChallenge>(&answered->outcome);
        if (challenge == nullptr)
            co_return Answer{Condition::no, "UNAVAILABLE", "Too many logins at once, try again later"};
        following.conversation = challenge->conversation;
        auto response = co_await ask_client(challenge->bytes.reveal());
        if (!response) {
            service_.cancel(following.conversation);
            co_return Answer{Condition::bad, "", "Authentication cancelled"};
        }
        following.client_bytes = std::move(*response);
        step = std::move(following);
    }
    service_.cancel(step.conversation);
    co_return Answer{Condition::bad, "", "Too many steps"};
}

// The client's first message of a -PLUS mechanism names the binding; the data must be of that kind.
void Preauth::choose_binding(ipc::AuthStep& step, std::string_view wanted) {
    chosen_binding_ = std::string(wanted.substr(0, 64));
    ipc::AuthStep bound = first_step();
    step.binding_type = std::move(bound.binding_type);
    step.binding_data = std::move(bound.binding_data);
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

net::Task<Preauth::Answer> Preauth::finish(ipc::AuthSuccess& success) {
    // The server's own proof of SCRAM travels as one more challenge, which the client answers with an empty
    // line.
    if (!success.final_bytes.empty()) {
        const auto response = co_await ask_client(success.final_bytes.reveal());
        if (!response || !response->empty()) co_return Answer{Condition::bad, "", "Authentication cancelled"};
    }
    logged_in_ = LoggedIn{tag_, success.account, std::move(success.login)};
    co_return Answer{};
}

Preauth::Answer Preauth::refuse(const ipc::AuthFailure& failure) {
    ++failed_logins_;
    const std::string peer = connection_.stream().peer().to_string();
    log::info("imap.login.failed", {{"session", session_id_}, {"peer", peer}, {"reason", failure.reason}});
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

bool Preauth::passwords_allowed() const {
    return listener_.encryption == Encryption::none || connection_.stream().is_tls();
}

bool Preauth::starttls_possible() const {
    return listener_.encryption == Encryption::starttls && listener_.tls != nullptr &&
           !connection_.stream().is_tls();
}

std::vector<std::string_view> Preauth::mechanisms() const {
    std::vector<std::string_view> offered;
    const net::Stream& stream = connection_.stream();
    const auto offer = [&](Capability capability, std::string_view mechanism) {
        if (capabilities_.has(capability)) offered.push_back(mechanism);
    };
    if (stream.is_tls() && !first_step().binding_type.empty())
        offer(Capability::auth_scram_plus, "SCRAM-SHA-256-PLUS");
    offer(Capability::auth_scram, "SCRAM-SHA-256");
    if (passwords_allowed()) {
        offer(Capability::auth_plain, "PLAIN");
        offer(Capability::auth_login, "LOGIN");
    }
    return offered;
}

std::string Preauth::capability_line() const {
    std::string line;
    capabilities_.write_before_login(line, {starttls_possible(), !passwords_allowed(), mechanisms()});
    return line;
}

ipc::AuthStep Preauth::first_step() const {
    ipc::AuthStep step;
    const net::Stream& stream = connection_.stream();
    step.service = ipc::Service::imap;
    step.client_ip = stream.peer().ip;
    step.under_tls = stream.is_tls();
    // RFC 5802, 6: a client that could bind and was not told that we can says "y", which is a downgrade only
    // where -PLUS was offered.
    if (!step.under_tls || !capabilities_.has(Capability::auth_scram_plus)) return step;
    for (const Binding& binding : kBindings) {
        if (!chosen_binding_.empty() && chosen_binding_ != binding.name) continue;
        step.binding_data = stream.channel_binding(binding.kind);
        if (step.binding_data.empty()) continue;
        step.binding_type = std::string(binding.name);
        break;
    }
    return step;
}

}  // namespace mailstead::imapd
