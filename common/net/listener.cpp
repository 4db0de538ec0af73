#include "common/net/listener.h"

#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/net/event.h"
#include "common/net/native_address.h"
#include "common/net/task_group.h"

namespace mailstead::net {

namespace asio = boost::asio;

namespace {

Error system_failure(const std::string& what) {
    return permanent_error(what + ": " + std::strerror(errno));
}

}  // namespace

Result<FileDescriptor> bind_tcp(const SocketAddress& address, Families families) {
    const NativeAddress native(address);
    FileDescriptor socket(::socket(native.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
    const std::string what = "cannot listen on " + address.to_string();
    if (!socket) return system_failure(what);
    const int yes = 1;
    const int only_v6 = families == Families::ipv6_only || !address.ip.is_unspecified() ? 1 : 0;
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (address.ip.is_v6()) setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
    if (::bind(socket.get(), native.get(), native.size()) != 0) return system_failure(what);
    if (::listen(socket.get(), SOMAXCONN) != 0) return system_failure(what);
    return socket;
}

namespace {

// Takes a dead socket away. What still answers belongs to a program that lives: its clients would be cut off.
Result<void> clear_place(const sockaddr_un& address, int type) {
    const std::string what = std::string("cannot listen on ") + address.sun_path;
    struct stat status {};
    if (::lstat(address.sun_path, &status) != 0) return {};
    if (!S_ISSOCK(status.st_mode)) return permanent_error(what + ": it is there and no socket");
    const FileDescriptor probe(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!probe) return system_failure(what);
    if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
        errno == EAGAIN || errno == EPROTOTYPE)
        return permanent_error(what + ": another program listens there");
    if (errno != ECONNREFUSED && errno != ENOENT) return system_failure(what);
    if (::unlink(address.sun_path) != 0 && errno != ENOENT) return system_failure(what);
    return {};
}

Result<FileDescriptor> bind_path(const std::string& path, unsigned mode, int type) {
    sockaddr_un address{};
    const std::string what = "cannot listen on " + path;
    if (path.size() >= sizeof address.sun_path) return permanent_error(what + ": the path is too long");
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    FileDescriptor socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return system_failure(what);
    TRY_VOID(clear_place(address, type));
    // The mode of the socket's file before bind counts at once: nobody slips in between bind and chmod.
    ::fchmod(socket.get(), mode);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return system_failure(what);
    if (::chmod(path.c_str(), mode) != 0) return system_failure(what);
    return socket;
}

}  // namespace

Result<FileDescriptor> bind_unix(const std::string& path, unsigned mode) {
    TRY(socket, bind_path(path, mode, SOCK_STREAM));
    if (::listen(socket.get(), SOMAXCONN) != 0) return system_failure("cannot listen on " + path);
    return socket;
}

Result<FileDescriptor> bind_unix_datagram(const std::string& path, unsigned mode) {
    TRY(socket, bind_path(path, mode, SOCK_DGRAM));
    // Room for a burst while the reader is busy.
    const int size = 1024 * 1024;
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return socket;
}

SocketAddress bound_address(const FileDescriptor& socket) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
    return SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&storage), size);
}

struct Listener::State : std::enable_shared_from_this<State> {
    using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

    // What lives on the accepting thread. The accept loop owns it: an Asio object must go with its own
    // io_context, and the State may go with another.
    struct Acceptor {
        explicit Acceptor(asio::io_context& context) : descriptor(context.get_executor()) {}
        int fd() { return descriptor.native_handle(); }
        void close() {
            boost::system::error_code ignored;
            descriptor.close(ignored);
        }
        Descriptor descriptor;
        FileDescriptor spare{
            ::open("/dev/null", O_RDONLY | O_CLOEXEC)};  // given up for a moment when descriptors run out
        std::chrono::steady_clock::time_point complained{};
    };

