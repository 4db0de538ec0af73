#include "common/base/clock.h"

#include <gtest/gtest.h>

namespace mailstead {
namespace {

TEST(Clock, TimesAreWrittenAsRfc3339) {
    EXPECT_EQ(to_rfc3339(Time(Milliseconds(0))), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(to_rfc3339(Time(Milliseconds(1'795'320'306'789))), "2026-11-22T04:05:06.789Z");
    EXPECT_EQ(to_rfc3339(Time(Milliseconds(-1))), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace mailstead
