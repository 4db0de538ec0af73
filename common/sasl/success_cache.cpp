#include "common/sasl/success_cache.h"

#include "common/base/secret.h"
#include "common/sasl/password_hash.h"

namespace mailstead::sasl {

SuccessCache::SuccessCache(std::size_t max_entries, Milliseconds max_age)
    : max_entries_(max_entries), max_age_(max_age), secret_(random_bytes(32)) {}

std::string SuccessCache::key_of(std::string_view login, std::string_view password) const {
    // The length in front keeps "ab"+"c" and "a"+"bc" apart.
    std::string both = std::to_string(login.size()) + ':';
    both.reserve(both.size() + login.size() + password.size());
    both.append(login).append(password);
    std::string key = hash_random_password(secret_, both);
    wipe(both);
    return key;
}

bool SuccessCache::knows(std::string_view login, std::string_view password, AccountId account,
                         std::uint64_t generation, Time now) {
    const std::string key = key_of(login, password);
    const std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return false;
    const Entry& entry = *found->second;
    const bool fresh = now >= entry.proved && now - entry.proved <= max_age_;
    if (fresh && entry.account == account && entry.generation == generation) return true;
    by_age_.erase(found->second);
    by_key_.erase(found);
    return false;
}

void SuccessCache::remember(std::string_view login, std::string_view password, AccountId account,
                            std::uint64_t generation, Time now) {
    if (max_entries_ == 0) return;
    const std::string key = key_of(login, password);
    const std::lock_guard lock(mutex_);
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
        by_age_.erase(found->second);
        by_key_.erase(found);
    }
    if (by_key_.size() >= max_entries_) {
        by_key_.erase(by_age_.back().key);
        by_age_.pop_back();
    }
    by_age_.push_front({key, account, generation, now});
    by_key_.emplace(key, by_age_.begin());
}

std::size_t SuccessCache::size() const {
    const std::lock_guard lock(mutex_);
    return by_key_.size();
}

}  // namespace mailstead::sasl
