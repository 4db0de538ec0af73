#include "tests/power/campaign.h"

#include <cstdlib>
#include <mutex>

#include "tests/power/server.h"
#include "tests/power/steps.h"
#include "tests/power/work.h"

namespace mailstead::power {

fs::path Campaign::new_tree() {
    return folder_ / ("tree" + std::to_string(++trees_));
}

Point Campaign::copy_of(const Point& point) {
    Point copy{new_tree(), point.books, point.how, point.boot};
    fs::create_directories(copy.tree);
    Disk(point.tree).snapshot(copy.tree);
    return copy;
}

std::vector<Point> Campaign::live(int count, int moments, Ending ending) {
    const fs::path tree = new_tree();
    auto points = live_in(tree, count, moments, ending);
    fs::remove_all(tree);
    return points;
}

std::vector<Point> Campaign::live_in(const fs::path& tree, int count, int moments, Ending ending) {
    const std::string life = "life " + std::to_string(trees_);
    // Readers of another process look at the machine's own.
    const std::string boot = ending == Ending::by_a_kill ? commit::FileLayer::real().boot_id()
                                                         : "boot " + std::to_string(++boots_);
    std::vector<Point> points;
    Books books;
    Disk disk(tree);
    Steps steps;
    SteppedFiles files(steps, boot);
    Server server(tree, &files);
    const auto report = server.start();
    if (!report) {
        figures_.found(&Figures::failed_starts, life + ": " + report.error().what);
        return {};
    }
    Work work(server, books, figures_, random_, "m" + std::to_string(trees_));
    std::mutex mutex;
    Random dice(random_());
    const auto end_here = [&](const Books& now, bool is_kill, const std::string& how) {
        const bool same_boot = is_kill || dice() % 3 == 0;
        points.push_back({new_tree(), now,
                          (is_kill ? " after the death of " : " after a cut of ") + life + how,
                          same_boot ? boot : ""});
        if (is_kill) {
            disk.snapshot(points.back().tree);
        } else {
            disk.cut(points.back().tree, dice);
        }
    };
    // Some five calls for each thing.
    const auto rarity = static_cast<std::uint64_t>(count * 5 / std::max(1, moments) + 1);
    steps.on_call = [&](std::uint64_t call, const char* what) {
        const std::lock_guard lock(mutex);
        if (moments == 0 || dice() % rarity != 0) return 0;
        // The committer makes these calls: nobody writes into an index meanwhile.
        const bool is_kill = dice() % 2 == 0 && (what == std::string_view("write_durably") ||
                                                 what == std::string_view("link_descriptor"));
        work.hold_still([&](const Books& now) {
            end_here(now, is_kill, " before call " + std::to_string(call) + ", " + what);
        });
        return 0;
    };
    work.run(count);
    {
        const std::lock_guard lock(mutex);
        steps.on_call = nullptr;
    }
    if (ending == Ending::in_the_midst) return points;
    work.deliver_unanswered();
    end_here(work.books_now(), ending == Ending::by_a_kill, " at its end");
    return points;
}

Recovered Campaign::recover(Point point, const RecoverOptions& options) {
    const char* keep = std::getenv("MAILSTEAD_POWER_KEEP");
    const fs::path before = keep == nullptr ? fs::path() : copy_of(point).tree;
    const Figures figures_before = figures_;
    Recovered recovered;
    recovered.books = std::move(point.books);
    Books& books = recovered.books;
    {
        Disk disk(point.tree);
        Steps steps;
        const std::string boot = point.boot.empty() ? "boot " + std::to_string(++boots_) : point.boot;
        SteppedFiles files(steps, boot);
        files.is_unreadable = options.is_unreadable;
        std::mutex mutex;
        steps.on_call = [&](std::uint64_t call, const char* what) {
            const std::lock_guard lock(mutex);
            if (options.is_cut_at && options.is_cut_at(call)) {
                recovered.cuts.push_back(
                    {new_tree(), books,
                     point.how + ", and of the recovery before call " + std::to_string(call) + ", " + what,
                     random_() % 3 == 0 ? boot : ""});
                disk.cut(recovered.cuts.back().tree, random_);
            }
            return options.fault ? options.fault(call, what) : 0;
        };
        Server server(point.tree, &files);
        const auto report = server.start();
        recovered.calls = steps.calls();
        recovered.started = static_cast<bool>(report);
        if (!report) {
            recovered.refusal = report.error().what;
            ++figures_.points;
            if (options.may_refuse && !recovered.refusal.empty()) {
                ++figures_.refused;
            } else {
                figures_.found(&Figures::failed_starts, recovered.refusal + point.how);
            }
        } else {
            files.is_unreadable = nullptr;
            {
                const std::lock_guard lock(mutex);
                steps.on_call = nullptr;
            }
            // The fault is over: whatever was put out of service for it comes back whole.
            for (const std::string& name : report->set_aside) {
                if (const auto back = server.readmit(name); !back)
                    figures_.found(&Figures::failed_starts,
                                   "readmit " + name + ": " + back.error().what + point.how);
            }
            books.check(point.tree, figures_, point.how);
            if (options.works_on) {
                Work work(server, books, figures_, random_, "n" + std::to_string(++trees_));
                work.run(12);
                books.check(point.tree, figures_, " after more work" + point.how);
            }
        }
    }
    if (keep != nullptr) keep_evidence(keep, before, point, figures_before);
    if (!options.keeps_tree) fs::remove_all(point.tree);
    return recovered;
}

// The tree as the recovery met it and as it left it.
void Campaign::keep_evidence(const fs::path& folder, const fs::path& before, const Point& point,
                             const Figures& figures_before) {
    const auto wrong = [](const Figures& figures) {
        return figures.lost + figures.doubled + figures.uids_reused + figures.wrong + figures.failed_starts;
    };
    if (wrong(figures_) != wrong(figures_before)) {
        const fs::path evidence = folder / point.tree.filename();
        fs::create_directories(folder);
        Disk(before).snapshot(evidence / "before");
        Disk(point.tree).snapshot(evidence / "after");
        write_file(evidence / "how", figures_.text() + "\nrecovered" + point.how + "\n");
    }
    fs::remove_all(before);
}

void Campaign::recover_deeply(Point point, int depth) {
    RecoverOptions options;
    options.works_on = random_() % 4 == 0;
    const auto rarity = 4 + random_() % 30;
    int left = depth > 1 ? 3 : 1;
    if (depth > 0) {
        options.is_cut_at = [&](std::uint64_t) { return left > 0 && random_() % rarity == 0 && left-- > 0; };
    }
    for (Point& cut : recover(std::move(point), options).cuts) recover_deeply(std::move(cut), depth - 1);
}

void Campaign::run(std::uint64_t points, std::chrono::steady_clock::time_point until,
                   const std::function<void()>& report) {
    while (figures_.points < points && std::chrono::steady_clock::now() < until) {
        for (Point& point : live(60, 6, random_() % 3 == 0 ? Ending::by_a_kill : Ending::with_a_cut))
            recover_deeply(std::move(point), 2);
        report();
    }
}

}  // namespace mailstead::power
