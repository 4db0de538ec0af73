// Asks the issuer whether OAuth tokens hold (RFC 7662), and remembers for a moment those that did.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/secret.h"
#include "common/directory/directory.h"
#include "common/dns/cares_resolver.h"
#include "common/net/https_request.h"
#include "common/runtime/offload.h"
#include "common/sasl/exchange.h"
#include "common/settings/settings.h"
#include "deliver/auth/introspection.h"

namespace mailstead::deliver {

// Positive answers about tokens, found under a keyed hash. Thread-safe; bounded.
class TokenCache {
public:
    TokenCache();
    // What the claim said, if it was asked for a moment ago.
    std::optional<std::string> find(const Secret& token, Time now);
    void remember(const Secret& token, std::string account, std::optional<Time> ends, Time now);

private:
    struct Entry {
        std::string account;
        Time ends;
    };
    std::string key_of(const Secret& token) const;

    const std::string secret_;
    std::mutex mutex_;
    std::unordered_map<std::string, Entry> entries_;
};

class TokenService {
public:
    // `settings.oauth` is configured. Reads the client's secret and the roots: before the sandbox closes.
    // `directory` outlives it.
    static Result<std::unique_ptr<TokenService>> open(const settings::Settings& settings,
                                                      dns::ResolverOptions resolver,
                                                      const directory::Directory& directory);

    // Begins the pool's threads: after the sandbox has closed, which binds only threads that come later.
    void start();

    // Whether `token` lets somebody in who may call himself `login` (empty: whoever the token names). Takes
    // as long as the issuer does, at most some seconds: on pool(). Thread-safe.
    sasl::TokenVerdict check(const Secret& token, std::string_view login);

    const sasl::OAuthFacts& facts() const { return facts_; }
    runtime::OffloadPool& pool() { return *pool_; }

private:
    TokenService(settings::OAuth settings, net::HttpsUrl endpoint, dns::ResolverOptions resolver,
                 const directory::Directory& directory);
    TokenFacts ask(const Secret& token) const;
    sasl::TokenVerdict verdict_for(std::string_view account, std::string_view login) const;

    const settings::OAuth settings_;
    const net::HttpsUrl endpoint_;
    const dns::ResolverOptions resolver_;
    const directory::Directory& directory_;
    sasl::OAuthFacts facts_;
    Secret authorization_;
    std::shared_ptr<net::TlsClientContext> tls_;
    TokenCache cache_;
    std::optional<runtime::OffloadPool> pool_;
};

}  // namespace mailstead::deliver
