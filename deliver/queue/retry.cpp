#include "deliver/queue/retry.h"

#include <algorithm>

namespace mailstead::deliver {
namespace {

constexpr Seconds kFirst = std::chrono::minutes(2);
constexpr Seconds kLongest = std::chrono::hours(4);
constexpr double kSpread = 0.2;

}  // namespace

Seconds retry_delay(std::uint32_t attempts, double chance) {
    const std::uint32_t doublings = std::min<std::uint32_t>(attempts > 0 ? attempts - 1 : 0, 16);
    const Seconds base = std::min(kLongest, kFirst * (std::int64_t{1} << doublings));
    const double factor = 1.0 - kSpread + 2 * kSpread * chance;
    return Seconds(static_cast<std::int64_t>(static_cast<double>(base.count()) * factor));
}

}  // namespace mailstead::deliver
