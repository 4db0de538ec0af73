// The bytes of one client: framed commands in, buffered answers out. One owner, one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/net/read_buffer.h"
#include "common/net/stream.h"
#include "imapd/proto/framer.h"
#include "imapd/session/compression.h"

namespace mailstead::imapd {

// A client that takes nothing for this long is given up.
inline constexpr net::Timeout kWriteTimeout{120'000};
// RFC 9051, 5.4: at least 30 minutes for a user; somebody who has not logged in has no claim to that.
inline constexpr net::Timeout kIdleTimeout{31 * 60'000};
inline constexpr net::Timeout kLoginTimeout{120'000};
inline constexpr net::Timeout kLoginWindow{10 * 60'000};  // from the connection to the login
struct Timeouts {
    net::Timeout write = kWriteTimeout;
    net::Timeout idle = kIdleTimeout;
    net::Timeout login = kLoginTimeout;
};
// Answers are sent when they have grown to this, or when the next command is awaited.
inline constexpr std::size_t kFlushAt = 64 * 1024;
// After this much the other sessions of the thread have their turn, though the client could take more.
inline constexpr std::size_t kTurn = 256 * 1024;

class Connection {
public:
    Connection(net::Stream stream, proto::FramerLimits limits, const Timeouts& timeouts = {})
        : stream_(std::move(stream)), framer_(limits), timeouts_(timeouts) {}

    // The next event of the framer, within `timeout` as a whole. What was answered so far is sent before
    // waiting, so that pipelined commands are answered together. While it waits between commands, no buffer
    // is held.
    net::Task<net::IoResult<proto::Framer::Event>> next(net::Timeout timeout);
    // Whether next() would find bytes without waiting. Only between commands: what the framer showed last is
    // gone.
    bool has_input();
    // Sends what was answered. After a failure every call fails, next() as well: commands that wait in line
    // are for a client that is gone.
    net::Task<net::IoResult<void>> flush();
    // Sends `bytes` from where they lie, behind what was answered before.
    net::Task<net::IoResult<void>> send(std::string_view bytes);
    // Sends what the socket takes at once; the rest goes with the next flush(), of which none may be under
    // way.
    void flush_now();

    // Waits for input or Stream::interrupt(); `true` when there is input (or the end).
    net::Task<net::IoResult<bool>> wait_for_news(net::Timeout timeout);

    // Answers Event::literal for a literal that is an argument: asks for it, or refuses it when it is too
    // large.
    void take_literal();

    // RFC 9051, 6.2.1: whatever was pipelined behind STARTTLS is dropped.
    net::Task<net::IoResult<void>> start_tls(std::shared_ptr<net::TlsServerContext> context);

    // RFC 4978: from here on both sides compress. What was answered before must have been sent; what has come
    // behind the command counts as compressed.
    void start_compression(std::unique_ptr<Compression> compression);
    bool is_compressed() const { return compression_ != nullptr; }
    // RFC 8437, 4.1: answers are plain again. The client's bytes are from the end of its command on.
    void end_compression();

    const Timeouts& timeouts() const { return timeouts_; }
    net::Stream& stream() { return stream_; }
    proto::Framer& framer() { return framer_; }
    // Answers are appended here.
    std::string& out() { return out_; }

private:
    using Clock = std::chrono::steady_clock;
    net::Task<net::IoResult<void>> fill(Clock::time_point end);
    bool inflate_some();
    bool pack(std::string_view bytes);
    net::Task<net::IoResult<void>> send_packed();
    net::Task<net::IoResult<void>> write(std::string_view bytes);
    void rest();
    void acknowledge_at_once();

    net::Stream stream_;
    net::ReadBuffer in_;
    std::size_t taken_ = 0;  // bytes of in_ that the last event refers to
    proto::Framer framer_;
    std::string out_;
    const Timeouts timeouts_;
    std::optional<net::IoError> broken_;  // a write failed: nobody listens any more

    std::unique_ptr<Compression> compression_;
    bool deflates_ = false;      // while the client's side ends, ours has ended
    bool damaged_ = false;       // the client's bytes were no DEFLATE
    net::ReadBuffer packed_in_;  // not yet inflated
    std::string packed_out_;     // deflated and not yet sent
    std::size_t inflated_ = 0;   // since others on this thread had their turn
    std::size_t written_ = 0;    // since then
};

}  // namespace mailstead::imapd
