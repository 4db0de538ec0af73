#include "deliver/queue/retry.h"

#include <gtest/gtest.h>

#include "deliver/queue/runner.h"

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;

TEST(Retry, WaitsDoubleUpToFourHours) {
    EXPECT_EQ(retry_delay(1, 0.5), 2min);
    EXPECT_EQ(retry_delay(2, 0.5), 4min);
    EXPECT_EQ(retry_delay(3, 0.5), 8min);
    EXPECT_EQ(retry_delay(8, 0.5), 4h);
    EXPECT_EQ(retry_delay(4'000'000'000, 0.5), 4h);
}

TEST(Retry, ChanceSpreadsByAFifth) {
    EXPECT_EQ(retry_delay(1, 0.0), 96s);
    EXPECT_LE(retry_delay(1, 0.999), 144s);
    EXPECT_GE(retry_delay(1, 0.999), 143s);
}

TEST(Retry, TwiceInTheFirstHourAndThenForDays_Rfc5321_4_5_4_1) {
    Seconds total{0};
    int within_hour = 0;
    std::uint32_t attempts = 0;
    while (total < std::chrono::days(5)) {
        total += retry_delay(++attempts, 0.5);
        if (total <= 1h) ++within_hour;
    }
    EXPECT_GE(within_hour, 2);
    EXPECT_LT(attempts, 60u);
}

queue::QueueEntry entry_until(Time expires) {
    queue::QueueEntry entry;
    entry.expires = expires;
    return entry;
}

TEST(Progress, ATransientRefusalWaitsUntilTheLifetimeIsOver) {
    const Time start{};
    const RecipientVerdict later{Verdict::transient, {4, 2, 0}, "450 4.2.0 later"};
    const auto first = progress_after(entry_until(start + 5min), {}, later, "mx", start, 0.5);
    EXPECT_EQ(first.state, queue::RecipientState::waiting);
    EXPECT_EQ(first.next_attempt, start + 2min);
    EXPECT_EQ(first.last_reply, "450 4.2.0 later");
    const auto second = progress_after(entry_until(start + 5min), first, later, "mx", start + 2min, 0.5);
    EXPECT_EQ(second.state, queue::RecipientState::expired);
    EXPECT_EQ(second.attempts, 2u);
}

TEST(Progress, SuccessAndPermanentRefusalAreFinal) {
    const auto entry = entry_until(Time{} + 1h);
    EXPECT_EQ(progress_after(entry, {}, {Verdict::delivered, {2, 0, 0}, "250 ok"}, "mx", Time{}, 0).state,
              queue::RecipientState::delivered);
    EXPECT_EQ(progress_after(entry, {}, {Verdict::permanent, {5, 1, 1}, "550 no"}, "mx", Time{}, 0).state,
              queue::RecipientState::failed);
}

}  // namespace
}  // namespace mailstead::deliver
