#include "common/net/connect.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/execution/context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/this_coro.hpp>

#include "common/net/native_address.h"

namespace mailstead::net {

namespace asio = boost::asio;

namespace {

// A socket whose connect is under way, or the errno value.
struct Begun {
    FileDescriptor socket;
    int failure = 0;
};

Begun begin_connect(const SocketAddress& to, const ConnectOptions& options) {
    const NativeAddress native(to);
    Begun begun{
        FileDescriptor(::socket(native.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP)),
        0};
    if (!begun.socket) {
        begun.failure = errno;
        return begun;
    }
    const std::optional<IpAddress>& source = to.ip.is_v4() ? options.source_v4 : options.source_v6;
    if (source) {
        // The port is chosen at connect, so that one source address carries more than 28,000 connections.
        const int yes = 1;
        setsockopt(begun.socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
        const NativeAddress from(SocketAddress{*source, 0});
        if (::bind(begun.socket.get(), from.get(), from.size()) != 0) {
            begun.failure = errno;
            return begun;
        }
    }
    if (::connect(begun.socket.get(), native.get(), native.size()) != 0 && errno != EINPROGRESS)
        begun.failure = errno;
    return begun;
}

int pending_error(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    return error;
}

}  // namespace

Task<IoResult<Stream>> connect(std::vector<SocketAddress> addresses, ConnectOptions options) {
    const auto executor = co_await asio::this_coro::executor;
    auto& context = static_cast<asio::io_context&>(asio::query(executor, asio::execution::context));
    IoError last(IoFailure::unreachable, 0);
    for (const SocketAddress& to : addresses) {
        const auto stop = co_await asio::this_coro::cancellation_state;
        if (stop.cancelled() != asio::cancellation_type::none) co_return IoError(IoFailure::cancelled, 0);
        Begun begun = begin_connect(to, options);
        if (begun.failure != 0) {
            last = io_error_from_errno(begun.failure);
            continue;
        }
        Stream stream(context, std::move(begun.socket), to);
        const auto waited = co_await stream.wait_connected(options.timeout_each);
        if (!waited) {
            last = waited.error();
            if (last.kind == IoFailure::cancelled) co_return last;
            continue;
        }
        const int failure = pending_error(stream.native_handle());
        if (failure == 0) co_return IoResult<Stream>(std::move(stream));
        last = io_error_from_errno(failure);
    }
    co_return last;
}

IoResult<Stream> connect_unix(asio::io_context& context, const std::string& path) {
    sockaddr_un address{};
    if (path.size() >= sizeof address.sun_path) return io_error_from_errno(ENAMETOOLONG);
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return io_error_from_errno(errno);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return errno == EAGAIN ? IoError(IoFailure::refused, EAGAIN) : io_error_from_errno(errno);
    }
    Stream stream(context, std::move(socket), SocketAddress{});
    if (!stream.is_open()) return io_error_from_errno(EMFILE);
    return stream;
}

}  // namespace mailstead::net
