// How many people one account may write to. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "common/base/ids.h"

namespace mailstead::smtpd {

// A bucket of `per_hour` for each account, refilled steadily. Holds as many entries as there are accounts
// that wrote lately.
class RecipientRate {
public:
    using Clock = std::chrono::steady_clock;
    explicit RecipientRate(std::uint32_t per_hour) : per_hour_(per_hour) {}
    // One recipient more; false: too many. A rate of 0 is no limit.
    bool take(AccountId account, Clock::time_point now);

private:
    struct Bucket {
        double left = 0;
        Clock::time_point at;
    };
    const std::uint32_t per_hour_;
    std::mutex mutex_;
    std::unordered_map<AccountId, Bucket> buckets_;
};

}  // namespace mailstead::smtpd
