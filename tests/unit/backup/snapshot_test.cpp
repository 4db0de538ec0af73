// Snapshots of a folder: written, continued, checked, restored.
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "common/backup/restore.h"
#include "common/backup/writer.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::backup {
namespace {

namespace fs = std::filesystem;

class SnapshotTest : public ::testing::Test {
protected:
    SnapshotTest() {
        fs::create_directories(source());
        write("a", "first");
        write("b", "second");
    }
    fs::path source() const { return folder_.path() / "source"; }
    fs::path backup() const { return folder_.path() / "backup"; }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(source() / name) << text;
    }
    static std::string read(const fs::path& path) {
        std::ifstream in(path);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static ino_t inode(const fs::path& path) {
        struct stat info {};
        EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
        return info.st_ino;
    }
    // Adds files of the source to the snapshot.
    void add(Writer& writer, const std::vector<std::string>& names) const {
        struct stat info {};
        ASSERT_EQ(::stat(source().c_str(), &info), 0);
        ASSERT_TRUE(writer.add_folder("data", info));
        for (const std::string& name : names) {
            const FileDescriptor file(::open((source() / name).c_str(), O_RDONLY));
            ASSERT_EQ(::fstat(file.get(), &info), 0);
            ASSERT_TRUE(writer.add_file("data/" + name, file.get(), info, {}));
        }
    }
    std::unique_ptr<Writer> begin(const std::string& time) const {
        auto writer = Writer::begin(backup(), {time, 1, source().string(), ""});
        EXPECT_TRUE(writer) << writer.error().what;
        return *std::move(writer);
    }
    fs::path make(const std::string& time, const std::vector<std::string>& names) const {
        const auto writer = begin(time);
        add(*writer, names);
        return writer->finish().value();
    }

private:
    mailstead::testing::TemporaryFolder folder_;
};

TEST_F(SnapshotTest, WhatDidNotChangeIsTheSameFileWhateverItIsCalledNow) {
    const fs::path first = make("1", {"a", "b"});
    fs::rename(source() / "a", source() / "c");
    write("d", "new");
    const auto writer = begin("2");
    add(*writer, {"b", "c", "d"});
    EXPECT_EQ(writer->counts().copied_files, 1U);
    const fs::path second = writer->finish().value();
    EXPECT_EQ(inode(first / "data/a"), inode(second / "data/c"));
    EXPECT_NE(inode(first / "data/a"), inode(source() / "c")) << "nothing is shared with what is backed up";
    EXPECT_TRUE(check(open_snapshot(backup(), "").value(), {}).value().empty());
}

TEST_F(SnapshotTest, AnInterruptedOneIsContinued) {
    {
        const auto writer = begin("1");
        add(*writer, {"a", "b"});
    }
    EXPECT_TRUE(snapshots(backup()).value().empty());
    const auto writer = begin("2");
    EXPECT_TRUE(writer->continues());
    add(*writer, {"a", "b"});
    EXPECT_EQ(writer->counts().copied_files, 0U);
    ASSERT_TRUE(writer->finish());
    EXPECT_TRUE(check(open_snapshot(backup(), "").value(), {}).value().empty());
    EXPECT_FALSE(fs::exists(backup() / "interrupted"));
}

TEST_F(SnapshotTest, WhatAnInterruptedOneDidNotFlushIsNotBelieved) {
    {
        const auto writer = begin("1");
        add(*writer, {"a", "b"});
    }
    std::ofstream(backup() / "unfinished/data/a") << "trash";
    const auto writer = begin("2");
    add(*writer, {"a", "b"});
    EXPECT_EQ(writer->counts().copied_files, 1U);
    EXPECT_EQ(read(writer->finish().value() / "data/a"), "first");
}

TEST_F(SnapshotTest, TwoAtOnceAreRefused) {
    const auto writer = begin("1");
    EXPECT_FALSE(Writer::begin(backup(), {"2", 1, "", ""}));
}

TEST_F(SnapshotTest, OldOnesGoAndTheOthersStayWhole) {
    for (const char* time : {"1", "2", "3"}) make(time, {"a", "b"});
    EXPECT_EQ(prune(backup(), 2).value(), 1U);
    EXPECT_EQ(snapshots(backup()).value(), (std::vector<std::string>{"2", "3"}));
    EXPECT_TRUE(check(open_snapshot(backup(), "2").value(), {}).value().empty());
}

TEST_F(SnapshotTest, TheNewestNotAfterATimeIsFound) {
    for (const char* time :
         {"2026-11-30T03:00:00.000Z", "2026-12-01T03:00:00.000Z", "2026-12-02T03:00:00.000Z"})
        make(time, {"a"});
    EXPECT_EQ(open_snapshot(backup(), "").value().name, "2026-12-02T03-00-00.000Z");
    EXPECT_EQ(open_snapshot(backup(), "2026-12-01").value().name, "2026-12-01T03-00-00.000Z");
    EXPECT_EQ(open_snapshot(backup(), "2026-12-01T02:59").value().name, "2026-11-30T03-00-00.000Z");
    EXPECT_FALSE(open_snapshot(backup(), "2026-11-29"));
}

TEST_F(SnapshotTest, DamageIsFoundAndNamed) {
    const fs::path snapshot = make("1", {"a", "b"});
    std::ofstream(snapshot / "data/a") << "firsT";
    fs::remove(snapshot / "data/b");
    const auto found = check(open_snapshot(backup(), "").value(), {}).value();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].path, "data/a");
    EXPECT_EQ(found[1].what, "is missing");
    const auto restored = restore_tree(open_snapshot(backup(), "").value(), "data/", source() / "back", {});
    ASSERT_TRUE(restored);
    EXPECT_EQ(restored->damaged.size(), 2U);
}

TEST_F(SnapshotTest, ARestoreGivesBackBytesTimesAndModesAndCanBeInterrupted) {
    ::chmod((source() / "b").c_str(), 0640);
    make("1", {"a", "b"});
    const Snapshot snapshot = open_snapshot(backup(), "").value();
    const fs::path to = source() / "back";
    EXPECT_FALSE(restore_tree(snapshot, "data/", to, [](const Progress&) { return false; }));
    const auto restored = restore_tree(snapshot, "data/", to, {});
    ASSERT_TRUE(restored) << restored.error().what;
    EXPECT_EQ(restored->files, 2U);
    EXPECT_EQ(read(to / "a"), "first");
    struct stat before {
    }, after{};
    ASSERT_EQ(::stat((source() / "b").c_str(), &before), 0);
    ASSERT_EQ(::stat((to / "b").c_str(), &after), 0);
    EXPECT_EQ(after.st_mode & 07777, 0640U);
    EXPECT_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
}

}  // namespace
}  // namespace mailstead::backup
