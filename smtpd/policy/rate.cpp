#include "smtpd/policy/rate.h"

#include <algorithm>

namespace mailstead::smtpd {

bool RecipientRate::take(AccountId account, Clock::time_point now) {
    if (per_hour_ == 0) return true;
    const std::lock_guard lock(mutex_);
    const double full = per_hour_;
    Bucket& bucket = buckets_.try_emplace(account, Bucket{full, now}).first->second;
    const std::chrono::duration<double, std::ratio<3600>> hours = now - bucket.at;
    bucket.left = std::min(full, bucket.left + hours.count() * full);
    bucket.at = now;
    if (bucket.left < 1) return false;
    bucket.left -= 1;
    return true;
}

}  // namespace mailstead::smtpd
