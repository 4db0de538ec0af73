#include "common/sasl/success_cache.h"

#include <gtest/gtest.h>

namespace mailstead::sasl {
namespace {

constexpr AccountId kAccount{1};
const Time kStart{Milliseconds(1'000'000)};

TEST(SuccessCache, KnowsWhatItWasTold) {
    SuccessCache cache(10, Seconds(60));
    EXPECT_FALSE(cache.knows("user", "pencil", kAccount, 1, kStart));
    cache.remember("user", "pencil", kAccount, 1, kStart);
    EXPECT_TRUE(cache.knows("user", "pencil", kAccount, 1, kStart));
    EXPECT_FALSE(cache.knows("user", "pencils", kAccount, 1, kStart));
    EXPECT_FALSE(cache.knows("userp", "encil", kAccount, 1, kStart));
}

TEST(SuccessCache, AnotherPasswordEndsIt) {
    SuccessCache cache(10, Seconds(60));
    cache.remember("user", "pencil", kAccount, 1, kStart);
    EXPECT_FALSE(cache.knows("user", "pencil", kAccount, 2, kStart));
    EXPECT_EQ(cache.size(), 0U);
    cache.remember("user", "pencil", kAccount, 2, kStart);
    EXPECT_FALSE(cache.knows("user", "pencil", AccountId(2), 2, kStart))
        << "the login belongs to somebody else now";
}

TEST(SuccessCache, ForgetsAfterItsTime) {
    SuccessCache cache(10, Seconds(60));
    cache.remember("user", "pencil", kAccount, 1, kStart);
    EXPECT_TRUE(cache.knows("user", "pencil", kAccount, 1, kStart + Seconds(60)));
    EXPECT_FALSE(cache.knows("user", "pencil", kAccount, 1, kStart + Seconds(61)));
    cache.remember("user", "pencil", kAccount, 1, kStart);
    EXPECT_FALSE(cache.knows("user", "pencil", kAccount, 1, kStart - Seconds(1))) << "the clock was set back";
}

TEST(SuccessCache, HoldsNoMoreThanItsLimitAndDropsTheOldest) {
    SuccessCache cache(3, Seconds(60));
    for (int i = 0; i < 4; ++i) cache.remember("user" + std::to_string(i), "pencil", kAccount, 1, kStart);
    EXPECT_EQ(cache.size(), 3U);
    EXPECT_FALSE(cache.knows("user0", "pencil", kAccount, 1, kStart));
    EXPECT_TRUE(cache.knows("user1", "pencil", kAccount, 1, kStart));
    cache.remember("user1", "pencil", kAccount, 1, kStart);
    EXPECT_EQ(cache.size(), 3U);
}

}  // namespace
}  // namespace mailstead::sasl
