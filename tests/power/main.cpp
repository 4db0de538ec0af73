// power_test                         the tests, as every other test program
// power_test --points N [--seed S]   as many crash points, and their figures
// power_test --hours H [--seed S]    as many as fit into the time
// MAILSTEAD_POWER_KEEP=DIR keeps the trees of points where something did not hold, before and after the
// recovery.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "tests/power/campaign.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::power {
namespace {

int run_campaign(std::uint64_t points, double hours, std::uint64_t seed) {
    using Clock = std::chrono::steady_clock;
    const auto started = Clock::now();
    const auto until = started + std::chrono::milliseconds(static_cast<std::int64_t>(hours * 3'600'000));
    const testing::TemporaryFolder folder;
    Campaign campaign(folder.path(), seed);
    auto told = started;
    std::printf("power: seed %llu\n", static_cast<unsigned long long>(seed));
    campaign.run(points, until, [&] {
        const auto now = Clock::now();
        if (now - told < std::chrono::minutes(1)) return;
        told = now;
        std::printf("power: %llu points\n", static_cast<unsigned long long>(campaign.figures().points));
        std::fflush(stdout);
    });
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - started).count();
    std::printf("power: %s\npower: seed %llu, %lld s\n", campaign.figures().text().c_str(),
                static_cast<unsigned long long>(seed), static_cast<long long>(seconds));
    return campaign.figures().all_held() ? 0 : 1;
}

}  // namespace
}  // namespace mailstead::power

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    std::uint64_t points = 0, seed = std::random_device()();
    double hours = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (std::strcmp(argv[i], "--points") == 0) points = std::strtoull(argv[i + 1], nullptr, 10);
        if (std::strcmp(argv[i], "--hours") == 0) hours = std::strtod(argv[i + 1], nullptr);
        if (std::strcmp(argv[i], "--seed") == 0) seed = std::strtoull(argv[i + 1], nullptr, 10);
    }
    if (points == 0 && hours == 0) return RUN_ALL_TESTS();
    if (points == 0) points = std::numeric_limits<std::uint64_t>::max();
    if (hours == 0) hours = 24.0 * 365;
    return mailstead::power::run_campaign(points, hours, seed);
}
