#include <gtest/gtest.h>

#include "common/queue/change.h"

namespace mailstead::queue {
namespace {

QueueEntry sample() {
    QueueEntry entry;
    entry.trace_id = "k3v9";
    entry.envelope.reverse_path = Address::parse("you@example.org").value();
    entry.envelope.envid = "abc";
    entry.account = AccountId(7);
    entry.size = 1234;
    entry.received = Time(Milliseconds(1'000'000));
    entry.expires = entry.received + std::chrono::days(5);
    entry.delay_notice = entry.received + std::chrono::hours(4);
    for (const char* to : {"a@one.test", "b@two.test", "c@one.test"}) {
        const Address address = Address::parse(to).value();
        QueuedRecipient recipient{{address, ipc::kNotifyFailure, "rfc822;x@y.test", ipc::Remote{address}},
                                  {}};
        recipient.progress.next_attempt = entry.received;
        recipient.progress.last_reply = "451 4.7.1 later";
        entry.recipients.push_back(recipient);
    }
    return entry;
}

TEST(QueueEntry, SurvivesEncodingWithAllRecipientsAndTimes) {
    const QueueEntry before = sample();
    const auto after = decode_entry(QueueId(9), encode(before));
    ASSERT_TRUE(after);
    EXPECT_EQ(after->id, QueueId(9));
    EXPECT_EQ(after->envelope.reverse_path, before.envelope.reverse_path);
    ASSERT_EQ(after->recipients.size(), 3u);
    EXPECT_EQ(after->recipients[1].recipient, before.recipients[1].recipient);
    EXPECT_EQ(after->recipients[2].progress.last_reply, "451 4.7.1 later");
    EXPECT_EQ(after->expires, before.expires);
    EXPECT_EQ(encode(*after), encode(before));
}

TEST(QueueEntry, EveryTruncationIsRefused) {
    const std::string bytes = encode(sample());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode_entry(QueueId(1), std::string_view(bytes).substr(0, size))) << size;
    }
    EXPECT_FALSE(decode_entry(QueueId(1), bytes + "x"));
}

TEST(QueueChange, ControlKeepsItsSelector) {
    const Control before{ipc::QueueCommand::Op::hold, ipc::QueueCommand::ToDomain{"one.test"},
                         Time(Milliseconds(5))};
    const auto after = decode_queue_change(encode(QueueChange(before)));
    ASSERT_TRUE(after);
    const auto& control = std::get<Control>(*after);
    EXPECT_EQ(control.op, ipc::QueueCommand::Op::hold);
    EXPECT_EQ(std::get<ipc::QueueCommand::ToDomain>(control.selector).domain, "one.test");
    EXPECT_EQ(control.at, before.at);
}

TEST(QueueChange, RecordKeepsEachRecipientsProgress) {
    Record before{QueueId(3),
                  {{1, Progress{RecipientState::failed, 4, {}, {}, "mx [192.0.2.1]", "550 no", true}}}};
    const auto after = decode_queue_change(encode(QueueChange(before)));
    ASSERT_TRUE(after);
    const auto& record = std::get<Record>(*after);
    ASSERT_EQ(record.recipients.size(), 1u);
    EXPECT_EQ(record.recipients[0].first, 1u);
    EXPECT_EQ(record.recipients[0].second.state, RecipientState::failed);
    EXPECT_TRUE(record.recipients[0].second.delay_reported);
}

TEST(QueueSelector, MeansDomainsRecipientsIdsOrAll) {
    QueueEntry entry = sample();
    entry.id = QueueId(5);
    using Command = ipc::QueueCommand;
    EXPECT_TRUE(selects(Command::All{}, entry));
    EXPECT_TRUE(selects(QueueId(5), entry));
    EXPECT_FALSE(selects(QueueId(6), entry));
    EXPECT_TRUE(selects(Command::ToDomain{"ONE.test"}, entry));
    EXPECT_FALSE(selects(Command::ToDomain{"three.test"}, entry));
    EXPECT_TRUE(selects(Command::ToRecipient{"b@two.test"}, entry, entry.recipients[1]));
    EXPECT_FALSE(selects(Command::ToRecipient{"b@two.test"}, entry, entry.recipients[0]));
}

}  // namespace
}  // namespace mailstead::queue
