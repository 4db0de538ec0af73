// What TLS connections share: certificates, trust, policy.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

struct ssl_st;  // OpenSSL's SSL

namespace mailstead::net {

struct CertificateFiles {
    std::string certificate;  // PEM, the chain, leaf first
    std::string key;          // PEM
};

struct TlsServerOptions {
    // The first serves clients that name no host or an unknown one; the others by the names in them.
    std::vector<CertificateFiles> certificates;
    // Some senders' libraries have failed on tickets: they can be switched off.
    bool session_tickets = true;
    // Told, at most once a minute, why changed files could not be taken. Called on any thread.
    std::function<void(std::string_view problem)> on_problem;
    // Told after changed files were taken.
    std::function<void()> on_reload;
};

// Server side of TLS 1.2 and 1.3. Thread-safe. The files are looked at once a second at most, when a
// connection starts; changed ones are taken if they are whole, else the old ones stay in use. Connections
// keep what they started with.
class TlsServerContext {
public:
    static Result<std::shared_ptr<TlsServerContext>> load(TlsServerOptions options);
    ~TlsServerContext();

    // Reads the files now, whether they changed or not (SIGHUP). After an error the old ones stay in use.
    Result<void> reload();
    // When the certificate in use that ends first does so.
    std::chrono::sys_seconds expires() const;

    // For Stream: a new server session object; owned by the caller.
    ssl_st* new_session();

private:
    struct State;
    explicit TlsServerContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

struct TlsClientOptions {
    bool system_roots = true;
    std::string ca_file;  // more roots, PEM; empty for none
};

// RFC 6698, 2.1: one TLSA record.
struct TlsaRecord {
    std::uint8_t usage = 0;
    std::uint8_t selector = 0;
    std::uint8_t matching_type = 0;
    std::string data;
};

enum class Verify : std::uint8_t {
    opportunistic,  // any certificate will do; TlsFacts says whether it verified
    name,           // must chain to a root and carry one of the names, else `untrusted`
    dane,           // must match one of the TLSA records (RFC 7672), else `untrusted`
};

// What one outbound handshake asks for.
struct TlsClientRequest {
    std::string server_name;  // sent as SNI, and the first name to verify; empty: no SNI
    std::vector<std::string>
        names;  // more names the certificate may carry; `.example.org` accepts any one label below
    Verify verify = Verify::opportunistic;
    std::vector<TlsaRecord> tlsa;  // for Verify::dane; usages 0 and 1 count as unusable (RFC 7672, 3.1.3)
};

// Client side of TLS 1.2 and 1.3 (opportunistic peers too: older versions protect nothing). Thread-safe,
// immutable.
class TlsClientContext {
public:
    static Result<std::shared_ptr<TlsClientContext>> load(const TlsClientOptions& options);
    ~TlsClientContext();

    // For Stream: a new client session object, owned by the caller; nullptr if the request cannot be honoured
    // (no usable TLSA).
    ssl_st* new_session(const TlsClientRequest& request) const;

private:
    struct State;
    explicit TlsClientContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace mailstead::net
