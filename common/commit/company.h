// Private to this folder: whether a commit waits a moment for others to share its flush.
#pragma once

#include <chrono>
#include <cstddef>

namespace mailstead::commit {

// Who is answered tends to come back at once with the next change. Without a wait N busy clients fall into
// two halves that flush in turns; with one all of them share each flush. A wait is worth its time only where
// flushes are slow, so it is bounded by half of what a flush takes, and one that was in vain puts off the
// next.
class Company {
public:
    using Duration = std::chrono::steady_clock::duration;

    // A flush took so long.
    void flushed(Duration time) { flush_ = (3 * flush_ + time) / 4; }
    // A batch of so many was answered, while so many waited for the next one.
    void answered(std::size_t batch, std::size_t waiting) { expected_ = batch + waiting; }

    // How many may come to share the next flush.
    std::size_t expected() const { return expected_; }
    // How long to wait until they are there, when so many are; zero: not at all.
    Duration patience(std::size_t waiting);
    // After a wait: how many there were before, and are now.
    void waited(std::size_t before, std::size_t now);

private:
    Duration flush_{};  // of one flush, on average
    std::size_t expected_ = 0;
    unsigned to_skip_ = 0;  // waits, since nobody came the last time
    unsigned next_skip_ = 1;
};

}  // namespace mailstead::commit
