#include "common/net/tls_context.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <mutex>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/net/tls_common.h"

namespace mailstead::net {

namespace tls {

std::string failure_text(std::string_view why) {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    std::string text(why);
    if (const char* const reason = ERR_reason_error_string(code)) text.append(": ").append(reason);
    return text;
}

ContextPointer new_context(const SSL_METHOD* method) {
    // A peer that is gone must not end the process, whoever writes to it.
    struct sigaction pipe_action {};
    if (sigaction(SIGPIPE, nullptr, &pipe_action) == 0 && pipe_action.sa_handler == SIG_DFL)
        std::signal(SIGPIPE, SIG_IGN);

    ContextPointer context(SSL_CTX_new(method));
    if (!context) return context;
    SSL_CTX* const c = context.get();
    SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);  // RFC 8996
    SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
    // Idle connections hold no record buffers; a write continues from wherever its bytes lie then.
    SSL_CTX_set_mode(
        c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // One system call for a record instead of two.
    SSL_CTX_set_read_ahead(c, 1);
    // Sessions live in tickets, with the clients.
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    // RFC 9325, 4.2, and CBC with forward secrecy for the mail servers of the early 2010s.
    SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL:!PSK:!SRP");
    SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384");
    return context;
}

}  // namespace tls

namespace {

using tls::ContextPointer;
using tls::failure_text;
using Clock = std::chrono::steady_clock;

// Ticket keys come with a context: a new one ends the life of old tickets (forward secrecy).
constexpr auto kContextLife = std::chrono::hours(12);
constexpr auto kLookAgain = std::chrono::seconds(1);
// A certificate and its key are rarely replaced in the same instant: what does not fit yet may fit soon.
constexpr auto kBearMismatch = std::chrono::seconds(5);
constexpr auto kComplainAgain = std::chrono::minutes(1);

// The contexts after the first, found by the names in their certificates. Owned by the first one, as its
// extra data: a connection keeps the first context alive, and this with it.
struct OtherCertificates {
    std::vector<ContextPointer> contexts;
};

void free_others(void*, void* others, CRYPTO_EX_DATA*, int, long, void*) {
    delete static_cast<OtherCertificates*>(others);
}

int others_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, &free_others);
    return index;
}

// RFC 6066, 3. An unknown name gets the first certificate: the client decides whether that will do.
int choose_certificate(SSL* ssl, int*, void*) {
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    SSL_CTX* const first = SSL_get_SSL_CTX(ssl);
    const auto* const others =
        static_cast<const OtherCertificates*>(SSL_CTX_get_ex_data(first, others_index()));
    const auto has_name = [name](SSL_CTX* context) {
        return X509_check_host(SSL_CTX_get0_certificate(context), name, std::strlen(name), 0, nullptr) == 1;
    };
    if (others == nullptr || has_name(first)) return SSL_TLSEXT_ERR_OK;
    for (const ContextPointer& other : others->contexts) {
        if (!has_name(other.get())) continue;
        SSL_set_SSL_CTX(ssl, other.get());
        break;
    }
    return SSL_TLSEXT_ERR_OK;
}

Result<ContextPointer> load_one(const CertificateFiles& files, bool tickets) {
    ContextPointer context = tls::new_context(TLS_server_method());
    if (!context) return transient_error(failure_text("TLS context"));
    SSL_CTX* const c = context.get();
    if (SSL_CTX_use_certificate_chain_file(c, files.certificate.c_str()) != 1) {
        return permanent_error(failure_text("certificate " + files.certificate));
    }
    if (SSL_CTX_use_PrivateKey_file(c, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
        return permanent_error(failure_text("key " + files.key));
    }
    if (SSL_CTX_check_private_key(c) != 1)
        return permanent_error(failure_text("key " + files.key + " does not fit the certificate"));
    static constexpr std::string_view kSessionContext = "mailstead";
    SSL_CTX_set_session_id_context(c, reinterpret_cast<const unsigned char*>(kSessionContext.data()),
                                   kSessionContext.size());
    if (tickets) {
        SSL_CTX_set_num_tickets(c, 1);
    } else {
        SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(c, 0);
    }
    return context;
}

std::chrono::sys_seconds end_of(SSL_CTX* context) {
    std::tm time{};
    const ASN1_TIME* const end = X509_get0_notAfter(SSL_CTX_get0_certificate(context));
    if (end == nullptr || ASN1_TIME_to_tm(end, &time) != 1) return {};
    return std::chrono::sys_seconds(std::chrono::seconds(timegm(&time)));
}

// Enough of a file's status to see that it was written or replaced.
struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;
    timespec modified{};
    friend bool operator==(const Stamp& a, const Stamp& b) {
        return a.device == b.device && a.inode == b.inode && a.size == b.size &&
               a.modified.tv_sec == b.modified.tv_sec && a.modified.tv_nsec == b.modified.tv_nsec;
    }
};

