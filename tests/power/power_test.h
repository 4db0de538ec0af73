// What the tests share: a campaign whose figures must be all zero.
#pragma once

#include <gtest/gtest.h>

#include "tests/power/campaign.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::power {

class PowerTest : public ::testing::Test {
protected:
    PowerTest() : campaign_(folder_.path(), ::testing::UnitTest::GetInstance()->random_seed() + 1u) {}
    void TearDown() override { EXPECT_TRUE(campaign_.figures().all_held()) << campaign_.figures().text(); }
    std::uint64_t random() { return campaign_.random()(); }
    // A point of a life that was cut in the midst of its work.
    Point a_cut(int things = 60) {
        for (;;) {
            auto points = campaign_.live(things, 4);
            if (!points.empty()) return std::move(points.back());
        }
    }

    testing::TemporaryFolder folder_;
    Campaign campaign_;
};

}  // namespace mailstead::power
