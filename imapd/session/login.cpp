#include "imapd/session/login.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "common/base/text.h"
#include "common/net/hangup_watch.h"
#include "common/runtime/log.h"
#include "common/runtime/metrics.h"

namespace mailstead::imapd {
namespace {

using Why = LoginRefusal::Why;

constexpr unsigned kMaxFailedLogins = 5;
constexpr std::string_view kPlus = "SCRAM-SHA-256-PLUS";

std::atomic<std::uint64_t> last_attempt{0};

metrics::Counter imap_failures("imap_logins_failed");
metrics::Counter pop3_failures("pop3_logins_failed");

Why why_of(ipc::AuthFailure::Kind kind) {
    switch (kind) {
        case ipc::AuthFailure::Kind::malformed:
            return Why::malformed;
        case ipc::AuthFailure::Kind::not_authorized:
            return Why::not_authorized;
        case ipc::AuthFailure::Kind::wrong_credentials:
            break;
    }
    return Why::wrong_credentials;
}

}  // namespace

Login::Login(LoginService& service, net::Stream& stream, const ListenerFacts& listener, ipc::Service protocol,
             std::string session_id)
    : service_(service),
      stream_(stream),
      listener_(listener),
      protocol_(protocol),
      session_id_(std::move(session_id)) {}

bool Login::passwords_allowed() const {
    return listener_.encryption == Encryption::none || stream_.is_tls();
}

bool Login::starttls_possible() const {
    return listener_.encryption == Encryption::starttls && listener_.tls != nullptr && !stream_.is_tls();
}

// `AUTH=PLAIN`, as IMAP spells it, or `SASL PLAIN`, as POP3 does.
bool Login::is_hidden(std::string_view mechanism) const {
    const auto names_it = [mechanism](const std::string& name) {
        return (text::istarts_with(name, "AUTH=") || text::istarts_with(name, "SASL ")) &&
               text::iequals(std::string_view(name).substr(5), mechanism);
    };
    const auto& hidden = listener_.hidden_capabilities;
    return std::any_of(hidden.begin(), hidden.end(), names_it);
}

std::vector<std::string_view> Login::mechanisms() const {
    std::vector<std::string_view> offered;
    const auto offer = [&](std::string_view mechanism) {
        if (!is_hidden(mechanism)) offered.push_back(mechanism);
    };
    // Under TLS there is always something to bind to: the certificate (RFC 5929, 4).
    if (stream_.is_tls()) offer(kPlus);
    offer("SCRAM-SHA-256");
    if (!passwords_allowed()) return offered;
    if (listener_.tokens) {
        offer("OAUTHBEARER");
        offer("XOAUTH2");
    }
    offer("PLAIN");
    offer("LOGIN");
    return offered;
}

bool Login::offers(std::string_view mechanism) const {
    const auto offered = mechanisms();
    return std::find(offered.begin(), offered.end(), mechanism) != offered.end();
}

net::Task<LoginAnswer> Login::begin(std::string mechanism, std::optional<Secret> initial) {
    conversation_ = 0;
    mechanism_ = std::move(mechanism);
    co_return co_await step(std::move(initial));
}

net::Task<LoginAnswer> Login::with_password(std::string_view user, const Secret& password) {
    // message = [authzid] UTF8NUL authcid UTF8NUL passwd   (RFC 4616, 2); a NUL in `user` or in the password
    // makes it malformed.
    std::string message;
    message.reserve(user.size() + password.reveal().size() + 2);
    message += '\0';
    message += user;
    message += '\0';
    message += password.reveal();
    std::optional<Secret> initial = Secret::take(message);
    co_return co_await begin("PLAIN", std::move(initial));
}

net::Task<LoginAnswer> Login::respond(Secret bytes) {
    std::optional<Secret> message = std::move(bytes);
    co_return co_await step(std::move(message));
}

net::Task<LoginAnswer> Login::step(std::optional<Secret> bytes) {
    ipc::AuthStep question;
    question.conversation = std::exchange(conversation_, 0);
    question.service = protocol_;
    question.client_ip = stream_.peer().ip;
    question.mechanism = mechanism_;
    question.has_initial = bytes.has_value();
    question.under_tls = stream_.is_tls();
    if (bytes) question.client_bytes = *std::move(bytes);
    if (question.conversation == 0) question.bindings = bindings();
    attempt_ = ++last_attempt;
    question.attempt = attempt_;
    const auto gone = [](void* self) { static_cast<Login*>(self)->hung_up(); };
    const net::HangupWatch watch(stream_, gone, this);
    auto answered = co_await service_.step(std::move(question));
    if (!answered) {
        log::warning("login.unavailable", {{"session", session_id_}, {"reason", answered.error().what}});
        co_return LoginRefusal{Why::unavailable};
    }
    if (auto* challenge = std::get_if<ipc::AuthChallenge>(&answered->outcome)) {
        conversation_ = challenge->conversation;
        co_return LoginChallenge{std::move(challenge->bytes)};
    }
    if (auto* success = std::get_if<ipc::AuthSuccess>(&answered->outcome)) {
        co_return LoginSuccess{success->account,
                               std::move(success->login),
                               std::move(success->final_bytes),
                               {std::move(success->credential), success->epoch}};
    }
    if (auto* failure = std::get_if<ipc::AuthFailure>(&answered->outcome)) co_return refuse(*failure);
    co_return LoginRefusal{Why::unavailable};
}

void Login::cancel() {
    if (conversation_ != 0) service_.cancel({std::exchange(conversation_, 0), 0});
}

// Nobody waits for the answer any more: it comes at once.
void Login::hung_up() {
    log::info("login.abandoned", {{"session", session_id_}});
    service_.cancel({0, attempt_});
}

LoginRefusal Login::refuse(const ipc::AuthFailure& failure) {
    ++failures_;
    const bool imap = protocol_ == ipc::Service::imap;
    (imap ? imap_failures : pop3_failures).add();
    const std::string peer = stream_.peer().to_string();
    log::info(imap ? "imap.login.failed" : "pop3.login.failed",
              {{"session", session_id_}, {"peer", peer}, {"reason", failure.reason}});
    return {why_of(failure.kind)};
}

bool Login::too_many_failures() const {
    return failures_ >= kMaxFailedLogins;
}

// RFC 5802, 6: a client that could bind and was not told that we can says "y", which is a downgrade only
// where -PLUS was offered. Other mechanisms have no use for bindings, and computing them costs.
ipc::ChannelBindings Login::bindings() const {
    if (!stream_.is_tls() || !mechanism_.starts_with("SCRAM-") || is_hidden(kPlus)) return {};
    return {stream_.channel_binding(net::ChannelBinding::tls_exporter),
            stream_.channel_binding(net::ChannelBinding::tls_unique),
            stream_.channel_binding(net::ChannelBinding::tls_server_end_point)};
}

}  // namespace mailstead::imapd
