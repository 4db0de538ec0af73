// One connection: TCP or Unix, plain or TLS.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include "common/base/file_descriptor.h"
#include "common/net/io_result.h"
#include "common/net/read_buffer.h"
#include "common/net/socket_address.h"
#include "common/net/task.h"
#include "common/net/tls_context.h"

namespace mailstead::net {

// RFC 5929 and RFC 9266, by their registered names.
enum class ChannelBinding : std::uint8_t {
    tls_exporter,          // RFC 9266: TLS 1.3, and 1.2 with extended master secret
    tls_unique,            // RFC 5929, 3: TLS 1.2 only
    tls_server_end_point,  // RFC 5929, 4
};

enum class Trust : std::uint8_t { not_checked, verified, dane_verified, failed };

// What TLS agreed on.
struct TlsFacts {
    std::string_view version;  // `TLSv1.3`; static text
    std::string_view cipher;   // `TLS_AES_256_GCM_SHA384`; static text
    int secret_bits = 0;
    bool resumed = false;
    std::string sni;                        // server side: the name the client asked for, empty if none
    Trust peer_trust = Trust::not_checked;  // client side: whether the server's certificate verified
    std::string trust_detail;               // why it did not
};

// Belongs to one thread: that of its io_context. At most one read and one write may be waiting at the same
// time. The object must outlive its pending operations and must not be moved while there are any. A view
// given to an operation must live until it ends.
//
// Timeouts: a read, a wait or a handshake fails with `timed_out` when it as a whole takes longer. A write
// fails when the peer takes no byte for that long, so that a large message to a slow peer is no failure.
//
// When the task that reads is asked to stop (TaskGroup::request_stop), reads and waits fail with `cancelled`,
// at once and from then on; writes go on, so that a last reply can be sent. TaskGroup::abort ends writes as
// well.
class Stream {
public:
    Stream();  // closed
    // Takes a connected socket and makes it non-blocking; TCP_NODELAY is set. Not open afterwards if the
    // kernel refuses to watch it.
    Stream(boost::asio::io_context& context, FileDescriptor connected);
    // The same when the peer's address is known already.
    Stream(boost::asio::io_context& context, FileDescriptor connected, const SocketAddress& peer);
    Stream(Stream&&) noexcept;
    Stream& operator=(Stream&&) noexcept;
    ~Stream();

    bool is_open() const;
    // Requires an object made from a socket (not a default one).
    boost::asio::io_context& context() const;
    int native_handle() const;

    // At least one byte into `into`; the number read. `into` must not be empty.
    Task<IoResult<std::size_t>> read_some(std::span<char> into, Timeout timeout);
    // At least one byte appended to `buffer`; the number read. Gives the buffer's memory back while waiting
    // when it is empty. The caller bounds the buffer: at most 64 KiB, or room() if that is more, come per
    // call.
    Task<IoResult<std::size_t>> fill(ReadBuffer& buffer, Timeout timeout);
    // Waits until a read would find something (or the end, or an error), holding no buffer: what an idle
    // session waits in.
    Task<IoResult<void>> wait_readable(Timeout timeout);

    // Waits until the socket takes bytes. Like a write, it is not ended by a request to stop.
    Task<IoResult<void>> wait_writable(Timeout timeout);
    // For connect(): waits until a connect under way is over, well or not.
    Task<IoResult<void>> wait_connected(Timeout timeout);

    // All bytes. The array of pieces must be a named object that lives until the end; pieces go out with one
    // system call, in TLS in as few records as hold them.
    Task<IoResult<void>> write_all(std::string_view bytes, Timeout timeout);
    Task<IoResult<void>> write_all(std::span<const std::string_view> pieces, Timeout timeout);

    // As many bytes as the socket takes without waiting; how many it took. No write may be waiting, and the
    // next one must begin with the bytes that were not taken.
    std::size_t write_now(std::string_view bytes);

    // TLS from here on, as server or as client, also in the middle of a connection (STARTTLS). `plaintext` is
    // the caller's buffer of bytes read so far: it is emptied, since what came before the handshake must not
    // count as protected (RFC 3207, 6; RFC 9051, 6.2.1). After a failure only close() is left.
    Task<IoResult<void>> accept_tls(std::shared_ptr<TlsServerContext> context, ReadBuffer& plaintext,
                                    Timeout timeout);
    Task<IoResult<void>> connect_tls(std::shared_ptr<TlsClientContext> context,
                                     const TlsClientRequest& request, ReadBuffer& plaintext, Timeout timeout);

    bool is_tls() const;
    // Requires is_tls().
    TlsFacts tls_facts() const;
    // The bytes that bind an authentication to this connection; empty if this TLS version has no such
    // binding.
    std::string channel_binding(ChannelBinding kind) const;

    // Ends in good order: close_notify, FIN, waits up to `timeout` for the peer's end so that the last reply
    // is not lost to a reset when the peer had sent more, closes.
    Task<void> shutdown(Timeout timeout);
    // At once. Pending operations fail with `cancelled`.
    void close();
    // Pending and later operations fail with `cancelled`; the socket stays open.
    void cancel();
    // Pending and later reads and waits fail with `cancelled`, as if the task had been asked to stop; writes
    // go on, so that a last reply can be sent.
    void stop_reading();
    // The pending wait_readable, or else the next one, fails with `interrupted`: how news reaches an idle
    // session.
    void interrupt();

    // Unspecified address and port 0 for Unix sockets.
    const SocketAddress& peer() const;
    const SocketAddress& local() const;

    struct State;  // private to common/net

private:
    std::unique_ptr<State> state_;
};

}  // namespace mailstead::net
