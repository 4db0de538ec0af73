#include "common/settings/units.h"

#include <gtest/gtest.h>

namespace mailstead::settings {
namespace {

TEST(Units, SizesTakeUnitsInPowersOf1024) {
    struct Case {
        std::string_view text;
        std::optional<std::uint64_t> bytes;
    };
    const Case cases[] = {
        {"0", 0},
        {"52428800", 52428800},
        {"50 MiB", 52428800},
        {"50M", 52428800},
        {"50mib", 52428800},
        {"1 B", 1},
        {"2 TiB", 2ULL << 40},
        {"", std::nullopt},
        {"MiB", std::nullopt},
        {"-1", std::nullopt},
        {"1.5 MiB", std::nullopt},
        {"1 MB", std::nullopt},
        {"1 MiB MiB", std::nullopt},
        {"18446744073709551616", std::nullopt},
        {"18446744073709551615 KiB", std::nullopt},
    };
    for (const Case& c : cases) EXPECT_EQ(parse_size(c.text), c.bytes) << c.text;
}

TEST(Units, SizesAreWrittenSoThatTheyReadBack) {
    for (const std::uint64_t bytes : {0ULL, 1ULL, 1023ULL, 1024ULL, 52428800ULL, 1ULL << 40, 5ULL << 50}) {
        EXPECT_EQ(parse_size(write_size(bytes)), bytes);
    }
    EXPECT_EQ(write_size(52428800), "50 MiB");
}

TEST(Units, DurationsAreSeconds) {
    struct Case {
        std::string_view text;
        std::optional<std::uint64_t> seconds;
    };
    const Case cases[] = {
        {"90", 90},         {"90 s", 90},  {"5 min", 300},           {"4 hours", 14400},
        {"5 days", 432000}, {"1d", 86400}, {"1 week", std::nullopt}, {"days", std::nullopt},
        {"", std::nullopt},
    };
    for (const Case& c : cases) EXPECT_EQ(parse_duration(c.text), c.seconds) << c.text;
}

}  // namespace
}  // namespace mailstead::settings
