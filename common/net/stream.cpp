#include "common/net/stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <openssl/err.h>

#include "common/net/stream_state.h"

namespace mailstead::net {

namespace asio = boost::asio;
using Attempt = Stream::State::Attempt;

namespace {

constexpr std::size_t kScratch = 64 * 1024;
// Below this much room a read goes through the scratch space, so that a buffer grows only by what has come.
constexpr std::size_t kDirectRead = 4096;
constexpr std::size_t kTlsRecord = 16 * 1024;  // RFC 8446, 5.1
constexpr std::size_t kMaxPieces = 64;

// Used between two system calls only, never across a wait: one for the whole thread.
char* scratch() {
    static thread_local std::unique_ptr<char[]> memory(new char[kScratch]);
    return memory.get();
}

// SSL_get_error judges by the thread's error queue and errno, which other users of OpenSSL on this thread
// fill too.
void forget_errors() {
    ERR_clear_error();
    errno = 0;
}

SocketAddress name_of(int fd, int (*getter)(int, sockaddr*, socklen_t*)) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (getter(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
    return SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&storage), size);
}

void make_non_blocking(int fd) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) == 0) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

}  // namespace

void Stream::State::Waiter::on_expire(Deadline& deadline) {
    auto& waiter = static_cast<Waiter&>(deadline);
    waiter.expired = true;
    waiter.owner->kick();
}

