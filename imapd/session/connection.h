// The bytes of one client: framed commands in, buffered answers out. One owner, one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/net/read_buffer.h"
#include "common/net/stream.h"
#include "imapd/proto/framer.h"

namespace mailstead::imapd {

// A client that takes nothing for this long is given up.
inline constexpr net::Timeout kWriteTimeout{120'000};
// RFC 9051, 5.4: at least 30 minutes for a user; somebody who has not logged in has no claim to that.
inline constexpr net::Timeout kIdleTimeout{31 * 60'000};
inline constexpr net::Timeout kLoginTimeout{120'000};
inline constexpr net::Timeout kLoginWindow{10 * 60'000};  // from the connection to the login
// Answers are sent when they have grown to this, or when the next command is awaited.
inline constexpr std::size_t kFlushAt = 64 * 1024;

class Connection {
public:
    Connection(net::Stream stream, proto::FramerLimits limits)
        : stream_(std::move(stream)), framer_(limits) {}

    // The next event of the framer, within `timeout` as a whole. What was answered so far is sent before
    // waiting, so that pipelined commands are answered together. While it waits between commands, no buffer
    // is held.
    net::Task<net::IoResult<proto::Framer::Event>> next(net::Timeout timeout);
    // Whether next() would find bytes without waiting.
    bool has_input() const { return in_.size() > taken_; }
    // Sends what was answered.
    net::Task<net::IoResult<void>> flush();

    // Waits for input or Stream::interrupt(); `true` when there is input (or the end).
    net::Task<net::IoResult<bool>> wait_for_news(net::Timeout timeout);

    // Answers Event::literal for a literal that is an argument: asks for it, or refuses it when it is too
    // large.
    void take_literal();

    // RFC 9051, 6.2.1: whatever was pipelined behind STARTTLS is dropped.
    net::Task<net::IoResult<void>> start_tls(std::shared_ptr<net::TlsServerContext> context);

    net::Stream& stream() { return stream_; }
    proto::Framer& framer() { return framer_; }
    // Answers are appended here.
    std::string& out() { return out_; }

private:
    void rest();
    void acknowledge_at_once();

    net::Stream stream_;
    net::ReadBuffer in_;
    std::size_t taken_ = 0;  // bytes of in_ that the last event refers to
    proto::Framer framer_;
    std::string out_;
};

}  // namespace mailstead::imapd
