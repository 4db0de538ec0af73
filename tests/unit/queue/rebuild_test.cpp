#include "common/queue/rebuild.h"

#include <fcntl.h>
#include <fstream>

#include <gtest/gtest.h>

#include "common/queue/reader.h"
#include "common/queue/sidecar.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::queue {
namespace {

using testing::TemporaryFolder;

constexpr Time kNow{Seconds(1'700'000'000)};

QueueEntry entry_for(std::uint64_t id, std::vector<RecipientState> states) {
    QueueEntry entry;
    entry.id = QueueId(id);
    entry.trace_id = "t" + std::to_string(id);
    entry.envelope.reverse_path = *Address::parse("you@example.test");
    entry.size = 5;
    for (std::size_t i = 0; i < states.size(); ++i) {
        const Address address = *Address::parse("r" + std::to_string(i) + "@remote.test");
        QueuedRecipient recipient{{address, 0, {}, ipc::Remote{address}}, {}};
        recipient.progress.state = states[i];
        recipient.progress.last_reply = "451 later";
        entry.recipients.push_back(std::move(recipient));
    }
    return entry;
}

class QueueRebuild : public ::testing::Test {
protected:
    void SetUp() override { std::filesystem::create_directories(root() / "spool"); }
    std::filesystem::path root() const { return folder_.path() / "data"; }
    std::vector<QueueEntry> entries() const {
        std::vector<QueueEntry> all;
        const QueueReader reader(root());
        EXPECT_TRUE(reader.for_each([&](const QueueEntry& entry) {
            all.push_back(entry);
            return true;
        }));
        return all;
    }
    TemporaryFolder folder_;
};

TEST_F(QueueRebuild, GivesBackEachEntryWithTheStateOfItsRecipients) {
    const auto waiting = RecipientState::waiting;
    ASSERT_TRUE(write_sidecar(root(), entry_for(3, {RecipientState::delivered, waiting})));
    ASSERT_TRUE(write_sidecar(root(), entry_for(7, {waiting})));
    ASSERT_TRUE(write_next_id(root(), QueueId(12)));
    std::filesystem::create_directories(root() / "queue");
    std::ofstream(root() / "queue/data.mdb") << "no database";
    const auto report = rebuild_queue(root(), kNow);
    ASSERT_TRUE(report) << report.error().what;
    EXPECT_EQ(report->entries, 2u);
    EXPECT_TRUE(std::filesystem::exists(report->old_queue / "data.mdb"));
    const auto all = entries();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].id, QueueId(3));
    EXPECT_EQ(all[0].recipients[0].progress.state, RecipientState::delivered) << "not sent to again";
    EXPECT_EQ(all[0].recipients[1].progress.state, waiting);
    EXPECT_EQ(all[1].trace_id, "t7");
    EXPECT_EQ(all[1].recipients[0].progress.last_reply, "451 later");
}

TEST_F(QueueRebuild, DamagedSidecarsAreCountedAndLeftWhereTheyAre) {
    ASSERT_TRUE(write_sidecar(root(), entry_for(1, {RecipientState::waiting})));
    ASSERT_TRUE(write_sidecar(root(), entry_for(2, {RecipientState::waiting})));
    const auto file = root() / sidecar_path(QueueId(1));
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
    const auto report = rebuild_queue(root(), kNow);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->entries, 1u);
    EXPECT_EQ(report->damaged, 1u);
    EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(QueueRebuild, OneFlippedBitIsNoticed) {
    ASSERT_TRUE(write_sidecar(root(), entry_for(1, {RecipientState::waiting})));
    const auto file = root() / sidecar_path(QueueId(1));
    for (std::uintmax_t at = 0; at < std::filesystem::file_size(file); ++at) {
        std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
        bytes.seekg(static_cast<std::streamoff>(at));
        const int byte = bytes.get();
        bytes.seekp(static_cast<std::streamoff>(at));
        bytes.put(static_cast<char>(byte ^ 1));
        bytes.flush();
        EXPECT_FALSE(read_sidecar(root(), QueueId(1))) << at;
        bytes.seekp(static_cast<std::streamoff>(at));
        bytes.put(static_cast<char>(byte));
    }
    EXPECT_TRUE(read_sidecar(root(), QueueId(1)));
}

TEST_F(QueueRebuild, WithoutAnySidecarTheQueueIsEmpty) {
    const auto report = rebuild_queue(root(), kNow);
    ASSERT_TRUE(report) << report.error().what;
    EXPECT_EQ(report->entries, 0u);
    EXPECT_TRUE(entries().empty());
}

}  // namespace
}  // namespace mailstead::queue
