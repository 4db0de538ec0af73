// The queue as the commit engine keeps it: numbers, files, progress, and the administrator's word.
#include <algorithm>
#include <fcntl.h>
#include <fstream>
#include <future>
#include <optional>
#include <sstream>
#include <unistd.h>

#include <gtest/gtest.h>

#include "common/commit/engine.h"
#include "common/queue/change.h"
#include "common/queue/participant.h"
#include "common/queue/reader.h"
#include "common/queue/rebuild.h"
#include "common/queue/sidecar.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::queue {
namespace {

using mailstead::testing::TemporaryFolder;
using Command = ipc::QueueCommand;

constexpr Time kStart{Milliseconds(1'700'000'000'000)};

QueueEntry entry_for(const std::vector<std::string>& recipients) {
    QueueEntry entry;
    entry.trace_id = "k3v9";
    entry.envelope.reverse_path = Address::parse("you@example.org").value();
    entry.size = 5;
    entry.received = kStart;
    entry.expires = kStart + std::chrono::days(5);
    for (const std::string& to : recipients) {
        const Address address = Address::parse(to).value();
        Progress progress;
        progress.next_attempt = kStart + std::chrono::hours(1);
        entry.recipients.push_back({{address, 0, {}, ipc::Remote{address}}, progress});
    }
    return entry;
}

Progress at(RecipientState state) {
    Progress progress;
    progress.state = state;
    progress.attempts = 1;
    return progress;
}

class QueueStore : public ::testing::Test {
protected:
    QueueStore()
        : participant_([this](QueueId id, const std::optional<QueueEntry>& entry) {
              heard_ += std::to_string(id.value) + (entry ? "+ " : "- ");
          }) {}
    void open() {
        engine_.reset();
        commit::EngineOptions options;
        options.root = root();
        options.segment_size = 4u << 20;
        options.reserved_space = 0;
        engine_.emplace(options);
        engine_->add("queue", participant_);
        ASSERT_TRUE(engine_->start());
    }
    void SetUp() override {
        for (const char* folder : {"queue", "journal", "spool"})
            std::filesystem::create_directories(root() / folder);
        open();
    }

