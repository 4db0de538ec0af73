#include "common/net/tls_output.h"

#include <cerrno>
#include <sys/socket.h>

namespace mailstead::net {

namespace {

// Three records and what encryption adds to them fit into one packet of the loopback device (64 KiB).
constexpr std::size_t kGather = std::size_t{48} * 1024;

// For the time of one call of Stream: one for the whole thread.
std::string& gathered() {
    static thread_local std::string bytes;
    return bytes;
}

ssize_t send_some(int socket, const char* bytes, std::size_t size) {
    for (;;) {
        const ssize_t sent = ::send(socket, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0 || errno != EINTR) return sent;
    }
}

}  // namespace

bool TlsOutput::attach(SSL* ssl, int socket) {
    socket_ = socket;
    BIO* const in = BIO_new_socket(socket, BIO_NOCLOSE);
    if (in == nullptr) return false;
    SSL_set0_rbio(ssl, in);
    BIO* const out = method() == nullptr ? nullptr : BIO_new(method());
    if (out == nullptr) return false;
    BIO_set_data(out, this);
    BIO_set_init(out, 1);
    SSL_set0_wbio(ssl, out);
    return true;
}

BIO_METHOD* TlsOutput::method() {
    static BIO_METHOD* const made = [] {
        BIO_METHOD* const fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "TLS output");
        if (fresh == nullptr) return fresh;
        BIO_meth_set_write(fresh, &on_write);
        BIO_meth_set_ctrl(fresh, &on_control);
        return fresh;
    }();
    return made;
}

int TlsOutput::on_write(BIO* bio, const char* bytes, int size) {
    auto& output = *static_cast<TlsOutput*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (!output.gathering_) return output.write_through(bio, bytes, static_cast<std::size_t>(size));
    gathered().append(bytes, static_cast<std::size_t>(size));
    return size;
}

// Handshakes, alerts, and what a read makes necessary: behind what is kept.
int TlsOutput::write_through(BIO* bio, const char* bytes, std::size_t size) {
    const Sent before = send_kept();
    if (before == Sent::failed) return -1;
    const ssize_t sent = before == Sent::all ? send_some(socket_, bytes, size) : -1;
    if (sent < 0 && (before == Sent::some || errno == EAGAIN)) BIO_set_retry_write(bio);
    return static_cast<int>(sent);
}

// What OpenSSL asks and is not answered, kernel TLS among it, is not there.
long TlsOutput::on_control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

void TlsOutput::gather() {
    gathered().clear();
    gathering_ = true;
}

bool TlsOutput::has_gathered_enough() const {
    return gathered().size() >= kGather;
}

TlsOutput::Sent TlsOutput::send_gathered() {
    gathering_ = false;
    const std::string& bytes = gathered();
    if (bytes.empty()) return Sent::all;
    const ssize_t sent = send_some(socket_, bytes.data(), bytes.size());
    if (sent < 0 && errno != EAGAIN) return Sent::failed;
    const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    if (done == bytes.size()) return Sent::all;
    kept_.assign(bytes, done);
    sent_ = 0;
    return Sent::some;
}

TlsOutput::Sent TlsOutput::send_kept() {
    if (kept_.empty()) return Sent::all;
    const ssize_t sent = send_some(socket_, kept_.data() + sent_, kept_.size() - sent_);
    if (sent < 0) return errno == EAGAIN ? Sent::some : Sent::failed;
    sent_ += static_cast<std::size_t>(sent);
    if (sent_ < kept_.size()) return Sent::some;
    forget();
    return Sent::all;
}

void TlsOutput::forget() {
    std::string().swap(kept_);
    sent_ = 0;
}

}  // namespace mailstead::net
