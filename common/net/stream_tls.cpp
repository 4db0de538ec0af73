#include <array>
#include <cerrno>

#include <boost/asio/this_coro.hpp>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "common/net/stream_state.h"

namespace mailstead::net {

using Attempt = Stream::State::Attempt;

Attempt Stream::State::tls_outcome(int result) {
    const int system_error = errno;
    const int reason = SSL_get_error(ssl, result);
    switch (reason) {
        case SSL_ERROR_WANT_READ:
            return {Attempt::Kind::want_read, 0, {}};
        case SSL_ERROR_WANT_WRITE:
            return {Attempt::Kind::want_write, 0, {}};
        case SSL_ERROR_ZERO_RETURN:
            return {Attempt::Kind::failed, 0, IoError(IoFailure::closed, 0)};
        case SSL_ERROR_SYSCALL: {
            broken = true;
            ERR_clear_error();
            return {Attempt::Kind::failed, 0,
                    system_error != 0 ? io_error_from_errno(system_error) : IoError(IoFailure::reset, 0)};
        }
        default: {
            broken = true;
            const unsigned long code = ERR_peek_last_error();
            // The queue belongs to the thread: what stays in it would be taken for another connection's
            // error.
            ERR_clear_error();
            const bool cut_off = ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
            return {Attempt::Kind::failed, 0, IoError(cut_off ? IoFailure::reset : IoFailure::tls, code)};
        }
    }
}

Attempt Stream::State::try_handshake() {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_do_handshake(ssl);
    if (result == 1) return {Attempt::Kind::done, 0, {}};
    return tls_outcome(result);
}

Task<IoResult<void>> Stream::State::handshake(ssl_st* session, Timeout timeout) {
    if (session == nullptr) co_return IoError(IoFailure::tls, 0);
    ssl = session;
    if (!output.attach(ssl, fd())) co_return IoError(IoFailure::tls, 0);
    const auto until = Clock::now() + timeout;
    for (;;) {
        const Attempt attempt = try_handshake();
        if (attempt.kind == Attempt::Kind::done) co_return IoResult<void>();
        if (attempt.kind == Attempt::Kind::failed) co_return attempt.error;
        const auto waited = co_await wait_for(reader, attempt.kind, until);
        if (!waited) co_return waited.error();
    }
}

Task<IoResult<void>> Stream::accept_tls(std::shared_ptr<TlsServerContext> context, ReadBuffer& plaintext,
                                        Timeout timeout) {
    plaintext.clear();
    if (!is_open() || is_tls()) co_return IoError(IoFailure::cancelled, 0);
    ssl_st* const session = context->new_session();
    const auto done = co_await state_->handshake(session, timeout);
    co_return done;
}

Task<IoResult<void>> Stream::connect_tls(std::shared_ptr<TlsClientContext> context,
                                         const TlsClientRequest& request, ReadBuffer& plaintext,
                                         Timeout timeout) {
    plaintext.clear();
    if (!is_open() || is_tls()) co_return IoError(IoFailure::cancelled, 0);
    const bool must_verify = request.verify != Verify::opportunistic;
    ssl_st* const session = context->new_session(request);
    if (session == nullptr && request.verify == Verify::dane)
        co_return IoError(IoFailure::untrusted, X509_V_ERR_DANE_NO_MATCH);
    const auto done = co_await state_->handshake(session, timeout);
    if (!done) co_return done;
    const long verdict = SSL_get_verify_result(state_->ssl);
    if (must_verify && verdict != X509_V_OK)
        co_return IoError(IoFailure::untrusted, static_cast<unsigned long>(verdict));
    co_return done;
}

bool Stream::is_tls() const {
    return state_ != nullptr && state_->ssl != nullptr;
}

TlsFacts Stream::tls_facts() const {
    SSL* const ssl = state_->ssl;
    TlsFacts facts;
    facts.version = SSL_get_version(ssl);
    facts.cipher = SSL_get_cipher_name(ssl);
    facts.secret_bits = SSL_get_cipher_bits(ssl, nullptr);
    facts.resumed = SSL_session_reused(ssl) == 1;
    if (const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) facts.sni = name;
    if (SSL_is_server(ssl) == 0) {
        const long verdict = SSL_get_verify_result(ssl);
        const bool by_dane = SSL_get0_dane_authority(ssl, nullptr, nullptr) >= 0;
        facts.peer_trust = verdict != X509_V_OK ? Trust::failed
                           : by_dane            ? Trust::dane_verified
                                                : Trust::verified;
        if (verdict != X509_V_OK) facts.trust_detail = X509_verify_cert_error_string(verdict);
    }
    return facts;
}

namespace {

// RFC 9266, 4: 32 bytes, no context beyond a zero-length one.
std::string exporter_binding(SSL* ssl) {
    // Without the extended master secret a TLS 1.2 exporter does not identify the connection (RFC 9266, 4.2).
    if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1) return {};
    static constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
    std::array<unsigned char, 32> key{};
    const unsigned char none = 0;
    if (SSL_export_keying_material(ssl, key.data(), key.size(), kLabel.data(), kLabel.size(), &none, 0, 1) !=
        1)
        return {};
    return {reinterpret_cast<const char*>(key.data()), key.size()};
}

// RFC 5929, 3.1: the first Finished of the handshake, which is the client's unless the session was resumed.
std::string unique_binding(SSL* ssl) {
    if (SSL_version(ssl) >= TLS1_3_VERSION) return {};
    std::array<char, 64> finished{};
    const bool ours = (SSL_is_server(ssl) == 1) == (SSL_session_reused(ssl) == 1);
    const std::size_t size = ours ? SSL_get_finished(ssl, finished.data(), finished.size())
                                  : SSL_get_peer_finished(ssl, finished.data(), finished.size());
    return {finished.data(), size};
}

// RFC 5929, 4.1: the certificate hashed with its signature's hash, MD5 and SHA-1 replaced by SHA-256.
std::string end_point_binding(SSL* ssl) {
    X509* const certificate =
        SSL_is_server(ssl) == 1 ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
    if (certificate == nullptr) return {};
    int hash = NID_undef;
    if (OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &hash, nullptr) != 1) return {};
    if (hash == NID_md5 || hash == NID_sha1 || hash == NID_undef) hash = NID_sha256;
    const EVP_MD* const algorithm = EVP_get_digestbynid(hash);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (algorithm == nullptr || X509_digest(certificate, algorithm, digest.data(), &size) != 1) return {};
    return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace

std::string Stream::channel_binding(ChannelBinding kind) const {
    if (!is_tls()) return {};
    std::string binding;
    switch (kind) {
        case ChannelBinding::tls_exporter:
            binding = exporter_binding(state_->ssl);
            break;
        case ChannelBinding::tls_unique:
            binding = unique_binding(state_->ssl);
            break;
        case ChannelBinding::tls_server_end_point:
            binding = end_point_binding(state_->ssl);
            break;
    }
    ERR_clear_error();
    return binding;
}

}  // namespace mailstead::net
