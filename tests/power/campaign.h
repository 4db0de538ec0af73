// Lives and recoveries: work is cut off at many moments, each of the trees that are left is recovered, and
// recoveries are cut off in turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "tests/power/books.h"
#include "tests/power/disk.h"

namespace mailstead::power {

// A tree as some fault left it, and what was acknowledged by then.
struct Point {
    std::filesystem::path tree;
    Books books;
    std::string how;     // " after a cut at ...", for findings
    std::string boot{};  // of the next start; empty: another one than ever before
};

enum class Ending {
    in_the_midst,
    with_a_cut,  // the last point: all was answered, then the power is cut
    by_a_kill,   // the last point: all was answered, then the process dies; the page cache stays
};

struct RecoverOptions {
    // Whether the power is cut before this call of the recovery, too; it goes on all the same.
    std::function<bool(std::uint64_t call)> is_cut_at;
    // errno for a call of the recovery; 0 for most.
    std::function<int(std::uint64_t call, const char* what)> fault;
    std::function<bool(const std::filesystem::path& path, std::uint64_t offset, std::size_t size)>
        is_unreadable;
    bool may_refuse = false;  // the start may fail with a sentence
    bool works_on = false;    // more is done afterwards, and looked at again
    bool keeps_tree = false;
};

struct Recovered {
    bool started = false;
    std::string refusal;
    std::uint64_t calls = 0;
    std::vector<Point> cuts;  // as options.is_cut_at asked for
    Books books;              // with what is certain now
};

class Campaign {
public:
    using Random = std::mt19937_64;

    Campaign(std::filesystem::path folder, std::uint64_t seed) : folder_(std::move(folder)), random_(seed) {}

    // `count` things are done on a new installation; at some `moments` of it the power is cut, or the process
    // dies (one in four; a device may also come back in the same boot). The last thing done before another
    // ending than in_the_midst is an unanswered delivery: damage to its frame cannot be told from a torn one.
    std::vector<Point> live(int count, int moments, Ending ending = Ending::in_the_midst);
    std::vector<Point> live_in(const std::filesystem::path& tree, int count, int moments, Ending ending);
    Recovered recover(Point point, const RecoverOptions& options = {});

    // Lives, cuts, and cuts of recoveries of recoveries, until the figures hold so many points, or the time
    // is over. Calls `report` now and then.
    void run(
        std::uint64_t points, std::chrono::steady_clock::time_point until,
        const std::function<void()>& report = [] {});
    void recover_deeply(Point point, int depth);

    Figures& figures() { return figures_; }
    Random& random() { return random_; }
    std::filesystem::path new_tree();
    // A second one with the same content; the books are the same.
    Point copy_of(const Point& point);

private:
    void keep_evidence(const std::filesystem::path& folder, const std::filesystem::path& before,
                       const Point& point, const Figures& figures_before);
    std::filesystem::path folder_;
    Random random_;
    Figures figures_;
    std::uint64_t trees_ = 0;
    std::uint64_t boots_ = 0;
};

}  // namespace mailstead::power
