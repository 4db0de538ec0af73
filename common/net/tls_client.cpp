#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/net/tls_common.h"
#include "common/net/tls_context.h"

namespace mailstead::net {

struct TlsClientContext::State {
    tls::ContextPointer context;
};

TlsClientContext::TlsClientContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsClientContext::~TlsClientContext() = default;

Result<std::shared_ptr<TlsClientContext>> TlsClientContext::load(const TlsClientOptions& options) {
    auto state = std::make_unique<State>();
    state->context = tls::new_context(TLS_client_method());
    SSL_CTX* const c = state->context.get();
    if (c == nullptr) return transient_error(tls::failure_text("TLS context"));
    if (options.system_roots) SSL_CTX_set_default_verify_paths(c);
    if (!options.ca_file.empty() && SSL_CTX_load_verify_file(c, options.ca_file.c_str()) != 1) {
        return permanent_error(tls::failure_text("CA file " + options.ca_file));
    }
    SSL_CTX_dane_enable(c);
    // The handshake goes on whatever the certificate is; the verdict is looked at afterwards
    // (Stream::connect_tls).
    SSL_CTX_set_verify(c, SSL_VERIFY_NONE, nullptr);
    ERR_clear_error();
    return std::shared_ptr<TlsClientContext>(new TlsClientContext(std::move(state)));
}

namespace {

struct FreeSession {
    void operator()(SSL* session) const { SSL_free(session); }
};

bool add_names(SSL* session, const TlsClientRequest& request) {
    SSL_set_hostflags(session,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS);
    if (!request.server_name.empty() && SSL_set1_host(session, request.server_name.c_str()) != 1)
        return false;
    for (const std::string& name : request.names) {
        if (SSL_add1_host(session, name.c_str()) != 1) return false;
    }
    return true;
}

// RFC 7672, 3.1.3: only usages 2 and 3 mean anything in SMTP.
bool add_tlsa(SSL* session, const TlsClientRequest& request) {
    if (SSL_dane_enable(session, request.server_name.c_str()) != 1) return false;
    // RFC 7672, 3.1.1: with usage 3 names and dates of the certificate do not matter.
    SSL_dane_set_flags(session, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    bool usable = false;
    for (const TlsaRecord& record : request.tlsa) {
        if (record.usage != 2 && record.usage != 3) continue;
        usable |= SSL_dane_tlsa_add(session, record.usage, record.selector, record.matching_type,
                                    reinterpret_cast<const unsigned char*>(record.data.data()),
                                    record.data.size()) > 0;
    }
    return usable;
}

}  // namespace

ssl_st* TlsClientContext::new_session(const TlsClientRequest& request) const {
    std::unique_ptr<SSL, FreeSession> session(SSL_new(state_->context.get()));
    if (!session) return nullptr;
    SSL_set_connect_state(session.get());
    bool fit = false;
    if (request.verify == Verify::dane) {
        // SSL_dane_enable sets the name to verify and SNI (RFC 7672, 8.1 asks for the TLSA base domain
        // there).
        fit = add_tlsa(session.get(), request);
        for (const std::string& name : request.names) SSL_add1_host(session.get(), name.c_str());
    } else {
        fit = add_names(session.get(), request);
        if (!request.server_name.empty())
            SSL_set_tlsext_host_name(session.get(), request.server_name.c_str());
    }
    ERR_clear_error();
    return fit ? session.release() : nullptr;
}

}  // namespace mailstead::net
