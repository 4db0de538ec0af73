#include "imapd/session/connection.h"

#include <algorithm>
#include <chrono>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "imapd/proto/response.h"

namespace mailstead::imapd {

using Event = proto::Framer::Event;

namespace {

net::Timeout left_until(std::chrono::steady_clock::time_point end) {
    const auto left = std::chrono::duration_cast<net::Timeout>(end - std::chrono::steady_clock::now());
    return std::max(left, net::Timeout(1));
}

}  // namespace

net::Task<net::IoResult<Event>> Connection::next(net::Timeout timeout) {
    // For the whole event: whoever sends a byte now and then gains no time by it.
    const auto end = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        in_.consume(taken_);
        taken_ = 0;
        std::string_view rest = in_.view();
        const Event event = framer_.next(rest);
        taken_ = in_.size() - rest.size();
        if (event != Event::need_input) co_return event;
        in_.consume(taken_);
        taken_ = 0;
        const auto sent = co_await flush();
        if (!sent) co_return sent.error();
        this->rest();
        if (framer_.in_command()) acknowledge_at_once();
        const auto filled = co_await stream_.fill(in_, left_until(end));
        if (!filled) co_return filled.error();
    }
}

net::Task<net::IoResult<void>> Connection::flush() {
    if (out_.empty()) co_return net::IoResult<void>();
    const auto sent = co_await stream_.write_all(std::string_view(out_), kWriteTimeout);
    out_.clear();
    co_return sent;
}

net::Task<net::IoResult<bool>> Connection::wait_for_news(net::Timeout timeout) {
    if (has_input()) co_return true;
    const auto sent = co_await flush();
    if (!sent) co_return sent.error();
    in_.consume(taken_);
    taken_ = 0;
    rest();
    in_.release();
    const auto waited = co_await stream_.wait_readable(timeout);
    if (waited) co_return true;
    if (waited.error().kind == net::IoFailure::interrupted) co_return false;
    co_return waited.error();
}

void Connection::take_literal() {
    if (!framer_.fits()) return framer_.refuse(proto::Framer::Rejection::literal_too_big);
    if (framer_.literal().synchronizing) proto::write_continuation(out_, "Go on");
    framer_.keep();
}

net::Task<net::IoResult<void>> Connection::start_tls(std::shared_ptr<net::TlsServerContext> context) {
    taken_ = 0;
    const auto done = co_await stream_.accept_tls(std::move(context), in_, kLoginTimeout);
    in_.clear();
    framer_.reset();
    co_return done;
}

// A client that sends a literal and the end of its line apart waits, with Nagle's algorithm, for our
// acknowledgment of the first before it sends the second; a delayed one would cost every APPEND 40 ms.
void Connection::acknowledge_at_once() {
    const int on = 1;
    (void)::setsockopt(stream_.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

// A connection that waits costs no buffers.
void Connection::rest() {
    if (!framer_.in_command()) framer_.release_memory();
    if (out_.capacity() > 512) std::string().swap(out_);
}

}  // namespace mailstead::imapd
