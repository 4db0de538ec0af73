// What issuers said about tokens a moment ago.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "common/base/clock.h"
#include "common/base/secret.h"
#include "deliver/auth/introspection.h"

namespace mailstead::deliver {

// Good answers for a minute, refusals for ten seconds, each under a keyed hash of the token. So many of each
// that refusals, which any stranger can bring about, take no room from good ones. Thread-safe.
class TokenCache {
public:
    TokenCache();
    // What finds a token here.
    std::string key_of(const Secret& token) const;
    std::optional<TokenFacts> find(const std::string& key, Time now);
    // Not of answers that say nothing (`unavailable`).
    void remember(const std::string& key, const TokenFacts& facts, Time now);

private:
    struct Entry {
        std::string key;
        TokenFacts facts;
        Time until;
    };
    struct Part {
        std::optional<TokenFacts> find(const std::string& key, Time now);
        void put(Entry entry);
        std::size_t most = 0;
        std::list<Entry> by_age;  // youngest first
        std::unordered_map<std::string, std::list<Entry>::iterator> by_key;
    };

    const std::string secret_;
    std::mutex mutex_;
    Part good_;
    Part refused_;
};

}  // namespace mailstead::deliver