Stamp stamp_of(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return {};
    return {status.st_dev, status.st_ino, status.st_size, status.st_mtim};
}

}  // namespace

struct TlsServerContext::State {
    explicit State(TlsServerOptions given) : options(std::move(given)) {}

    std::vector<Stamp> stamps() const {
        std::vector<Stamp> all;
        for (const CertificateFiles& files : options.certificates) {
            all.push_back(stamp_of(files.certificate));
            all.push_back(stamp_of(files.key));
        }
        return all;
    }

    // With `mutex` held.
    Result<void> load() {
        const std::vector<Stamp> before = stamps();
        TRY(first, load_one(options.certificates.front(), options.session_tickets));
        std::chrono::sys_seconds earliest = end_of(first.get());
        auto others = std::make_unique<OtherCertificates>();
        for (std::size_t i = 1; i < options.certificates.size(); ++i) {
            TRY(other, load_one(options.certificates[i], options.session_tickets));
            earliest = std::min(earliest, end_of(other.get()));
            others->contexts.push_back(std::move(other));
        }
        SSL_CTX_set_tlsext_servername_callback(first.get(), &choose_certificate);
        if (!others->contexts.empty() &&
            SSL_CTX_set_ex_data(first.get(), others_index(), others.get()) == 1) {
            static_cast<void>(others.release());  // owned by the context now
        }
        current = std::move(first);
        expires = earliest;
        seen = before;
        loaded_at = Clock::now();
        failing_since = {};
        return {};
    }

    // With `mutex` held.
    void look_at_files(Clock::time_point time) {
        const bool changed = stamps() != seen;
        if (!changed && time - loaded_at < kContextLife) return;
        const auto loaded = load();
        if (loaded) {
            if (changed && options.on_reload) options.on_reload();
            return;
        }
        if (failing_since == Clock::time_point{}) failing_since = time;
        if (time - failing_since < kBearMismatch ||
            (complained_at != Clock::time_point{} && time - complained_at < kComplainAgain))
            return;
        complained_at = time;
        if (options.on_problem) options.on_problem(loaded.error().what);
    }

    TlsServerOptions options;
    std::mutex mutex;
    ContextPointer current;
    std::chrono::sys_seconds expires{};
    std::vector<Stamp> seen;
    Clock::time_point loaded_at{};
    Clock::time_point failing_since{};
    Clock::time_point complained_at{};
    std::atomic<Clock::rep> look_again_at{0};
};

TlsServerContext::TlsServerContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsServerContext::~TlsServerContext() = default;

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::load(TlsServerOptions options) {
    if (options.certificates.empty()) return permanent_error("no TLS certificate is configured");
    auto state = std::make_unique<State>(std::move(options));
    TRY_VOID(state->load());
    return std::shared_ptr<TlsServerContext>(new TlsServerContext(std::move(state)));
}

Result<void> TlsServerContext::reload() {
    const std::lock_guard lock(state_->mutex);
    return state_->load();
}

std::chrono::sys_seconds TlsServerContext::expires() const {
    const std::lock_guard lock(state_->mutex);
    return state_->expires;
}

ssl_st* TlsServerContext::new_session() {
    State& state = *state_;
    const Clock::time_point time = Clock::now();
    const Clock::rep ticks = time.time_since_epoch().count();
    Clock::rep due = state.look_again_at.load(std::memory_order_relaxed);
    const bool look = ticks >= due && state.look_again_at.compare_exchange_strong(
                                          due, ticks + Clock::duration(kLookAgain).count());
    const std::lock_guard lock(state.mutex);
    if (look) state.look_at_files(time);
    SSL* const session = SSL_new(state.current.get());
    if (session != nullptr) SSL_set_accept_state(session);
    return session;
}

}  // namespace mailstead::net