    State(IoThreads& pool, FileDescriptor bound, ListenerOptions given, Session what)
        : threads(pool),
          options(std::move(given)),
          session(std::move(what)),
          where(bound_address(bound)),
          listening(std::move(bound)) {
        max_connections = options.max_connections;
        max_per_address = options.max_per_address;
        for (std::size_t i = 0; i < pool.size(); ++i) {
            groups.push_back(std::make_unique<TaskGroup>(pool.context(i), options.on_exception));
        }
        accepting = std::make_unique<TaskGroup>(pool.context(0), options.on_exception);
        fcntl(listening.get(), F_SETFL, O_NONBLOCK);
    }

    void begin_accepting();
    void end_accepting();
    static Task<void> accept_loop(std::shared_ptr<State> self, std::shared_ptr<Acceptor> acceptor);
    static Task<void> run_session(std::shared_ptr<State> self, Stream stream, IpAddress counted_as);
    bool accept_waiting(Acceptor& from);
    void admit(FileDescriptor socket, const SocketAddress& peer);
    void begin(std::size_t index, FileDescriptor socket, const SocketAddress& peer,
               const IpAddress& counted_as);
    std::optional<Refusal> count_in(const IpAddress& counted_as);
    void count_out(const IpAddress& counted_as);
    void refuse(const FileDescriptor& socket, Refusal why) const;
    void shed_one(Acceptor& from);

    IoThreads& threads;
    ListenerOptions options;
    Session session;
    SocketAddress where;
    FileDescriptor listening;  // until it is the acceptor's
    std::weak_ptr<Acceptor> acceptor;
    std::vector<std::unique_ptr<TaskGroup>> groups;
    std::unique_ptr<TaskGroup> accepting;
    std::size_t next_thread = 0;

    mutable std::mutex mutex;
    std::condition_variable idle;
    std::size_t total = 0;
    std::size_t max_connections = 0;
    std::size_t max_per_address = 0;
    std::map<IpAddress, std::size_t> per_address;
};

std::optional<Refusal> Listener::State::count_in(const IpAddress& counted_as) {
    const std::lock_guard lock(mutex);
    if (total >= max_connections) return Refusal::server_full;
    if (!counted_as.is_unspecified()) {
        std::size_t& count = per_address[counted_as];
        if (count >= max_per_address) {
            if (count == 0) per_address.erase(counted_as);
            return Refusal::address_full;
        }
        ++count;
    }
    ++total;
    return std::nullopt;
}

void Listener::State::count_out(const IpAddress& counted_as) {
    const std::lock_guard lock(mutex);
    --total;
    const auto entry = per_address.find(counted_as);
    if (entry != per_address.end() && --entry->second == 0) per_address.erase(entry);
    if (total == 0) idle.notify_all();
}

