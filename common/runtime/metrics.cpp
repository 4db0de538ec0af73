#include "common/runtime/metrics.h"

#include <algorithm>
#include <mutex>

namespace mailstead::metrics {

namespace {

struct Registry {
    std::mutex mutex;
    std::vector<const Counter*> counters;
};

Registry& registry() {
    static Registry one;
    return one;
}

}  // namespace

Counter::Counter(std::string_view name) : name_(name) {
    const std::lock_guard lock(registry().mutex);
    registry().counters.push_back(this);
}

std::vector<std::pair<std::string, std::uint64_t>> snapshot() {
    const std::lock_guard lock(registry().mutex);
    std::vector<std::pair<std::string, std::uint64_t>> numbers;
    for (const Counter* const counter : registry().counters)
        numbers.emplace_back(counter->name(), counter->value());
    std::ranges::sort(numbers);
    return numbers;
}

}  // namespace mailstead::metrics
