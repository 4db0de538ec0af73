#include "deliver/auth/token_cache.h"

#include "common/sasl/password_hash.h"

namespace mailstead::deliver {
namespace {

using Status = sasl::TokenVerdict::Status;

constexpr std::size_t kMostGood = 10'000;
constexpr std::size_t kMostRefused = 4'096;
// Long enough for the connections that a client opens together; a token that is revoked dies soon.
constexpr Seconds kGoodFor{60};
// A client that has one that is not good yet, or not any more, asks again and again.
constexpr Seconds kRefusedFor{10};

}  // namespace

TokenCache::TokenCache() : secret_(random_bytes(32)) {
    good_.most = kMostGood;
    refused_.most = kMostRefused;
}

std::string TokenCache::key_of(const Secret& token) const {
    return sasl::hash_random_password(secret_, token.reveal());
}

std::optional<TokenFacts> TokenCache::Part::find(const std::string& key, Time now) {
    const auto found = by_key.find(key);
    if (found == by_key.end()) return std::nullopt;
    if (found->second->until > now) return found->second->facts;
    by_age.erase(found->second);
    by_key.erase(found);
    return std::nullopt;
}

void TokenCache::Part::put(Entry entry) {
    if (const auto known = by_key.find(entry.key); known != by_key.end()) {
        by_age.erase(known->second);
        by_key.erase(known);
    }
    if (by_key.size() >= most) {
        by_key.erase(by_age.back().key);
        by_age.pop_back();
    }
    by_age.push_front(std::move(entry));
    by_key.emplace(by_age.front().key, by_age.begin());
}

std::optional<TokenFacts> TokenCache::find(const std::string& key, Time now) {
    const std::lock_guard lock(mutex_);
    if (auto good = good_.find(key, now)) return good;
    return refused_.find(key, now);
}

void TokenCache::remember(const std::string& key, const TokenFacts& facts, Time now) {
    if (facts.status == Status::unavailable) return;
    const bool good = facts.status == Status::valid;
    Time until = now + (good ? kGoodFor : kRefusedFor);
    if (good && facts.ends && *facts.ends < until) until = *facts.ends;
    if (until <= now) return;
    const std::lock_guard lock(mutex_);
    (good ? good_ : refused_).put({key, facts, until});
}

}  // namespace mailstead::deliver
