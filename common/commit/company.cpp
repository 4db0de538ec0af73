#include "common/commit/company.h"

#include <algorithm>

namespace mailstead::commit {
namespace {

using namespace std::chrono_literals;

constexpr Company::Duration kDearFlush = 500us;
constexpr Company::Duration kMostPatience = 4ms;
constexpr unsigned kMostSkipped = 64;

}  // namespace

Company::Duration Company::patience(std::size_t waiting) {
    if (waiting == 0 || waiting >= expected_ || flush_ < kDearFlush) return {};
    if (to_skip_ > 0) {
        --to_skip_;
        return {};
    }
    return std::min(flush_ / 2, kMostPatience);
}

void Company::waited(std::size_t before, std::size_t now) {
    if (now > before) {
        next_skip_ = 1;
        return;
    }
    to_skip_ = next_skip_;
    next_skip_ = std::min(2 * next_skip_, kMostSkipped);
}

}  // namespace mailstead::commit
