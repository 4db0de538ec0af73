// When a commit waits for others to share its flush.
#include "common/commit/company.h"

#include <gtest/gtest.h>

namespace mailstead::commit {
namespace {

using namespace std::chrono_literals;

constexpr Company::Duration kNone{};

// Eight clients, half of which were answered while the other half waits.
Company of_eight(Company::Duration flush) {
    Company company;
    for (int i = 0; i < 20; ++i) company.flushed(flush);
    company.answered(4, 4);
    return company;
}

TEST(CommitCompany, IsWaitedForHalfAsLongAsAFlushTakes) {
    Company company = of_eight(2ms);
    EXPECT_EQ(company.expected(), 8u);
    const auto patience = company.patience(4);
    EXPECT_GT(patience, 900us);
    EXPECT_LE(patience, 1ms);
}

TEST(CommitCompany, IsNotWaitedForWhereFlushesAreFast) {
    EXPECT_EQ(of_eight(200us).patience(4), kNone);
}

TEST(CommitCompany, IsNeverWaitedForLong) {
    EXPECT_LE(of_eight(900ms).patience(4), 4ms);
}

TEST(CommitCompany, IsNotWaitedForByTheLastWhoMayCome) {
    Company company = of_eight(2ms);
    EXPECT_EQ(company.patience(8), kNone);
    company.answered(1, 0);
    EXPECT_EQ(company.patience(1), kNone);
}

TEST(CommitCompany, ThatDoesNotComeIsExpectedLessAndLess) {
    Company company = of_eight(2ms);
    int waits = 0;
    for (int i = 0; i < 1000; ++i) {
        if (company.patience(4) == kNone) continue;
        ++waits;
        company.waited(4, 4);
    }
    EXPECT_LT(waits, 25);
    EXPECT_GT(waits, 5);
    while (company.patience(4) == kNone) {
    }
    company.waited(4, 8);
    EXPECT_NE(company.patience(4), kNone);
}

}  // namespace
}  // namespace mailstead::commit
