// Remembers proofs that held a moment ago, so that a client which logs in every minute costs no Argon2.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/clock.h"
#include "common/base/ids.h"

namespace mailstead::sasl {

// Holds no password: entries are found under a hash keyed with a random key of this process. Thread-safe.
class SuccessCache {
public:
    SuccessCache(std::size_t max_entries, Milliseconds max_age);

    // Whether login and password were right for `account` at this `generation` of its credentials, not longer
    // ago than max_age.
    bool knows(std::string_view login, std::string_view password, AccountId account, std::uint64_t generation,
               Time now);
    void remember(std::string_view login, std::string_view password, AccountId account,
                  std::uint64_t generation, Time now);
    std::size_t size() const;

private:
    struct Entry {
        std::string key;
        AccountId account;
        std::uint64_t generation = 0;
        Time proved{};
    };
    std::string key_of(std::string_view login, std::string_view password) const;

    const std::size_t max_entries_;
    const Milliseconds max_age_;
    const std::string secret_;
    mutable std::mutex mutex_;
    std::list<Entry> by_age_;  // youngest first
    std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace mailstead::sasl
