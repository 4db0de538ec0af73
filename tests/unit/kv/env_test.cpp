#include "common/kv/env.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <thread>

#include <gtest/gtest.h>

#include "common/kv/keys.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::kv {
namespace {

using testing::TemporaryFolder;

EnvOptions writer(std::uint64_t map_size = kDefaultMapSize) {
    EnvOptions options;
    options.access = Access::engine_writer;
    options.map_size = map_size;
    return options;
}

std::string text_of(const Result<std::optional<std::string_view>>& found) {
    if (!found) return "error: " + found.error().what;
    return *found ? std::string(**found) : "none";
}

TEST(KvEnv, SnapshotKeepsWhatItSawWhileWritesGoOn) {
    TemporaryFolder folder;
    auto env = *Env::open(folder.path() / "a/b", writer());
    const Database db = *env->open_database("things");
    auto put = [&](std::string_view value) {
        auto transaction = *env->write();
        ASSERT_TRUE(*transaction.put(db, "key", value));
        ASSERT_TRUE(transaction.commit());
    };
    put("one");
    const auto old_snapshot = *env->read();
    put("two");
    const auto new_snapshot = *env->read();
    EXPECT_EQ(text_of(old_snapshot.get(db, "key")), "one");
    EXPECT_EQ(text_of(new_snapshot.get(db, "key")), "two");
    EXPECT_EQ(text_of(new_snapshot.get(db, "other")), "none");
    EXPECT_EQ(text_of(new_snapshot.get(db, "")), "none");
    EXPECT_EQ(*new_snapshot.count(db), 1u);
    EXPECT_EQ(new_snapshot.id(), old_snapshot.id() + 1);
}

TEST(KvEnv, WithoutCommitNothingStays) {
    TemporaryFolder folder;
    auto env = *Env::open(folder.path(), writer());
    const Database db = *env->open_database("things");
    {
        auto transaction = *env->write();
        ASSERT_TRUE(*transaction.put(db, "key", "value"));
        EXPECT_EQ(transaction.writes(), 1u);
    }
    const auto snapshot = *env->read();
    EXPECT_EQ(text_of(snapshot.get(db, "key")), "none");
}

TEST(KvEnv, PutModesAndErase) {
    TemporaryFolder folder;
    auto env = *Env::open(folder.path(), writer());
    const Database db = *env->open_database("things");
    auto transaction = *env->write();
    EXPECT_TRUE(*transaction.put(db, "b", "1", PutMode::append));
    EXPECT_FALSE(*transaction.put(db, "b", "2", PutMode::keep_existing));
    EXPECT_EQ(text_of(transaction.get(db, "b")), "1");
    EXPECT_FALSE(transaction.put(db, "a", "0", PutMode::append));
    EXPECT_FALSE(transaction.put(db, "", "x"));
    EXPECT_FALSE(transaction.put(db, std::string(kMaxKeySize + 1, 'k'), "x"));
    EXPECT_TRUE(*transaction.erase(db, "b"));
    EXPECT_FALSE(*transaction.erase(db, "b"));
}

TEST(KvEnv, CursorWalksInOrderFromAnywhere) {
    TemporaryFolder folder;
    auto env = *Env::open(folder.path(), writer());
    const Database db = *env->open_database("numbers");
    ASSERT_TRUE(env->update([&](WriteTransaction& transaction) -> Result<void> {
        for (std::uint32_t n = 10; n <= 50; n += 10) {
            TRY_VOID(transaction.put(db, Key().u32(n), std::to_string(n)));
        }
        return {};
    }));
    const auto snapshot = *env->read();
    auto cursor = *Cursor::open(snapshot, db);
    std::string seen;
    for (bool more = *cursor.next(); more; more = *cursor.next()) seen += std::string(cursor.value()) + ' ';
    EXPECT_EQ(seen, "10 20 30 40 50 ");

    struct Case {
        std::uint32_t key;
        std::string_view at_or_after, at_or_before;
        bool exact;
    };
    for (const Case& c : {Case{5, "10", "", false}, Case{10, "10", "10", true}, Case{25, "30", "20", false},
                          Case{50, "50", "50", true}, Case{60, "", "50", false}}) {
        EXPECT_EQ(*cursor.seek(Key().u32(c.key)) ? cursor.value() : "", c.at_or_after) << c.key;
        EXPECT_EQ(*cursor.seek_back(Key().u32(c.key)) ? cursor.value() : "", c.at_or_before) << c.key;
        EXPECT_EQ(*cursor.find(Key().u32(c.key)), c.exact) << c.key;
    }
    ASSERT_TRUE(*cursor.last());
    ASSERT_TRUE(*cursor.previous());
    EXPECT_EQ(cursor.value(), "40");
}

TEST(KvEnv, CursorEraseAndReplaceWhileWalking) {
    TemporaryFolder folder;
    auto env = *Env::open(folder.path(), writer());
    const Database db = *env->open_database("numbers");
    auto transaction = *env->write();
    for (std::uint32_t n = 0; n < 1000; ++n) ASSERT_TRUE(*transaction.put(db, Key().u32(n), "x"));
    {
        auto cursor = *Cursor::open(transaction, db);
        for (bool more = *cursor.first(); more; more = *cursor.next()) {
            if (KeyReader(cursor.key()).u32() % 2 == 0) {
                ASSERT_TRUE(cursor.erase());
            } else {
                ASSERT_TRUE(cursor.replace("y"));
            }
        }
    }
    EXPECT_EQ(*transaction.count(db), 500u);
    EXPECT_EQ(text_of(transaction.get(db, Key().u32(999))), "y");
    EXPECT_EQ(text_of(transaction.get(db, Key().u32(998))), "none");
}

TEST(KvEnv, SecondOpenIsTheSameEnvironment) {
    TemporaryFolder folder;
    auto env = *Env::open(folder.path(), writer());
    const Database db = *env->open_database("things");
    EnvOptions reader;
    auto again = *Env::open(folder.path() / ".", reader);
    const auto snapshot = *again->read();
    EXPECT_TRUE(snapshot.get(*again->open_database("things"), "key"));
    EXPECT_EQ(again->open_database("things")->handle, db.handle);

    EnvOptions durable;
    durable.access = Access::durable_writer;
    EXPECT_FALSE(Env::open(folder.path(), durable));
}

TEST(KvEnv, ReaderNeedsAnExistingEnvironmentAndDatabase) {
    TemporaryFolder folder;
    EXPECT_FALSE(Env::open(folder.path() / "none", EnvOptions{}));
    { EXPECT_TRUE((*Env::open(folder.path() / "some", writer()))->open_database("a")); }
    auto env = *Env::open(folder.path() / "some", EnvOptions{});
    EXPECT_TRUE(env->open_database("a"));
    EXPECT_FALSE(env->open_database("b"));
}

TEST(KvEnv, FullMapGrowsAndTheWorkIsDoneAgain) {
    TemporaryFolder folder;
    auto env = *Env::open(folder.path(), writer(64 * 1024));
    const Database db = *env->open_database("things");
    const std::string value(3000, 'v');
    int calls = 0;
    ASSERT_TRUE(env->update([&](WriteTransaction& transaction) -> Result<void> {
        ++calls;
        for (std::uint32_t n = 0; n < 200; ++n) TRY_VOID(transaction.put(db, Key().u32(n), value));
        return {};
    }));
    EXPECT_GT(calls, 1);
    const auto snapshot = *env->read();
    EXPECT_EQ(*snapshot.count(db), 200u);
}

TEST(KvEnv, GrowingWaitsForSnapshotsButNotForPins) {
    TemporaryFolder folder;
    auto env = *Env::open(folder.path(), writer(1 << 20));
    ASSERT_TRUE(env->open_database("things"));
    const Pin pin = *env->pin();
    ASSERT_TRUE(env->grow());
    std::optional<ReadTransaction> snapshot = *env->read();
    std::thread grower([&] { EXPECT_TRUE(env->grow()); });
    snapshot.reset();
    grower.join();
}

mode_t mode_of(const std::filesystem::path& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

TEST(KvEnv, ReadersOfTheFoldersGroupMayWriteIntoTheLockFileAlone) {
    TemporaryFolder folder;
    const auto place = folder.path() / "a";
    for (const mode_t mask : {0077u, 0000u}) {
        const mode_t before = ::umask(mask);
        { EXPECT_TRUE((*Env::open(place, writer()))->open_database("things")); }
        ::umask(before);
        EXPECT_EQ(mode_of(place / "data.mdb"), 0640u);
        EXPECT_EQ(mode_of(place / "lock.mdb"), 0660u);
        ASSERT_EQ(::chmod((place / "data.mdb").c_str(), 0600), 0);
        ASSERT_EQ(::chmod((place / "lock.mdb").c_str(), 0600), 0);
    }
    // A reader that owns the folder makes a lock file that is missing as a writer would.
    std::filesystem::remove(place / "lock.mdb");
    EnvOptions reader;
    EXPECT_TRUE(Env::open(place, reader));
    EXPECT_EQ(mode_of(place / "lock.mdb"), 0660u);
}

TEST(KvEnv, NothingIsOpenedThroughALink) {
    TemporaryFolder folder;
    const auto place = folder.path() / "a/b";
    { ASSERT_TRUE(Env::open(place, writer())); }
    std::filesystem::create_directory_symlink("a", folder.path() / "link");
    EXPECT_FALSE(Env::open(folder.path() / "link/b", writer()));
    for (const char* const name : {"lock.mdb", "data.mdb"}) {
        const auto victim = folder.path() / "victim";
        std::ofstream(victim) << "somebody's";
        std::filesystem::rename(place / name, place / "aside");
        std::filesystem::create_symlink(victim, place / name);
        EXPECT_FALSE(Env::open(place, writer())) << name;
        EXPECT_FALSE(Env::open(place, EnvOptions{})) << name;
        EXPECT_EQ(std::filesystem::file_size(victim), 10u) << name;
        std::filesystem::rename(place / "aside", place / name);
    }
    EXPECT_TRUE(Env::open(place, writer()));
}

}  // namespace
}  // namespace mailstead::kv
