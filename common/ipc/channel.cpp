#include "common/ipc/channel.h"

#include <boost/asio/post.hpp>

#include "common/ipc/connection.h"

namespace mailstead::ipc {

namespace {

// The peer is on this machine: one that takes nothing for so long is stuck.
constexpr net::Timeout kWriteTimeout = std::chrono::seconds(30);
constexpr net::Timeout kForever = std::chrono::hours(24);

}  // namespace

Message refuse(std::string reason) {
    return make_message(Refused{std::move(reason)});
}

Connection::Connection(net::Stream stream, const ChannelLimits& limits, net::TaskGroup& tasks)
    : stream_(std::move(stream)),
      limits_(limits),
      tasks_(tasks),
      in_(limits),
      may_read_again_(tasks.context()) {}

void Connection::push(Frame frame) {
    if (!open_) return;
    out_.push(std::move(frame));
    if (flush_posted_ || writing_rest_) return;
    flush_posted_ = true;
    boost::asio::post(tasks_.context(), [self = shared_from_this()] {
        self->flush_posted_ = false;
        self->flush();
    });
}

void Connection::flush() {
    if (!open_ || writing_rest_) return;
    switch (out_.flush(stream_.native_handle())) {
        case FrameQueue::Outcome::all_written:
            return on_written();
        case FrameQueue::Outcome::failed:
            return close();
        case FrameQueue::Outcome::blocked:
            break;
    }
    writing_rest_ = true;
    tasks_.spawn(write_rest(shared_from_this()));
}

net::Task<void> Connection::write_rest(std::shared_ptr<Connection> self) {
    for (;;) {
        const auto waited = co_await self->stream_.wait_writable(kWriteTimeout);
        if (!waited || !self->open_) break;
        const FrameQueue::Outcome outcome = self->out_.flush(self->stream_.native_handle());
        if (outcome == FrameQueue::Outcome::blocked) continue;
        self->writing_rest_ = false;
        if (outcome == FrameQueue::Outcome::failed) break;
        self->on_written();
        co_return;
    }
    self->writing_rest_ = false;
    self->close();
}

void Connection::close() {
    if (!open_) return;
    open_ = false;
    stream_.close();
    may_read_again_.notify();
    on_written();
}

std::string Connection::take_frames() {
    std::string problem;
    while (may_read()) {
        auto frame = in_.next();
        if (!frame) return std::string(frame.error().what);
        if (!*frame) return {};
        if (!on_frame(std::move(**frame), problem)) return problem;
        if (!open_) return {};
    }
    return {};
}

net::Task<std::string> Connection::read_all(std::shared_ptr<Connection> self) {
    while (self->open_) {
        std::string problem = self->take_frames();
        if (!problem.empty()) co_return problem;
        const bool stopping = co_await net::stop_requested();
        if (stopping) co_return "stopped";
        if (!self->open_) break;
        if (!self->may_read()) {
            static_cast<void>(co_await self->may_read_again_.wait(kForever));
            continue;
        }
        const FrameReader::Outcome outcome = self->in_.receive(self->stream_.native_handle());
        if (outcome == FrameReader::Outcome::some) continue;
        if (outcome == FrameReader::Outcome::closed) co_return "closed by peer";
        if (outcome == FrameReader::Outcome::failed) co_return "connection lost";
        const auto waited = co_await self->stream_.wait_readable(kForever);
        if (!waited && waited.error().kind != net::IoFailure::timed_out)
            co_return self->open_ ? std::string(net::describe(waited.error())) : "closed";
    }
    co_return "closed";
}

}  // namespace mailstead::ipc
