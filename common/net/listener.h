// Accepts connections, within limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/file_descriptor.h"
#include "common/base/result.h"
#include "common/net/io_threads.h"
#include "common/net/stream.h"

namespace mailstead::net {

enum class Families : std::uint8_t { dual, ipv6_only };

// A listening TCP socket with SO_REUSEADDR. Bind while still root; port 0 lets the kernel choose. `[::]`
// takes IPv4 as well unless asked not to (when 0.0.0.0 is bound to the same port too).
Result<FileDescriptor> bind_tcp(const SocketAddress& address, Families families = Families::dual);
// A listening Unix stream socket at `path`, with permission bits `mode`. The socket of a program that is gone
// is replaced; one that somebody still listens on is left alone, and so is anything that is no socket: an
// error.
Result<FileDescriptor> bind_unix(const std::string& path, unsigned mode);
// The same for datagrams.
Result<FileDescriptor> bind_unix_datagram(const std::string& path, unsigned mode);
// Where a socket is bound.
SocketAddress bound_address(const FileDescriptor& socket);

enum class Refusal : std::uint8_t { server_full, address_full };

struct ListenerOptions {
    std::size_t max_connections = 10'000;
    // Per IPv4 address or IPv6 /64. Connections from loopback (proxies, other services of this machine) count
    // only if asked for.
    std::size_t max_per_address = 100;
    bool count_loopback = false;
    // What to say, in plain text, before a connection over the limit is closed (`421 ...`); empty for silence
    // (implicit TLS).
    std::function<std::string(Refusal)> refusal_text;
    // Told, at most once a second, that accepting fails for lack of descriptors or memory. Any thread.
    std::function<void(std::string_view problem)> on_problem;
    // An exception left a session. Any thread.
    std::function<void(std::exception_ptr)> on_exception;
};

// One thread accepts and deals connections to the threads in turn: long-lived sessions spread evenly, which
// neither SO_REUSEPORT (by hash) nor a shared descriptor (by luck) gives. A connection stays on its thread.
class Listener {
public:
    // Runs once for each connection on the connection's thread; the connection ends with it.
    using Session = std::function<Task<void>(Stream)>;

    Listener(IoThreads& threads, FileDescriptor listening, ListenerOptions options, Session session);
    // `threads` must outlive this. They must have been joined, or all sessions have ended (wait_idle).
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // Any thread, all of them.
    void start();
    void stop_accepting();  // closes the listening socket
    void request_stop();    // asks all sessions to end, see TaskGroup
    void abort();           // ends them
    std::size_t connections() const;
    // Blocks until no session is left or the time is over; whether none is left. Not on a pool thread.
    bool wait_idle(std::chrono::milliseconds at_most);
    SocketAddress address() const;
    void set_limits(std::size_t max_connections, std::size_t max_per_address);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace mailstead::net
