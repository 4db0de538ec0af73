// The inside of Stream. Private to common/net.
#pragma once

#include <optional>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <openssl/ssl.h>

#include "common/net/deadline.h"
#include "common/net/stream.h"
#include "common/net/tls_output.h"

namespace mailstead::net {

struct Stream::State {
    using Descriptor = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;
    using Clock = Deadline::Clock;
    using WaitType = boost::asio::posix::descriptor_base::wait_type;

    // What one try at a system call came to.
    struct Attempt {
        enum class Kind : std::uint8_t { done, want_read, want_write, failed };
        Kind kind = Kind::done;
        std::size_t bytes = 0;
        IoError error;
    };

    // Which requests to stop a wait obeys.
    enum class Yields : std::uint8_t { to_stop, to_abort };

    struct Waiter : Deadline {
        Waiter(State* whose, Yields when) : Deadline(&on_expire), owner(whose), yields(when) {}
        static void on_expire(Deadline& deadline);
        State* owner;
        Yields yields;
        bool expired = false;
        bool interruptible = false;
    };

    State(boost::asio::io_context& where, FileDescriptor connected, std::optional<SocketAddress> known_peer);
    ~State();
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    int fd() { return socket.native_handle(); }
    // Makes pending waits look again at why they wait.
    void kick();
    void close();
    static std::size_t chunk(std::span<const std::string_view> pieces, std::size_t first, std::size_t offset,
                             std::string_view& bytes);

    Attempt try_read(char* into, std::size_t size);
    static void advance(std::span<const std::string_view> pieces, std::size_t& first, std::size_t& offset,
                        std::size_t bytes);
    Attempt output_outcome(TlsOutput::Sent sent);
    Attempt try_record(std::span<const std::string_view> pieces, std::size_t first, std::size_t offset);
    Attempt try_records(std::span<const std::string_view> pieces, std::size_t first, std::size_t offset);
    Attempt try_write(std::span<const std::string_view> pieces, std::size_t first, std::size_t offset);
    Attempt try_handshake();
    Attempt tls_outcome(int result);

    // nullopt: go on.
    std::optional<IoError> reason_to_end(Waiter& waiter, boost::asio::cancellation_type stop);
    Task<IoResult<void>> wait(Waiter& waiter, WaitType type, Clock::time_point until);
    Task<IoResult<void>> wait_for(Waiter& waiter, Attempt::Kind want, Clock::time_point until);
    Task<IoResult<void>> handshake(ssl_st* session, Timeout timeout);

    boost::asio::io_context& context;
    Descriptor socket;
    SSL* ssl = nullptr;
    TlsOutput output;
    // TLS has seen a fatal error: even close_notify must not be sent any more.
    bool broken = false;
    bool cancelled = false;
    bool interrupted = false;
    bool reads_stopped = false;
    Waiter reader{this, Yields::to_stop};
    Waiter writer{this, Yields::to_abort};
    SocketAddress peer;
    std::optional<SocketAddress> local;
};

}  // namespace mailstead::net
