// Whether there is a point in asking the issuer.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace mailstead::deliver {

// Three questions without an answer, one after another, and only one is asked from time to time until there
// is an answer again: each costs a thread for seconds, and a login as long. Thread-safe.
class IssuerHealth {
public:
    using Clock = std::chrono::steady_clock;

    // Whether a question may go out now. During a pause one may, and begins the next.
    bool may_ask(Clock::time_point at) {
        const std::lock_guard lock(mutex_);
        if (failures_ < kFree) return true;
        if (at < next_) return false;
        next_ = at + pause();
        return true;
    }
    // Any answer that came from the issuer itself, whatever it says.
    void answered() {
        const std::lock_guard lock(mutex_);
        failures_ = 0;
    }
    void failed(Clock::time_point at) {
        const std::lock_guard lock(mutex_);
        ++failures_;
        if (failures_ >= kFree) next_ = std::max(next_, at + pause());
    }

private:
    static constexpr std::uint32_t kFree = 3;
    static constexpr std::chrono::seconds kLongestPause{30};

    std::chrono::seconds pause() const {
        const std::uint32_t doublings = std::min(failures_ - kFree, 5U);
        return std::min(std::chrono::seconds(1U << doublings), kLongestPause);
    }

    std::mutex mutex_;
    std::uint32_t failures_ = 0;
    Clock::time_point next_;
};

}  // namespace mailstead::deliver