    commit::MessageFile message(const std::string& bytes) const {
        commit::MessageFile file;
        file.descriptor =
            FileDescriptor(::open((root() / "spool").c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
        EXPECT_EQ(::write(file.descriptor.get(), bytes.data(), bytes.size()),
                  static_cast<ssize_t>(bytes.size()));
        file.size = bytes.size();
        return file;
    }
    Result<std::string> submit(QueueChange change, std::vector<std::string> files = {}) {
        commit::Transaction transaction;
        transaction.parts.push_back({std::string(kQueueEnvironment), encode(change), {}});
        for (const std::string& bytes : files) transaction.files.push_back(message(bytes));
        return engine_->submit_and_wait(std::move(transaction)).at(0).result;
    }
    QueueId enqueue(const std::vector<std::string>& recipients, const std::string& bytes = "mail\n") {
        const auto result = submit(Enqueue{entry_for(recipients), 0, 0}, {bytes});
        EXPECT_TRUE(result);
        return QueueId(result ? decode_number(*result).value() : 0);
    }
    std::uint64_t control(Command::Op op, Command::Selector selector, Time time = kStart) {
        const auto result = submit(Control{op, std::move(selector), time});
        return result ? decode_number(*result).value() : 999;
    }
    QueueReader reader() const { return QueueReader(root()); }
    std::optional<QueueEntry> find(QueueId id) const { return reader().find(id).value(); }
    bool file_is_there(QueueId id) const { return std::filesystem::exists(root() / spool_path(id)); }
    std::string file_of(QueueId id) const {
        std::ostringstream bytes;
        bytes << std::ifstream(root() / spool_path(id), std::ios::binary).rdbuf();
        return bytes.str();
    }
    std::filesystem::path root() const { return folder_.path() / "data"; }

    TemporaryFolder folder_;
    std::string heard_;
    QueueParticipant participant_;
    std::optional<commit::Engine> engine_;
};

TEST_F(QueueStore, WhatOutlivesACheckpointHasASidecarAndWhatIsGoneHasNone) {
    const QueueId stays = enqueue({"a@one.test"});
    const QueueId goes = enqueue({"b@two.test"});
    EXPECT_FALSE(has_sidecar(root(), stays)) << "nothing is written for a message that may be gone at once";
    const auto checkpoint = [&] {
        std::promise<void> done;
        engine_->checkpoint([&](const Result<void>&) { done.set_value(); });
        done.get_future().wait();
    };
    checkpoint();
    EXPECT_TRUE(has_sidecar(root(), goes));
    ASSERT_TRUE(submit(Record{goes, {{0, at(RecipientState::delivered)}}}));
    ASSERT_TRUE(submit(Record{stays, {{0, at(RecipientState::waiting)}}}));
    const QueueId brief = enqueue({"c@three.test"});
    ASSERT_TRUE(submit(Record{brief, {{0, at(RecipientState::delivered)}}}));
    checkpoint();
    EXPECT_FALSE(has_sidecar(root(), goes));
    EXPECT_FALSE(has_sidecar(root(), brief));
    const auto kept = read_sidecar(root(), stays);
    ASSERT_TRUE(kept) << kept.error().what;
    EXPECT_EQ(kept->recipients.at(0).progress.attempts, 1u);
    EXPECT_EQ(read_next_id(root()), QueueId(brief.value + 1));
}

TEST_F(QueueStore, AfterADamageWhatCameSinceTheLastCheckpointComesOutOfTheJournal) {
    const auto wait = [](auto call) {
        std::promise<Result<void>> done;
        call([&](Result<void> result) { done.set_value(std::move(result)); });
        return done.get_future().get();
    };
    const QueueId old = enqueue({"a@one.test", "b@one.test"});
    const QueueId passed = enqueue({"c@one.test"});
    ASSERT_TRUE(submit(Record{passed, {{0, at(RecipientState::delivered)}}}));
    ASSERT_TRUE(wait([&](auto done) { engine_->checkpoint(std::move(done)); }));
    // All this is in the journal alone.
    ASSERT_TRUE(submit(Record{old, {{0, at(RecipientState::delivered)}}}));
    const QueueId fresh = enqueue({"d@two.test"}, "new mail\n");
    const QueueId brief = enqueue({"e@two.test"});
    ASSERT_TRUE(submit(Record{brief, {{0, at(RecipientState::delivered)}}}));
    ASSERT_TRUE(wait([&](auto done) {
        engine_->set_aside("queue", permanent_error("damaged", Fault::damaged), std::move(done));
    }));
    std::filesystem::resize_file(root() / "queue/data.mdb", 100);
    ASSERT_TRUE(rebuild_queue(root(), kStart));
    const auto back = wait([&](auto done) { engine_->readmit("queue", std::move(done)); });
    ASSERT_TRUE(back) << back.error().what;
    ASSERT_TRUE(find(old));
    EXPECT_EQ(find(old)->recipients.at(0).progress.state, RecipientState::delivered) << "not sent to again";
    EXPECT_EQ(find(old)->recipients.at(1).progress.state, RecipientState::waiting);
    ASSERT_TRUE(find(fresh));
    EXPECT_EQ(file_of(fresh), "new mail\n");
    EXPECT_FALSE(find(brief)) << "it was delivered";
    EXPECT_EQ(reader().size().value(), 2u);
    EXPECT_TRUE(has_sidecar(root(), fresh));
    EXPECT_LT(brief, enqueue({"f@two.test"})) << "numbers go on";
}

TEST_F(QueueStore, KeepsAMessageWithItsFileUnderANumberOfItsOwn) {
    const QueueId first = enqueue({"a@one.test"}, "one\n");
    const QueueId second = enqueue({"b@two.test", "c@three.test"}, "two\n");
    EXPECT_LT(first, second);
    EXPECT_EQ(file_of(first), "one\n");
    EXPECT_EQ(file_of(second), "two\n");
    ASSERT_TRUE(find(second));
    EXPECT_EQ(find(second)->id, second);
    EXPECT_EQ(find(second)->recipients.size(), 2u);
    EXPECT_EQ(find(second)->trace_id, "k3v9");
    EXPECT_EQ(reader().size().value(), 2u);
}

TEST_F(QueueStore, NeverGivesANumberTwice) {
    const QueueId first = enqueue({"a@one.test"});
    ASSERT_TRUE(submit(Record{first, {{0, at(RecipientState::delivered)}}}));
    open();
    EXPECT_LT(first, enqueue({"a@one.test"}));
}

TEST_F(QueueStore, SurvivesAStop) {
    const QueueId id = enqueue({"a@one.test"}, "one\n");
    open();
    ASSERT_TRUE(find(id));
    EXPECT_EQ(file_of(id), "one\n");
}

TEST_F(QueueStore, ReadsInTheOrderOfArrivalAndStopsWhenTold) {
    enqueue({"a@one.test"});
    enqueue({"b@one.test"});
    enqueue({"c@one.test"});
    std::string seen;
    const auto visit = [&](const QueueEntry& entry) {
        seen += entry.recipients[0].recipient.address.to_string() + " ";
        return seen.size() < 20;
    };
    EXPECT_EQ(reader().for_each(visit).value(), 0u);
    EXPECT_EQ(seen, "a@one.test b@one.test ");
}

TEST_F(QueueStore, AFullQueueRefusesForNowAndKeepsNothing) {
    enqueue({"a@one.test"});
    const auto refused = submit(Enqueue{entry_for({"b@one.test"}), 0, 1}, {"mail\n"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().retry, Retry::later_may_help);
    EXPECT_EQ(reader().size().value(), 1u);
    EXPECT_TRUE(submit(Enqueue{entry_for({"b@one.test"}), 0, 2}, {"mail\n"})) << "one more than there are";
    EXPECT_TRUE(submit(Enqueue{entry_for({"c@one.test"}), 0, 0}, {"mail\n"})) << "0 is no limit";
}

TEST_F(QueueStore, RefusesAMessageWithoutItsFile) {
    EXPECT_FALSE(submit(Enqueue{entry_for({"a@one.test"}), 1, 0}, {"mail\n"}));
    EXPECT_EQ(reader().size().value(), 0u);
}

TEST_F(QueueStore, RemembersWhatAnAttemptCameTo) {
    const QueueId id = enqueue({"a@one.test", "b@two.test"});
    Progress later = at(RecipientState::waiting);
    later.next_attempt = kStart + std::chrono::hours(2);
    later.last_reply = "451 4.7.1 later";
    ASSERT_TRUE(submit(Record{id, {{1, later}}}));
    const auto entry = find(id);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->recipients[0].progress.attempts, 0u);
    EXPECT_EQ(entry->recipients[1].progress.attempts, 1u);
    EXPECT_EQ(entry->recipients[1].progress.last_reply, "451 4.7.1 later");
    EXPECT_TRUE(file_is_there(id));
}

TEST_F(QueueStore, GoesWithItsLastRecipientAndItsFileToo) {
    const QueueId id = enqueue({"a@one.test", "b@two.test"});
    ASSERT_TRUE(submit(Record{id, {{0, at(RecipientState::delivered)}}}));
    EXPECT_TRUE(find(id));
    EXPECT_TRUE(file_is_there(id));
    ASSERT_TRUE(submit(Record{id, {{1, at(RecipientState::failed)}}}));
    EXPECT_FALSE(find(id));
    EXPECT_FALSE(file_is_there(id));
}

TEST_F(QueueStore, WhatIsSettledStaysSettled) {
    const QueueId id = enqueue({"a@one.test", "b@two.test"});
    EXPECT_EQ(control(Command::Op::remove, Command::ToRecipient{"a@one.test"}), 1u);
    // The attempt that was under way comes to its end.
    ASSERT_TRUE(submit(Record{id, {{0, at(RecipientState::waiting)}}}));
    EXPECT_EQ(find(id)->recipients[0].progress.state, RecipientState::removed);
}

TEST_F(QueueStore, AResultForAnEntryOrRecipientThatIsNotThereChangesNothing) {
    const QueueId id = enqueue({"a@one.test"});
    EXPECT_TRUE(submit(Record{QueueId(id.value + 1), {{0, at(RecipientState::delivered)}}}));
    EXPECT_TRUE(submit(Record{id, {{7, at(RecipientState::delivered)}}}));
    EXPECT_TRUE(find(id));
    EXPECT_EQ(reader().size().value(), 1u);
}

TEST_F(QueueStore, RetryMakesDueOnlyWhatWasMeant) {
    const QueueId first = enqueue({"a@one.test", "b@two.test"});
    const QueueId second = enqueue({"c@two.test"});
    EXPECT_EQ(control(Command::Op::retry, Command::ToDomain{"TWO.test"}, kStart), 2u);
    EXPECT_EQ(find(first)->recipients[0].progress.next_attempt, kStart + std::chrono::hours(1));
    EXPECT_EQ(find(first)->recipients[1].progress.next_attempt, kStart);
    EXPECT_EQ(find(second)->recipients[0].progress.next_attempt, kStart);
    EXPECT_EQ(control(Command::Op::retry, Command::ToDomain{"four.test"}), 0u);
    EXPECT_EQ(control(Command::Op::retry, QueueId(77)), 0u);
}

TEST_F(QueueStore, HoldAndReleaseMeanTheWholeEntry) {
    const QueueId id = enqueue({"a@one.test", "b@two.test"});
    const QueueId other = enqueue({"c@three.test"});
    EXPECT_EQ(control(Command::Op::hold, Command::ToRecipient{"b@two.test"}), 1u);
    EXPECT_TRUE(find(id)->held);
    EXPECT_FALSE(find(other)->held);
    EXPECT_EQ(control(Command::Op::release, Command::All{}), 2u);
    EXPECT_FALSE(find(id)->held);
}

TEST_F(QueueStore, RemoveTakesRecipientsAndWithTheLastTheEntry) {
    const QueueId id = enqueue({"a@one.test", "b@two.test"});
    EXPECT_EQ(control(Command::Op::remove, Command::ToDomain{"one.test"}), 1u);
    EXPECT_EQ(find(id)->recipients[0].progress.state, RecipientState::removed);
    EXPECT_EQ(find(id)->recipients[1].progress.state, RecipientState::waiting);
    EXPECT_EQ(control(Command::Op::remove, id), 1u);
    EXPECT_FALSE(find(id));
    EXPECT_FALSE(file_is_there(id));
}

TEST_F(QueueStore, TheListenerHearsOfWhatWasCommittedAndOfNothingElse) {
    const QueueId id = enqueue({"a@one.test"});
    EXPECT_EQ(heard_, "1+ ");
    ASSERT_FALSE(submit(Enqueue{entry_for({"b@one.test"}), 9, 0}, {"mail\n"}));
    EXPECT_EQ(heard_, "1+ ");
    ASSERT_TRUE(submit(Record{id, {{0, at(RecipientState::delivered)}}}));
    EXPECT_EQ(heard_, "1+ 1- ");
}

TEST_F(QueueStore, RefusesWhatIsNoChange) {
    commit::Transaction transaction;
    transaction.parts.push_back({std::string(kQueueEnvironment), "\x09garbage", {}});
    const auto outcome = engine_->submit_and_wait(std::move(transaction));
    ASSERT_FALSE(outcome.at(0).result);
    EXPECT_EQ(outcome.at(0).result.error().retry, Retry::is_useless);
}

}  // namespace
}  // namespace mailstead::queue
