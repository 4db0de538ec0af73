// The bytes of a message, by DATA or BDAT.
#include <algorithm>

#include "smtpd/session/session.h"

namespace mailstead::smtpd {

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
        if (failure) co_return on_failure(*failure);
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
        if (failure) co_return on_failure(*failure);
        auto next = take_chunk(action);
        if (next) co_return *std::move(next);
    }
}

}  // namespace mailstead::smtpd