Stream::State::State(asio::io_context& where, FileDescriptor connected,
                     std::optional<SocketAddress> known_peer)
    : context(where), socket(where.get_executor()) {
    if (!connected) return;
    const int fd = connected.get();
    make_non_blocking(fd);
    peer = known_peer ? *known_peer : name_of(fd, &getpeername);
    if (peer.port != 0) {
        // Replies are composed before they are written; waiting for more would only delay them.
        const int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    boost::system::error_code failure;
    socket.assign(fd, failure);
    if (!failure) connected.release();
}

Stream::State::~State() {
    close();
}

void Stream::State::kick() {
    boost::system::error_code ignored;
    socket.cancel(ignored);
}

void Stream::State::close() {
    if (ssl != nullptr) SSL_free(ssl);
    ssl = nullptr;
    output.forget();
    boost::system::error_code ignored;
    if (socket.is_open()) socket.close(ignored);
}

std::optional<IoError> Stream::State::reason_to_end(Waiter& waiter, asio::cancellation_type stop) {
    const bool stopped = waiter.yields == Yields::to_stop
                             ? reads_stopped || stop != asio::cancellation_type::none
                             : (stop & asio::cancellation_type::terminal) != asio::cancellation_type::none;
    if (cancelled || stopped || !socket.is_open()) return IoError(IoFailure::cancelled, 0);
    if (waiter.interruptible && interrupted) {
        interrupted = false;
        return IoError(IoFailure::interrupted, 0);
    }
    if (waiter.expired) return IoError(IoFailure::timed_out, 0);
    return std::nullopt;
}

Task<IoResult<void>> Stream::State::wait(Waiter& waiter, WaitType type, Clock::time_point until) {
    const auto stop = co_await asio::this_coro::cancellation_state;
    waiter.expired = false;
    waiter.arm(context, until);
    // A wait that is aborted looks for the reason: one kick ends all waits, and those without a reason go on.
    for (;;) {
        const auto reason = reason_to_end(waiter, stop.cancelled());
        if (reason) {
            waiter.disarm();
            co_return *reason;
        }
        const auto waited = co_await socket.async_wait(type, asio::as_tuple(asio::use_awaitable));
        const boost::system::error_code failure = std::get<0>(waited);
        if (failure == asio::error::operation_aborted) continue;
        waiter.disarm();
        if (failure) co_return io_error_from_errno(failure.value());
        co_return IoResult<void>();
    }
}

Task<IoResult<void>> Stream::State::wait_for(Waiter& waiter, Attempt::Kind want, Clock::time_point until) {
    return wait(waiter, want == Attempt::Kind::want_read ? WaitType::wait_read : WaitType::wait_write, until);
}

Attempt Stream::State::try_read(char* into, std::size_t size) {
    if (ssl != nullptr) {
        std::size_t got = 0;
        forget_errors();
        const int result = SSL_read_ex(ssl, into, size, &got);
        if (result > 0) return {Attempt::Kind::done, got, {}};
        return tls_outcome(result);
    }
    for (;;) {
        const ssize_t got = ::recv(fd(), into, size, MSG_DONTWAIT);
        if (got > 0) return {Attempt::Kind::done, static_cast<std::size_t>(got), {}};
        if (got == 0) return {Attempt::Kind::failed, 0, IoError(IoFailure::closed, 0)};
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return {Attempt::Kind::want_read, 0, {}};
        return {Attempt::Kind::failed, 0, io_error_from_errno(errno)};
    }
}

// Moves on by `bytes`, and past pieces that are at their end.
void Stream::State::advance(std::span<const std::string_view> pieces, std::size_t& first, std::size_t& offset,
                            std::size_t bytes) {
    offset += bytes;
    while (first < pieces.size() && offset >= pieces[first].size()) {
        offset -= pieces[first].size();
        ++first;
    }
}

// One TLS record's worth: a single long piece as it lies, several short ones joined.
std::size_t Stream::State::chunk(std::span<const std::string_view> pieces, std::size_t first,
                                 std::size_t offset, std::string_view& bytes) {
    const std::string_view head = pieces[first].substr(offset);
    if (head.size() >= kTlsRecord || first + 1 == pieces.size()) {
        bytes = head.substr(0, kTlsRecord);
        return bytes.size();
    }
    std::size_t used = 0;
    for (std::size_t i = first; i < pieces.size() && used < kTlsRecord; ++i) {
        const std::string_view piece = i == first ? head : pieces[i];
        const std::size_t part = std::min(piece.size(), kTlsRecord - used);
        if (part != 0) std::memcpy(scratch() + used, piece.data(), part);
        used += part;
    }
    bytes = {scratch(), used};
    return used;
}

Attempt Stream::State::try_record(std::span<const std::string_view> pieces, std::size_t first,
                                  std::size_t offset) {
    std::string_view bytes;
    if (chunk(pieces, first, offset, bytes) == 0) return {Attempt::Kind::done, 0, {}};
    std::size_t put = 0;
    forget_errors();
    const int result = SSL_write_ex(ssl, bytes.data(), bytes.size(), &put);
    if (result > 0) return {Attempt::Kind::done, put, {}};
    return tls_outcome(result);
}

Attempt Stream::State::output_outcome(TlsOutput::Sent sent) {
    if (sent == TlsOutput::Sent::all) return {Attempt::Kind::done, 0, {}};
    if (sent == TlsOutput::Sent::some) return {Attempt::Kind::want_write, 0, {}};
    broken = true;
    return {Attempt::Kind::failed, 0, io_error_from_errno(errno)};
}

// Bytes that are written may still be kept in `output`: a write is over when nothing is.
Attempt Stream::State::try_records(std::span<const std::string_view> pieces, std::size_t first,
                                   std::size_t offset) {
    const Attempt before = output_outcome(output.send_kept());
    if (before.kind != Attempt::Kind::done || first == pieces.size()) return before;
    std::size_t written = 0;
    Attempt last;
    output.gather();
    while (first < pieces.size() && !output.has_gathered_enough()) {
        last = try_record(pieces, first, offset);
        if (last.kind != Attempt::Kind::done) break;
        written += last.bytes;
        advance(pieces, first, offset, last.bytes);
    }
    const auto sent = output_outcome(output.send_gathered());
    if (last.kind == Attempt::Kind::failed || sent.kind == Attempt::Kind::failed)
        return last.kind == Attempt::Kind::failed ? last : sent;
    if (written == 0) return last;
    return {Attempt::Kind::done, written, {}};
}

Attempt Stream::State::try_write(std::span<const std::string_view> pieces, std::size_t first,
                                 std::size_t offset) {
    if (ssl != nullptr) return try_records(pieces, first, offset);
    std::array<iovec, kMaxPieces> vector;
    std::size_t count = 0;
    for (std::size_t i = first; i < pieces.size() && count < vector.size(); ++i) {
        const std::string_view piece = i == first ? pieces[i].substr(offset) : pieces[i];
        if (!piece.empty()) vector[count++] = {const_cast<char*>(piece.data()), piece.size()};
    }
    msghdr message{};
    message.msg_iov = vector.data();
    message.msg_iovlen = count;
    for (;;) {
        const ssize_t put = ::sendmsg(fd(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put >= 0) return {Attempt::Kind::done, static_cast<std::size_t>(put), {}};
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return {Attempt::Kind::want_write, 0, {}};
        return {Attempt::Kind::failed, 0, io_error_from_errno(errno)};
    }
}

Stream::Stream() = default;
Stream::Stream(asio::io_context& context, FileDescriptor connected)
    : state_(std::make_unique<State>(context, std::move(connected), std::nullopt)) {}
Stream::Stream(asio::io_context& context, FileDescriptor connected, const SocketAddress& peer)
    : state_(std::make_unique<State>(context, std::move(connected), peer)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

bool Stream::is_open() const {
    return state_ != nullptr && state_->socket.is_open();
}

asio::io_context& Stream::context() const {
    return state_->context;
}

int Stream::native_handle() const {
    return is_open() ? state_->fd() : -1;
}

Task<IoResult<std::size_t>> Stream::read_some(std::span<char> into, Timeout timeout) {
    if (!is_open()) co_return IoError(IoFailure::cancelled, 0);
    State& state = *state_;
    const auto stop = co_await asio::this_coro::cancellation_state;
    State::Clock::time_point until{};
    state.reader.expired = false;
    for (;;) {
        const auto reason = state.reason_to_end(state.reader, stop.cancelled());
        if (reason) co_return *reason;
        const Attempt attempt = state.try_read(into.data(), into.size());
        if (attempt.kind == Attempt::Kind::done) co_return attempt.bytes;
        if (attempt.kind == Attempt::Kind::failed) co_return attempt.error;
        if (until == State::Clock::time_point{}) until = State::Clock::now() + timeout;
        const auto waited = co_await state.wait_for(state.reader, attempt.kind, until);
        if (!waited) co_return waited.error();
    }
}

Task<IoResult<std::size_t>> Stream::fill(ReadBuffer& buffer, Timeout timeout) {
    if (!is_open()) co_return IoError(IoFailure::cancelled, 0);
    State& state = *state_;
    const auto stop = co_await asio::this_coro::cancellation_state;
    State::Clock::time_point until{};
    state.reader.expired = false;
    for (;;) {
        const auto reason = state.reason_to_end(state.reader, stop.cancelled());
        if (reason) co_return *reason;
        const bool direct = buffer.room() >= kDirectRead;
        const std::span<char> space =
            direct ? buffer.prepare(buffer.room()) : std::span<char>(scratch(), kScratch);
        const Attempt attempt = state.try_read(space.data(), space.size());
        if (attempt.kind == Attempt::Kind::done) {
            if (direct) {
                buffer.commit(attempt.bytes);
            } else {
                buffer.append({space.data(), attempt.bytes});
            }
            co_return attempt.bytes;
        }
        if (attempt.kind == Attempt::Kind::failed) co_return attempt.error;
        buffer.release();
        if (until == State::Clock::time_point{}) until = State::Clock::now() + timeout;
        const auto waited = co_await state.wait_for(state.reader, attempt.kind, until);
        if (!waited) co_return waited.error();
    }
}

Task<IoResult<void>> Stream::wait_readable(Timeout timeout) {
    if (!is_open()) co_return IoError(IoFailure::cancelled, 0);
    State& state = *state_;
    // What TLS holds decrypted, or half received, no longer makes the socket readable.
    if (state.ssl != nullptr && SSL_has_pending(state.ssl) == 1) co_return IoResult<void>();
    state.reader.interruptible = true;
    const auto waited =
        co_await state.wait(state.reader, State::WaitType::wait_read, State::Clock::now() + timeout);
    state.reader.interruptible = false;
    co_return waited;
}

Task<IoResult<void>> Stream::wait_writable(Timeout timeout) {
    if (!is_open()) co_return IoError(IoFailure::cancelled, 0);
    State& state = *state_;
    const auto waited =
        co_await state.wait(state.writer, State::WaitType::wait_write, State::Clock::now() + timeout);
    co_return waited;
}

Task<IoResult<void>> Stream::wait_connected(Timeout timeout) {
    if (!is_open()) co_return IoError(IoFailure::cancelled, 0);
    State& state = *state_;
    const auto waited =
        co_await state.wait(state.reader, State::WaitType::wait_write, State::Clock::now() + timeout);
    co_return waited;
}

Task<IoResult<void>> Stream::write_all(std::string_view bytes, Timeout timeout) {
    const std::string_view piece = bytes;
    const auto written = co_await write_all(std::span<const std::string_view>(&piece, 1), timeout);
    co_return written;
}

Task<IoResult<void>> Stream::write_all(std::span<const std::string_view> pieces, Timeout timeout) {
    if (!is_open()) co_return IoError(IoFailure::cancelled, 0);
    State& state = *state_;
    const auto stop = co_await asio::this_coro::cancellation_state;
    std::size_t first = 0;
    std::size_t offset = 0;
    state.writer.expired = false;
    State::advance(pieces, first, offset, 0);
    while (first < pieces.size() || state.output.keeps_any()) {
        const auto reason = state.reason_to_end(state.writer, stop.cancelled());
        if (reason) co_return *reason;
        const Attempt attempt = state.try_write(pieces, first, offset);
        if (attempt.kind == Attempt::Kind::failed) co_return attempt.error;
        if (attempt.kind == Attempt::Kind::done) {
            State::advance(pieces, first, offset, attempt.bytes);
            continue;
        }
        const auto waited =
            co_await state.wait_for(state.writer, attempt.kind, State::Clock::now() + timeout);
        if (!waited) co_return waited.error();
    }
    co_return IoResult<void>();
}

std::size_t Stream::write_now(std::string_view bytes) {
    if (!is_open() || state_->cancelled || state_->output.keeps_any()) return 0;
    const std::span<const std::string_view> pieces(&bytes, 1);
    std::size_t done = 0;
    while (done < bytes.size()) {
        // Record by record: what is taken is in the socket, and nothing is kept for a write that may not
        // come.
        const Attempt attempt =
            is_tls() ? state_->try_record(pieces, 0, done) : state_->try_write(pieces, 0, done);
        if (attempt.kind != Attempt::Kind::done) break;
        done += attempt.bytes;
    }
    return done;
}

Task<void> Stream::shutdown(Timeout timeout) {
    if (!is_open()) co_return;
    State& state = *state_;
    if (state.ssl != nullptr && !state.broken && SSL_is_init_finished(state.ssl) == 1) {
        SSL_shutdown(state.ssl);  // sends close_notify if the socket takes it; the answer is not needed
    }
    ::shutdown(state.fd(), SHUT_WR);
    // Closing with unread input would make the kernel send a reset, and the peer could lose our last words.
    std::size_t budget = 256 * 1024;
    const auto until = State::Clock::now() + timeout;
    while (state.socket.is_open() && budget != 0) {
        const ssize_t got = ::recv(state.fd(), scratch(), std::min(budget, kScratch), MSG_DONTWAIT);
        if (got > 0) {
            budget -= static_cast<std::size_t>(got);
            continue;
        }
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) break;
        const auto waited = co_await state.wait(state.writer, State::WaitType::wait_read, until);
        if (!waited) break;
    }
    state.close();
}

void Stream::close() {
    if (state_ != nullptr) state_->close();
}

void Stream::cancel() {
    if (state_ == nullptr) return;
    state_->cancelled = true;
    state_->kick();
}

void Stream::stop_reading() {
    if (state_ == nullptr) return;
    state_->reads_stopped = true;
    state_->kick();
}

void Stream::interrupt() {
    if (state_ == nullptr) return;
    state_->interrupted = true;
    if (state_->reader.interruptible) state_->kick();
}

const SocketAddress& Stream::peer() const {
    return state_->peer;
}

const SocketAddress& Stream::local() const {
    if (!state_->local) state_->local = is_open() ? name_of(state_->fd(), &getsockname) : SocketAddress{};
    return *state_->local;
}

}  // namespace mailstead::net
