// Counters of one process, for `status` and the metrics page.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailstead::metrics {

// Define as a namespace-scope object in a .cpp: `metrics::Counter accepted("smtp_messages_accepted");`.
// Registered for the life of the process. Thread-safe, one relaxed atomic add.
class Counter {
public:
    // Static text: lower case, underscores.
    explicit Counter(std::string_view name);
    Counter(const Counter&) = delete;
    Counter& operator=(const Counter&) = delete;
    void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    // For gauges.
    void subtract(std::uint64_t n = 1) { value_.fetch_sub(n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }
    std::string_view name() const { return name_; }

private:
    std::string_view name_;
    alignas(64) std::atomic<std::uint64_t> value_{0};
};

// All counters by name.
std::vector<std::pair<std::string, std::uint64_t>> snapshot();

}  // namespace mailstead::metrics
