#include "imapd/session/connection.h"

#include <algorithm>
#include <chrono>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "imapd/proto/response.h"

namespace mailstead::imapd {

using Event = proto::Framer::Event;

namespace {

// Inflated at a time, and before other connections have their turn: a packet of 64 KiB may hold 64 MiB.
constexpr std::size_t kInflatePiece = 16 * 1024;
constexpr std::size_t kInflateTurn = 256 * 1024;

net::Timeout left_until(std::chrono::steady_clock::time_point end) {
    const auto left = std::chrono::duration_cast<net::Timeout>(end - std::chrono::steady_clock::now());
    return std::max(left, net::Timeout(1));
}

}  // namespace

net::Task<net::IoResult<Event>> Connection::next(net::Timeout timeout) {
    // For the whole event: whoever sends a byte now and then gains no time by it.
    const auto end = std::chrono::steady_clock::now() + timeout;
    if (broken_) co_return *broken_;
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
        const auto filled = co_await fill(end);
        if (!filled) co_return filled.error();
    }
}

net::Task<net::IoResult<void>> Connection::fill(Clock::time_point end) {
    for (;;) {
        if (compression_ && inflate_some()) {
            inflated_ += in_.size();
            if (inflated_ < kInflateTurn) co_return net::IoResult<void>();
            inflated_ = 0;
            co_await boost::asio::post(stream_.context(), boost::asio::use_awaitable);
            co_return net::IoResult<void>();
        }
        if (damaged_) {
            proto::write_condition(out_, "*", proto::Condition::bye, "", "That is not DEFLATE");
            (void)co_await flush();
            co_return net::IoError(net::IoFailure::closed, 0);
        }
        const auto filled = co_await stream_.fill(compression_ ? packed_in_ : in_, left_until(end));
        if (!filled) co_return filled.error();
        if (!compression_) co_return net::IoResult<void>();
    }
}

// One piece of what the client compressed into in_, which is empty. Whether there is anything now. Never
// ahead of what the framer takes: its limits hold for inflated bytes as for any.
bool Connection::inflate_some() {
    while (!damaged_ && (!packed_in_.empty() || compression_->has_more())) {
        const std::span<char> room = in_.prepare(kInflatePiece).first(kInflatePiece);
        const auto step = compression_->inflate(packed_in_.view(), room);
        packed_in_.consume(step.taken);
        in_.commit(step.made);
        damaged_ = step.damaged;
        if (compression_->has_ended()) {
            in_.append(packed_in_.view());
            packed_in_.clear();
            compression_.reset();
            return !in_.empty();
        }
        if (!in_.empty()) return true;
        if (step.taken == 0) break;
    }
    return false;
}

bool Connection::has_input() {
    in_.consume(taken_);
    taken_ = 0;
    return !in_.empty() || (compression_ && (inflate_some() || damaged_));
}

// Deflates behind what was deflated before. False: no memory.
bool Connection::pack(std::string_view bytes) {
    return compression_->deflate(bytes, packed_out_);
}

net::Task<net::IoResult<void>> Connection::flush() {
    if (deflates_) {
        if (!pack(out_)) broken_ = net::IoError(net::IoFailure::system, ENOMEM);
        out_.clear();
    }
    if (!packed_out_.empty()) {
        const auto sent = co_await send_packed();
        if (!sent) co_return sent.error();
    }
    if (out_.empty()) co_return net::IoResult<void>();
    const auto sent = co_await write(out_);
    out_.clear();
    co_return sent;
}

net::Task<net::IoResult<void>> Connection::send(std::string_view bytes) {
    if (!out_.empty() || !packed_out_.empty()) {
        const auto sent = co_await flush();
        if (!sent) co_return sent.error();
    }
    if (!deflates_) co_return co_await write(bytes);
    if (!pack(bytes)) broken_ = net::IoError(net::IoFailure::system, ENOMEM);
    co_return co_await send_packed();
}

net::Task<net::IoResult<void>> Connection::send_packed() {
    const auto sent = co_await write(packed_out_);
    std::string().swap(packed_out_);
    co_return sent;
}

net::Task<net::IoResult<void>> Connection::write(std::string_view bytes) {
    if (!broken_) {
        const auto sent = co_await stream_.write_all(bytes, timeouts_.write);
        if (!sent) broken_ = sent.error();
    }
    if (broken_) co_return *broken_;
    written_ += bytes.size();
    if (written_ >= kTurn) {
        written_ = 0;
        co_await boost::asio::post(stream_.context(), boost::asio::use_awaitable);
    }
    co_return net::IoResult<void>();
}

void Connection::flush_now() {
    if (deflates_) {
        if (!pack(out_)) return;
        out_.clear();
    }
    std::string& next = packed_out_.empty() ? out_ : packed_out_;
    next.erase(0, stream_.write_now(next));
}

net::Task<net::IoResult<bool>> Connection::wait_for_news(net::Timeout timeout) {
    if (has_input()) co_return true;
    const auto sent = co_await flush();
    if (!sent) co_return sent.error();
    rest();
    in_.release();
    packed_in_.release();
    if (compression_) compression_->rest();
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

void Connection::start_compression(std::unique_ptr<Compression> compression) {
    in_.consume(taken_);
    taken_ = 0;
    packed_in_.append(in_.view());
    in_.clear();
    compression_ = std::move(compression);
    deflates_ = true;
}

void Connection::end_compression() {
    if (!compression_) return;
    deflates_ = false;
    compression_->rest();
    compression_->end();
    in_.consume(taken_);
    taken_ = 0;
    if (!in_.empty()) damaged_ = true;  // compressed behind the command, against RFC 8437, 4.1
    if (!damaged_ && compression_->has_ended()) {
        in_.append(packed_in_.view());
        packed_in_.clear();
        compression_.reset();
    }
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