void Listener::State::refuse(const FileDescriptor& socket, Refusal why) const {
    if (!options.refusal_text) return;
    const std::string text = options.refusal_text(why);
    static_cast<void>(::send(socket.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

void Listener::State::admit(FileDescriptor socket, const SocketAddress& peer) {
    // Unix sockets (port 0) have our own processes behind them.
    const bool uncounted = peer.port == 0 || (peer.ip.is_loopback() && !options.count_loopback);
    const IpAddress counted_as = uncounted ? IpAddress{} : customer_network(peer.ip);
    const std::optional<Refusal> refusal = count_in(counted_as);
    if (refusal) return refuse(socket, *refusal);
    const std::size_t index = next_thread++ % threads.size();
    asio::post(threads.context(index),
               [self = shared_from_this(), index, fd = std::move(socket), peer, counted_as]() mutable {
                   self->begin(index, std::move(fd), peer, counted_as);
               });
}

void Listener::State::begin(std::size_t index, FileDescriptor socket, const SocketAddress& peer,
                            const IpAddress& counted_as) {
    Stream stream(threads.context(index), std::move(socket), peer);
    if (!stream.is_open()) return count_out(counted_as);
    groups[index]->spawn(run_session(shared_from_this(), std::move(stream), counted_as));
}

Task<void> Listener::State::run_session(std::shared_ptr<State> self, Stream stream, IpAddress counted_as) {
    struct CountOut {
        State* state;
        IpAddress address;
        ~CountOut() { state->count_out(address); }
    } const count_out_at_end{self.get(), counted_as};
    co_await self->session(std::move(stream));
}

// Out of descriptors: takes the next connection with the spare one and hangs up, else it would wait (and wake
// us) forever.
void Listener::State::shed_one(Acceptor& from) {
    from.spare.reset();
    const FileDescriptor unlucky(::accept4(from.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (unlucky) refuse(unlucky, Refusal::server_full);
}

// False when the kernel lacks something and a pause is due.
bool Listener::State::accept_waiting(Acceptor& from) {
    // Bounded, so that a flood of connections does not starve the sessions of this thread.
    for (int i = 0; i < 64; ++i) {
        sockaddr_storage storage{};
        socklen_t size = sizeof storage;
        FileDescriptor socket(
            ::accept4(from.fd(), reinterpret_cast<sockaddr*>(&storage), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (socket) {
            admit(std::move(socket),
                  SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&storage), size));
            continue;
        }
        if (errno == EAGAIN) return true;
        if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
            continue;  // the connection is gone already
        const std::string reason = std::strerror(errno);
        shed_one(from);
        from.spare = FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        const auto time = std::chrono::steady_clock::now();
        if (options.on_problem && time - from.complained > std::chrono::seconds(1)) {
            from.complained = time;
            options.on_problem("cannot accept connections: " + reason);
        }
        return false;
    }
    return true;
}

Task<void> Listener::State::accept_loop(std::shared_ptr<State> self, std::shared_ptr<Acceptor> from) {
    static constexpr Timeout kPause{50};
    while (from->descriptor.is_open()) {
        const auto waited = co_await from->descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                                                 asio::as_tuple(asio::use_awaitable));
        if (std::get<0>(waited) || !from->descriptor.is_open()) break;
        if (self->accept_waiting(*from)) continue;
        const auto slept = co_await sleep_for(kPause);
        if (!slept) break;
    }
    from->close();
}

void Listener::State::begin_accepting() {
    if (!listening) return;  // stopped before it began
    auto fresh = std::make_shared<Acceptor>(threads.context(0));
    boost::system::error_code failure;
    fresh->descriptor.assign(listening.get(), failure);
    if (failure) {
        if (options.on_problem)
            options.on_problem("cannot watch " + where.to_string() + ": " + failure.message());
        return;
    }
    listening.release();
    acceptor = fresh;
    accepting->spawn(accept_loop(shared_from_this(), std::move(fresh)));
}

void Listener::State::end_accepting() {
    listening.reset();
    if (const auto current = acceptor.lock()) current->close();
    accepting->request_stop();
}

Listener::Listener(IoThreads& threads, FileDescriptor listening, ListenerOptions options, Session session)
    : state_(std::make_shared<State>(threads, std::move(listening), std::move(options), std::move(session))) {
}

Listener::~Listener() {
    stop_accepting();
}

void Listener::start() {
    asio::post(state_->threads.context(0), [state = state_] { state->begin_accepting(); });
}

void Listener::stop_accepting() {
    asio::post(state_->threads.context(0), [state = state_] { state->end_accepting(); });
}

void Listener::request_stop() {
    state_->threads.post_all([state = state_](std::size_t index) { state->groups[index]->request_stop(); });
}

void Listener::abort() {
    state_->threads.post_all([state = state_](std::size_t index) { state->groups[index]->abort(); });
}

std::size_t Listener::connections() const {
    const std::lock_guard lock(state_->mutex);
    return state_->total;
}

bool Listener::wait_idle(std::chrono::milliseconds at_most) {
    std::unique_lock lock(state_->mutex);
    return state_->idle.wait_for(lock, at_most, [this] { return state_->total == 0; });
}

SocketAddress Listener::address() const {
    return state_->where;
}

void Listener::set_limits(std::size_t max_connections, std::size_t max_per_address) {
    const std::lock_guard lock(state_->mutex);
    state_->max_connections = max_connections;
    state_->max_per_address = max_per_address;
}

}  // namespace mailstead::net
