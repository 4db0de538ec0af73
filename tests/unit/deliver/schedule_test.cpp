#include "deliver/queue/schedule.h"

#include <gtest/gtest.h>

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;

const Time kStart{Milliseconds(1'000'000)};

queue::QueueEntry entry(std::uint64_t id, std::vector<std::pair<std::string, Time>> recipients) {
    queue::QueueEntry made;
    made.id = QueueId(id);
    for (const auto& [to, due] : recipients) {
        const Address address = Address::parse(to).value();
        queue::QueuedRecipient recipient{{address, 0, {}, ipc::Remote{address}}, {}};
        recipient.progress.next_attempt = due;
        made.recipients.push_back(std::move(recipient));
    }
    return made;
}

TEST(Schedule, RecipientsOfOneDestinationAreOneJob) {
    Schedule schedule({});
    schedule.update(entry(1, {{"a@one.test", kStart}, {"b@one.test", kStart}, {"c@two.test", kStart}}));
    const auto jobs = schedule.take_due(kStart);
    EXPECT_EQ(jobs, (std::vector<Job>{{QueueId(1), "one.test"}, {QueueId(1), "two.test"}}));
    EXPECT_TRUE(schedule.take_due(kStart).empty());
}

TEST(Schedule, NothingStartsBeforeItIsDueAndTheEarliestIsKnown) {
    Schedule schedule({});
    schedule.update(entry(1, {{"a@one.test", kStart + 2min}, {"b@one.test", kStart + 1min}}));
    EXPECT_TRUE(schedule.take_due(kStart).empty());
    EXPECT_EQ(schedule.next_due(), kStart + 1min);
    EXPECT_EQ(schedule.take_due(kStart + 1min).size(), 1u);
    EXPECT_EQ(schedule.next_due(), std::nullopt);
}

TEST(Schedule, ADestinationTakesOnlySoManyAtOnce) {
    Schedule schedule({.jobs = 10, .jobs_per_destination = 2});
    for (std::uint64_t id = 1; id <= 5; ++id) schedule.update(entry(id, {{"a@slow.test", kStart}}));
    schedule.update(entry(9, {{"a@fast.test", kStart}}));
    auto jobs = schedule.take_due(kStart);
    ASSERT_EQ(jobs.size(), 3u);
    EXPECT_EQ(schedule.next_due(), std::nullopt) << "what waits for a place is not due";
    schedule.finished(jobs[0]);
    EXPECT_EQ(schedule.next_due(), kStart);
    EXPECT_EQ(schedule.take_due(kStart).size(), 1u);
}

TEST(Schedule, AnEntryThatChangesDuringItsJobRunsAgainOnlyAfterIt) {
    Schedule schedule({});
    schedule.update(entry(1, {{"a@one.test", kStart}}));
    const auto jobs = schedule.take_due(kStart);
    schedule.update(entry(1, {{"a@one.test", kStart}}));
    EXPECT_TRUE(schedule.take_due(kStart).empty());
    schedule.finished(jobs[0]);
    EXPECT_EQ(schedule.take_due(kStart).size(), 1u);
}

TEST(Schedule, HeldErasedAndSettledEntriesDoNotRun) {
    Schedule schedule({});
    auto held = entry(1, {{"a@one.test", kStart}});
    held.held = true;
    schedule.update(held);
    auto settled = entry(2, {{"a@one.test", kStart}});
    settled.recipients[0].progress.state = queue::RecipientState::delivered;
    schedule.update(settled);
    schedule.update(entry(3, {{"a@one.test", kStart}}));
    schedule.erase(QueueId(3));
    EXPECT_TRUE(schedule.take_due(kStart + 24h).empty());
    EXPECT_EQ(schedule.waiting(), 0u);
}

}  // namespace
}  // namespace mailstead::deliver
