// TLS and logging in.
#include <algorithm>
#include <atomic>

#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/net/hangup_watch.h"
#include "common/runtime/log.h"
#include "common/runtime/metrics.h"
#include "common/sasl/exchange.h"
#include "smtpd/session/session.h"

namespace mailstead::smtpd {
namespace {

constexpr std::size_t kMaxVerb = 8;
constexpr std::size_t kMaxName = 128;

std::atomic<std::uint64_t> last_attempt{0};

metrics::Counter tls_failures("smtp_tls_failures");
metrics::Counter logins_failed("smtp_logins_failed");

sasl::ChannelBindings bindings_of(const net::Stream& stream) {
    return {.tls_exporter = stream.channel_binding(net::ChannelBinding::tls_exporter),
            .tls_unique = stream.channel_binding(net::ChannelBinding::tls_unique),
            .tls_server_end_point = stream.channel_binding(net::ChannelBinding::tls_server_end_point)};
}

// RFC 4954, 6: 501 is for what no password could have mended.
AuthRefusal refusal_of(ipc::AuthFailure::Kind kind) {
    return kind == ipc::AuthFailure::Kind::malformed ? AuthRefusal::malformed
                                                     : AuthRefusal::wrong_credentials;
}

}  // namespace

net::Task<bool> Session::begin_tls(Milliseconds timeout) {
    const auto begun = co_await stream_.accept_tls(worker_.environment.tls, buffer_, timeout);
    lines_.reset();
    if (!begun) {
        broken_ = true;
        tls_failures.add();
        log::info("smtp.tls.failed",
                  {{"session", id_}, {"peer", client_ip_}, {"why", net::describe(begun.error())}});
        co_return false;
    }
    tls_facts_ = stream_.tls_facts();
    co_return true;
}

net::Task<Action> Session::start_tls(StartTls action) {
    const bool sent = co_await flush();
    if (!sent) co_return core_->on_failure(Failure::disconnected);
    const bool begun = co_await begin_tls(action.timeout);
    if (!begun) co_return core_->on_failure(Failure::disconnected);
    co_return core_->on_tls(tls_ready());
}

TlsReady Session::tls_ready() {
    TlsReady ready;
    if (profile_.service != Service::submission) return ready;
    // RFC 5802, 6: a client that could bind and was not told that we can says "y", which is a downgrade only
    // where -PLUS was offered.
    const sasl::ChannelBindings bindings =
        profile_.offers("AUTH SCRAM-SHA-256-PLUS") ? bindings_of(stream_) : sasl::ChannelBindings{};
    bindings_ = {bindings.tls_exporter, bindings.tls_unique, bindings.tls_server_end_point};
    for (const std::string_view mechanism :
         sasl::mechanisms(bindings, profile_.tokens ? sasl::Tokens::yes : sasl::Tokens::no)) {
        if (!profile_.offers("AUTH " + std::string(mechanism))) continue;
        if (!ready.auth_mechanisms.empty()) ready.auth_mechanisms += ' ';
        ready.auth_mechanisms += mechanism;
    }
    return ready;
}

net::Task<Action> Session::authenticate(AuthStep step) {
    const std::string mechanism = step.mechanism;
    ipc::AuthStep question;
    question.conversation = std::exchange(conversation_, 0);
    question.service = ipc::Service::submission;
    question.client_ip = stream_.peer().ip;
    question.mechanism = std::move(step.mechanism);
    question.has_initial = step.message.has_value();
    if (step.message) question.client_bytes = Secret::take(*step.message);
    if (question.conversation == 0) question.bindings = bindings_;
    question.under_tls = stream_.is_tls();
    attempt_ = ++last_attempt;
    question.attempt = attempt_;
    std::optional<Result<ipc::AuthAnswer>> answered;
    {
        const auto gone = [](void* self) { static_cast<Session*>(self)->hung_up(); };
        const net::HangupWatch watch(stream_, gone, this);
        auto got = co_await worker_.deliver->authenticate(std::move(question));
        answered.emplace(std::move(got));
    }
    Result<ipc::AuthAnswer>& answer = *answered;
    if (hung_up_) co_return core_->on_failure(Failure::disconnected);
    if (!answer) {
        log::warning("smtp.auth.unavailable",
                     {{"session", id_}, {"peer", client_ip_}, {"why", answer.error().what}});
        co_return core_->on_auth(AuthRefused{AuthRefusal::unavailable});
    }
    if (auto* challenge = std::get_if<ipc::AuthChallenge>(&answer->outcome)) {
        conversation_ = challenge->conversation;
        co_return core_->on_auth(AuthChallenge{std::string(challenge->bytes.reveal())});
    }
    if (auto* success = std::get_if<ipc::AuthSuccess>(&answer->outcome)) {
        log::info(
            "smtp.auth.ok",
            {{"session", id_}, {"peer", client_ip_}, {"login", success->login}, {"mechanism", mechanism}});
        worker_.deliver->record({.trace_id = id_,
                                 .time = now(),
                                 .stage = "auth",
                                 .fields = {{"result", "ok"},
                                            {"login", success->login},
                                            {"mechanism", mechanism},
                                            {"peer", client_ip_}}});
        if (worker_.sessions) {
            since_ = last_time_ = now();
            last_command_ = "AUTH";
            enlisted_ = true;
            worker_.sessions->enter(*this, id_, success->account, std::move(success->credential),
                                    success->epoch);
        }
        co_return core_->on_auth(AuthAccepted{.account = success->account,
                                              .login = std::move(success->login),
                                              .final_bytes = std::string(success->final_bytes.reveal())});
    }
    const auto* failure = std::get_if<ipc::AuthFailure>(&answer->outcome);
    const std::string why = failure ? failure->reason : std::get<ipc::AuthBusy>(answer->outcome).reason;
    logins_failed.add();
    log::info("smtp.auth.failed",
              {{"session", id_}, {"peer", client_ip_}, {"mechanism", mechanism}, {"why", why}});
    worker_.deliver->record({.trace_id = id_,
                             .time = now(),
                             .stage = "auth",
                             .fields = {{"result", failure ? "failed" : "busy"},
                                        {"mechanism", mechanism},
                                        {"peer", client_ip_},
                                        {"why", why}}});
    co_return core_->on_auth(AuthRefused{failure ? refusal_of(failure->kind) : AuthRefusal::unavailable});
}

// Nobody waits for the answer any more: it comes at once.
void Session::hung_up() {
    hung_up_ = true;
    broken_ = true;
    log::info("smtp.auth.abandoned", {{"session", id_}, {"peer", client_ip_}});
    worker_.deliver->cancel_authentication({0, attempt_});
}

void Session::note_command(std::string_view line) {
    last_time_ = now();
    last_command_ = text::upper(line.substr(0, std::min(line.find(' '), kMaxVerb)));
}

ipc::SessionFacts Session::facts() const {
    ipc::SessionFacts facts;
    facts.service = ipc::Service::submission;
    if (core_->identity()) facts.login = core_->identity()->login;
    if (core_->greeting()) facts.client = text::quote_for_log(core_->greeting()->hello.name, kMaxName);
    facts.peer = stream_.peer();
    facts.tls = tls_facts_.version;
    facts.since = since_;
    facts.last_time = last_time_;
    facts.last_command = last_command_;
    return facts;
}

void Session::end(ipc::EndReason reason) {
    ended_ = reason;
    log::info("smtp.ended", {{"session", id_}, {"peer", client_ip_}, {"why", ipc::to_sentence(reason)}});
    last_call_.begin();
}

}  // namespace mailstead::smtpd
