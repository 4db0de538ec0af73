#include "smtpd/session/session.h"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include "common/base/secret.h"
#include "common/net/event.h"

namespace mailstead::smtpd {
namespace {

constexpr net::Timeout kWriteTimeout{5 * 60'000};  // RFC 5321, 4.5.3.2
constexpr net::Timeout kCloseTimeout{5'000};

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

}  // namespace

Session::Session(Worker& worker, const Profile& profile, net::Stream stream)
    : worker_(worker),
      profile_(profile),
      stream_(std::move(stream)),
      id_(make_id()),
      client_ip_(stream_.peer().ip.to_string()),
      last_call_(stream_) {}

Session::~Session() {
    if (conversation_ != 0) worker_.deliver->cancel_authentication({conversation_, 0});
    if (enlisted_) worker_.sessions->leave(id_);
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
    if (broken_) co_return;
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
        if (conversation_ != 0) worker_.deliver->cancel_authentication({std::exchange(conversation_, 0), 0});
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
    broken_ = broken_ || !written;
    co_return written.has_value();
}

net::Task<std::optional<Failure>> Session::receive(Clock::time_point deadline) {
    const bool sent = co_await flush();
    if (!sent) co_return Failure::disconnected;
    const auto left = std::chrono::duration_cast<net::Timeout>(deadline - Clock::now());
    if (left <= net::Timeout::zero()) co_return Failure::timed_out;
    const auto got = co_await stream_.fill(buffer_, left);
    if (!got) {
        const Failure failure = failure_of(got.error());
        broken_ = failure == Failure::disconnected;
        co_return failure;
    }
    co_return std::nullopt;
}

std::optional<Action> Session::take_line(const ReadLine& action) {
    const LineReader::Found found = lines_.next(buffer_.view(), action.limit);
    std::optional<Action> next;
    if (found.complete && ended_) return core_->on_revoked(ipc::to_sentence(*ended_));
    if (found.complete && enlisted_) note_command(found.line.text);
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
        if (failure) co_return on_failure(*failure);
        auto next = take_line(action);
        if (next) co_return *std::move(next);
    }
}

net::Task<Action> Session::pause(Pause action) {
    const bool sent = co_await flush();
    if (!sent) co_return core_->on_failure(Failure::disconnected);
    const auto slept = co_await net::sleep_for(action.duration);
    if (!slept) co_return on_failure(Failure::shutting_down);
    co_return core_->resume();
}

net::Task<Action> Session::deliver() {
    // From here on somebody else may have taken the message: a shutdown must wait for the answer, or the
    // client would send it again.
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::enable_terminal_cancellation());
    last_call_.hold(true);
    const smtp::Reply reply = co_await hand_off();
    last_call_.hold(false);
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::enable_total_cancellation());
    co_return core_->on_delivered(reply);
}

Action Session::on_failure(Failure failure) {
    if (ended_ && failure == Failure::shutting_down) return core_->on_revoked(ipc::to_sentence(*ended_));
    return core_->on_failure(failure);
}

}  // namespace mailstead::smtpd
