#include "smtpd/session/session.h"

#include <algorithm>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include "common/base/secret.h"
#include "common/net/event.h"
#include "common/runtime/log.h"
#include "common/runtime/metrics.h"
#include "common/sasl/exchange.h"

namespace mailstead::smtpd {
namespace {

constexpr net::Timeout kWriteTimeout{5 * 60'000};  // RFC 5321, 4.5.3.2
constexpr net::Timeout kCloseTimeout{5'000};

metrics::Counter tls_failures("smtp_tls_failures");
metrics::Counter logins_failed("smtp_logins_failed");
metrics::Counter recipients_refused("smtp_recipients_refused");

// Sixty random bits: unique enough for as long as anyone asks for a message by it.
std::string make_id() {
    static constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";
    const std::string random = random_bytes(12);
    std::string id;
    for (const char c : random) id += kDigits[static_cast<unsigned char>(c) % kDigits.size()];
    return id;
}

Failure failure_of(const net::IoError& error) {
    if (error.kind == net::IoFailure::timed_out) return Failure::timed_out;
    if (error.kind == net::IoFailure::cancelled) return Failure::shutting_down;
    return Failure::disconnected;
}

sasl::ChannelBindings bindings_of(const net::Stream& stream) {
    return {.tls_exporter = stream.channel_binding(net::ChannelBinding::tls_exporter),
            .tls_unique = stream.channel_binding(net::ChannelBinding::tls_unique),
            .tls_server_end_point = stream.channel_binding(net::ChannelBinding::tls_server_end_point)};
}

}  // namespace

Session::Session(Worker& worker, const Profile& profile, net::Stream stream)
    : worker_(worker),
      profile_(profile),
      stream_(std::move(stream)),
      id_(make_id()),
      client_ip_(stream_.peer().ip.to_string()) {}

Session::~Session() {
    if (conversation_ != 0) worker_.deliver->cancel_authentication(conversation_);
}

net::Task<void> Session::run(TlsStart tls) {
    std::optional<TlsReady> ready;
    if (tls == TlsStart::at_once) {
        const bool begun = co_await begin_tls(profile_.limits.tls_timeout);
        if (!begun) co_return;
        ready = tls_ready();
    }
    core_.emplace(profile_, id_, std::move(ready));
    Action action = core_->start();
    while (!std::holds_alternative<Close>(action)) {
        if (auto next = perform_now(action)) {
            action = *std::move(next);
            continue;
        }
        Action next = co_await perform(std::move(action));
        action = std::move(next);
    }
    const bool sent = co_await flush();
    if (sent) co_await stream_.shutdown(kCloseTimeout);
}

std::optional<Action> Session::perform_now(const Action& action) {
    if (const auto* line = std::get_if<ReadLine>(&action)) return take_line(*line);
    if (const auto* to = std::get_if<ResolveRecipient>(&action)) return resolve(*to);
    if (const auto* from = std::get_if<CheckSender>(&action)) return check_sender(*from);
    if (const auto* open = std::get_if<OpenBody>(&action)) return open_body(*open);
    if (const auto* body = std::get_if<ReadBody>(&action)) return take_body(*body);
    if (const auto* chunk = std::get_if<ReadChunk>(&action)) return take_chunk(*chunk);
    if (std::holds_alternative<DropBody>(action)) {
        intake_.reset();
        return core_->resume();
    }
    const auto* step = std::get_if<AuthStep>(&action);
    if (step && step->kind == AuthStep::Kind::cancel) {
        if (conversation_ != 0) worker_.deliver->cancel_authentication(std::exchange(conversation_, 0));
        return core_->resume();
    }
    return std::nullopt;
}

net::Task<Action> Session::perform(Action action) {
    if (auto* line = std::get_if<ReadLine>(&action)) co_return co_await read_line(*line);
    if (auto* body = std::get_if<ReadBody>(&action)) co_return co_await read_body(*body);
    if (auto* chunk = std::get_if<ReadChunk>(&action)) co_return co_await read_chunk(*chunk);
    if (auto* tls = std::get_if<StartTls>(&action)) co_return co_await start_tls(*tls);
    if (auto* step = std::get_if<AuthStep>(&action)) co_return co_await authenticate(std::move(*step));
    if (std::holds_alternative<ResolveRecipient>(action)) co_return co_await ask_quota();
    if (std::holds_alternative<Deliver>(action)) co_return co_await deliver();
    if (auto* wait = std::get_if<Pause>(&action)) co_return co_await pause(*wait);
    co_return Close{};
}

net::Task<bool> Session::flush() {
    std::string& replies = core_->replies();
    if (replies.empty()) co_return true;
    const std::string_view bytes = replies;
    const auto written = co_await stream_.write_all(bytes, kWriteTimeout);
    replies.clear();
    co_return written.has_value();
}

net::Task<std::optional<Failure>> Session::receive(Clock::time_point deadline) {
    const bool sent = co_await flush();
    if (!sent) co_return Failure::disconnected;
    const auto left = std::chrono::duration_cast<net::Timeout>(deadline - Clock::now());
    if (left <= net::Timeout::zero()) co_return Failure::timed_out;
    const auto got = co_await stream_.fill(buffer_, left);
    if (!got) co_return failure_of(got.error());
    co_return std::nullopt;
}

// ---- commands

std::optional<Action> Session::take_line(const ReadLine& action) {
    const LineReader::Found found = lines_.next(buffer_.view(), action.limit);
    std::optional<Action> next;
    if (found.complete) next = core_->on_line(found.line);
    buffer_.consume(found.consume);
    return next;
}

net::Task<Action> Session::read_line(ReadLine action) {
    const Clock::time_point deadline = Clock::now() + action.timeout;
    for (;;) {
        // A shutdown during a hand-over was not heard, see deliver().
        if (worker_.environment.stopping && !core_->busy())
            co_return core_->on_failure(Failure::shutting_down);
        const auto failure = co_await receive(deadline);
        if (failure) co_return core_->on_failure(*failure);
        auto next = take_line(action);
        if (next) co_return *std::move(next);
    }
}

net::Task<Action> Session::pause(Pause action) {
    const bool sent = co_await flush();
    if (!sent) co_return core_->on_failure(Failure::disconnected);
    const auto slept = co_await net::sleep_for(action.duration);
    if (!slept) co_return core_->on_failure(Failure::shutting_down);
    co_return core_->resume();
}

// ---- TLS

net::Task<bool> Session::begin_tls(Milliseconds timeout) {
    const auto begun = co_await stream_.accept_tls(worker_.environment.tls, buffer_, timeout);
    lines_.reset();
    if (!begun) {
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
    const sasl::ChannelBindings bindings = bindings_of(stream_);
    if (!bindings.tls_exporter.empty()) {
        binding_type_ = "tls-exporter";
        binding_data_ = bindings.tls_exporter;
    } else if (!bindings.tls_unique.empty()) {
        binding_type_ = "tls-unique";
        binding_data_ = bindings.tls_unique;
    } else if (!bindings.tls_server_end_point.empty()) {
        binding_type_ = "tls-server-end-point";
        binding_data_ = bindings.tls_server_end_point;
    }
    for (const std::string_view mechanism : sasl::mechanisms(bindings)) {
        if (!ready.auth_mechanisms.empty()) ready.auth_mechanisms += ' ';
        ready.auth_mechanisms += mechanism;
    }
    return ready;
}

// ---- logging in

net::Task<Action> Session::authenticate(AuthStep step) {
    const std::string mechanism = step.mechanism;
    ipc::AuthStep question;
    question.conversation = std::exchange(conversation_, 0);
    question.service = ipc::Service::submission;
    question.client_ip = stream_.peer().ip;
    question.mechanism = std::move(step.mechanism);
    question.has_initial = step.message.has_value();
    if (step.message) question.client_bytes = Secret::take(*step.message);
    question.binding_type = binding_type_;
    question.binding_data = binding_data_;
    question.under_tls = stream_.is_tls();
    auto answer = co_await worker_.deliver->authenticate(std::move(question));
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
    co_return core_->on_auth(
        AuthRefused{failure ? AuthRefusal::wrong_credentials : AuthRefusal::unavailable});
}

// ---- envelope

Action Session::check_sender(const CheckSender& action) {
    const auto allowed = worker_.environment.directory.may_send_as(core_->identity()->account, action.from);
    if (!allowed) {
        log::error("smtp.directory.failed", {{"session", id_}, {"why", allowed.error().what}});
        return core_->on_sender(SenderVerdict::unavailable);
    }
    if (!*allowed) {
        log::info("smtp.sender.reject", {{"session", id_},
                                         {"peer", client_ip_},
                                         {"login", core_->identity()->login},
                                         {"from", action.from.to_string()}});
        worker_.deliver->record({.trace_id = core_->transaction().id,
                                 .time = now(),
                                 .stage = "refused",
                                 .fields = {{"why", "sender is no address of the account"},
                                            {"login", core_->identity()->login},
                                            {"from", action.from.to_string()},
                                            {"peer", client_ip_}}});
    }
    return core_->on_sender(*allowed ? SenderVerdict::allowed : SenderVerdict::not_yours);
}

std::optional<Action> Session::resolve(const ResolveRecipient& action) {
    const directory::Directory& directory = worker_.environment.directory;
    const auto resolution = action.to ? directory.resolve(*action.to) : directory.resolve_postmaster();
    // Domain::parse took the host name at start.
    Address to = action.to ? *action.to : *Address::parse("postmaster@" + profile_.hostname);
    RecipientVerdict verdict{.status = RecipientStatus::unavailable, .to = std::move(to), .targets = {}};
    if (!resolution) {
        log::error("smtp.directory.failed", {{"session", id_}, {"why", resolution.error().what}});
        return answer_recipient(std::move(verdict));
    }
    if (std::holds_alternative<directory::NotOurDomain>(*resolution)) {
        verdict.status = RecipientStatus::not_ours;
        verdict.targets.remote.push_back(verdict.to);
        return answer_recipient(std::move(verdict));
    }
    if (std::holds_alternative<directory::UnknownUser>(*resolution)) {
        verdict.status = RecipientStatus::unknown_user;
        return answer_recipient(std::move(verdict));
    }
    verdict.status = RecipientStatus::accepted;
    verdict.targets = std::get<directory::Targets>(*resolution);
    // Only a mailbox that is alone can refuse; where several get the mail, one that is full fails by itself
    // later.
    if (verdict.targets.local.size() != 1 || !verdict.targets.remote.empty())
        return answer_recipient(std::move(verdict));
    pending_account_ = verdict.targets.local[0].account;
    const auto account = directory.find_account(pending_account_);
    if (!account || !*account || (*account)->quota_bytes == 0) return answer_recipient(std::move(verdict));
    pending_recipient_ = std::move(verdict);
    return std::nullopt;
}

net::Task<Action> Session::ask_quota() {
    const std::uint64_t size = core_->transaction().mail.size.value_or(0);
    const auto over = co_await worker_.deliver->over_quota(pending_account_, size);
    RecipientVerdict verdict = *std::move(pending_recipient_);
    pending_recipient_.reset();
    // Without an answer the message is taken: deliver decides again when it has all of it.
    if (over && *over) verdict.status = RecipientStatus::over_quota;
    co_return answer_recipient(std::move(verdict));
}

Action Session::answer_recipient(RecipientVerdict verdict) {
    const auto& identity = core_->identity();
    const bool taken = verdict.status == RecipientStatus::accepted ||
                       (identity && verdict.status == RecipientStatus::not_ours);
    if (taken && identity && !worker_.environment.rate.take(identity->account, Clock::now())) {
        verdict.status = RecipientStatus::too_many;
    }
    if (taken && verdict.status != RecipientStatus::too_many) return core_->on_recipient(std::move(verdict));
    static constexpr std::string_view kWhy[] = {"accepted",   "no such user",        "relaying denied",
                                                "over quota", "too many recipients", "directory unavailable"};
    const std::string_view why = kWhy[static_cast<std::size_t>(verdict.status)];
    const std::string to = verdict.to.to_string();
    const std::string from = to_string(core_->transaction().mail.from);
    recipients_refused.add();
    log::info(
        "smtp.rcpt.reject",
        {{"id", core_->transaction().id}, {"peer", client_ip_}, {"from", from}, {"to", to}, {"why", why}});
    worker_.deliver->record(
        {.trace_id = core_->transaction().id,
         .time = now(),
         .stage = "refused",
         .fields = {{"why", std::string(why)}, {"from", from}, {"to", to}, {"peer", client_ip_}}});
    return core_->on_recipient(std::move(verdict));
}

// ---- bodies

Action Session::open_body(const OpenBody& action) {
    Environment& shared = worker_.environment;
    if (!shared.spool.has_room(action.announced.value_or(0))) return core_->on_room(Room::disk_full);
    std::shared_ptr<Verification> verification;
    if (profile_.service == Service::exchange) {
        verification =
            std::make_shared<Verification>(*worker_.resolver, worker_.background,
                                           VerificationInput{.client = dns::to_dns(stream_.peer().ip),
                                                             .helo = core_->greeting()->hello.name,
                                                             .mail_from = core_->transaction().mail.from,
                                                             .receiver = shared.hostname,
                                                             .now = now()});
    }
    intake_ = std::make_unique<Intake>(shared.spool, shared.memory, verification);
    if (!intake_->open(action.announced)) {
        intake_.reset();
        return core_->on_room(Room::memory_full);
    }
    if (verification) verification->start();
    in_chunk_ = false;
    body_deadline_ = Clock::time_point();
    return core_->on_room(Room::enough);
}

BodyOutcome Session::body_outcome() const {
    return {.octets = 0, .fault = intake_->fault(), .disk_full = intake_->error().has_value()};
}

std::optional<Action> Session::take_body(const ReadBody& action) {
    if (body_deadline_ == Clock::time_point()) body_deadline_ = Clock::now() + action.total;
    buffer_.consume(intake_->data(buffer_.view(), action.limits));
    if (!intake_->data_done()) return std::nullopt;
    intake_->finish();
    return core_->on_body(body_outcome());
}

net::Task<Action> Session::read_body(ReadBody action) {
    for (;;) {
        const auto failure = co_await receive(std::min(Clock::now() + action.timeout, body_deadline_));
        if (failure) co_return core_->on_failure(*failure);
        auto next = take_body(action);
        if (next) co_return *std::move(next);
    }
}

std::optional<Action> Session::take_chunk(const ReadChunk& action) {
    if (!std::exchange(in_chunk_, true)) {
        if (body_deadline_ == Clock::time_point() || !action.keep)
            body_deadline_ = Clock::now() + action.total;
        skip_ = action.octets;
        if (action.keep) intake_->begin_chunk(action.octets, action.last, action.limits);
    }
    if (!action.keep) {
        const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, buffer_.size()));
        buffer_.consume(size);
        skip_ -= size;
        if (skip_ > 0) return std::nullopt;
        in_chunk_ = false;
        return core_->on_chunk({});
    }
    buffer_.consume(intake_->chunk(buffer_.view()));
    if (!intake_->chunk_complete()) return std::nullopt;
    in_chunk_ = false;
    if (action.last) intake_->finish();
    return core_->on_chunk(body_outcome());
}

net::Task<Action> Session::read_chunk(ReadChunk action) {
    for (;;) {
        const auto failure = co_await receive(std::min(Clock::now() + action.timeout, body_deadline_));
        if (failure) co_return core_->on_failure(*failure);
        auto next = take_chunk(action);
        if (next) co_return *std::move(next);
    }
}

net::Task<Action> Session::deliver() {
    // From here on somebody else may have taken the message: a shutdown must wait for the answer, or the
    // client would send it again.
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::enable_terminal_cancellation());
    const smtp::Reply reply = co_await hand_off();
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::enable_total_cancellation());
    co_return core_->on_delivered(reply);
}

}  // namespace mailstead::smtpd
