// Asks the issuer whether OAuth tokens hold (RFC 7662), and remembers for a moment what it said.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/secret.h"
#include "common/directory/directory.h"
#include "common/dns/cares_resolver.h"
#include "common/net/https_request.h"
#include "common/runtime/fair_pool.h"
#include "common/sasl/exchange.h"
#include "common/settings/settings.h"
#include "deliver/auth/introspection.h"
#include "deliver/auth/issuer_health.h"
#include "deliver/auth/token_cache.h"
#include "deliver/auth/wait.h"

namespace mailstead::deliver {

// Thread-safe.
class TokenService {
public:
    // `settings.oauth` is configured. Reads the client's secret and the roots: before the sandbox closes.
    // `directory` outlives it.
    static Result<std::unique_ptr<TokenService>> open(const settings::Settings& settings,
                                                      dns::ResolverOptions resolver,
                                                      const directory::Directory& directory);

    // Begins the pool's threads: after the sandbox has closed, which binds only threads that come later.
    void start();

    // What check() would say without asking anybody. Takes microseconds.
    std::optional<sasl::TokenVerdict> remembered(const Secret& token, std::string_view login);
    // Whether `token` lets somebody in who may call himself `login` (empty: whoever the token names). Takes
    // as long as the issuer does, at most some seconds; all who ask about the same token meanwhile share one
    // question. Wait::end() ends it: nobody knows then, and a question that nobody waits for is not asked.
    net::Task<sasl::TokenVerdict> check(const Secret& token, std::string_view login,
                                        const runtime::FairPool::Customer& customer,
                                        std::shared_ptr<Wait> wait);

    const sasl::OAuthFacts& facts() const { return facts_; }

private:
    struct Question {
        std::string key;
        Secret token;
        std::vector<std::shared_ptr<Wait>> waiting;
        runtime::FairPool::Ticket ticket = 0;
        bool abandoned = false;
        std::optional<TokenFacts> facts;
    };
    using Asked = std::shared_ptr<Question>;
    class Asking;

    TokenService(settings::OAuth settings, net::HttpsUrl endpoint, dns::ResolverOptions resolver,
                 const directory::Directory& directory);
    Asked join(const Secret& token, const runtime::FairPool::Customer& customer,
               const std::shared_ptr<Wait>& wait);
    std::optional<TokenFacts> leave(const Asked& question, const std::shared_ptr<Wait>& wait);
    void answer(const Asked& question);
    void finish(const Asked& question, TokenFacts facts);
    TokenFacts ask(const Secret& token);
    TokenFacts facts_of(const Result<net::HttpsResponse>& answer);
    sasl::TokenVerdict verdict_for(const TokenFacts& facts, std::string_view login) const;

    const settings::OAuth settings_;
    const net::HttpsUrl endpoint_;
    const dns::ResolverOptions resolver_;
    const directory::Directory& directory_;
    sasl::OAuthFacts facts_;
    Secret authorization_;
    std::shared_ptr<net::TlsClientContext> tls_;
    TokenCache cache_;
    IssuerHealth health_;
    std::mutex mutex_;
    std::unordered_map<std::string, Asked> questions_;  // that are not answered yet, by key
    std::optional<runtime::FairPool> pool_;
};

}  // namespace mailstead::deliver
