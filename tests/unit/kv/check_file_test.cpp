// What is seen of a damaged data file before LMDB maps it, and that a snapshot is never put back under the
// eyes of another process.
#include <fstream>
#include <random>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "common/kv/env.h"
#include "common/kv/keys.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::kv {
namespace {

using testing::TemporaryFolder;

EnvOptions engine_writer() {
    EnvOptions options;
    options.access = Access::engine_writer;
    return options;
}

std::string read_file(const std::filesystem::path& path) {
    std::string bytes(std::filesystem::file_size(path), '\0');
    std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return bytes;
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

void fill(Env& env, Database database, std::uint32_t from, std::uint32_t to) {
    auto transaction = *env.write();
    for (std::uint32_t i = from; i < to; ++i)
        ASSERT_TRUE(transaction.put(database, Key().u32(i), std::string(i % 10 == 0 ? 9000 : 300, 'x')));
    ASSERT_TRUE(transaction.commit());
}

ino_t inode(const std::filesystem::path& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info.st_ino;
}

class KvCheckFile : public ::testing::Test {
protected:
    void SetUp() override {
        auto env = *Env::open(folder_.path(), engine_writer());
        fill(*env, *env->open_database("things"), 0, 500);
    }
    std::filesystem::path data() const { return folder_.path() / "data.mdb"; }
    TemporaryFolder folder_;
};

TEST_F(KvCheckFile, ABlankFileIsANewEnvironmentOnlyForWhomSaysSo) {
    const std::string blank(std::filesystem::file_size(data()), '\0');
    write_file(data(), blank);
    EXPECT_EQ(Env::open(folder_.path(), engine_writer()).error().fault, Fault::damaged);
    EnvOptions options = engine_writer();
    options.blank_is_new = true;
    auto env = *Env::open(folder_.path(), options);
    fill(*env, *env->open_database("things"), 0, 10);
    EXPECT_EQ(*(*env->read()).count(*env->open_database("things")), 10);
}

TEST_F(KvCheckFile, AWholeFilePassesAndEveryKindOfDamageIsNamed) {
    EXPECT_TRUE(check_file(folder_.path(), true));
    const std::string whole = read_file(data());
    const std::string damaged[] = {
        whole.substr(0, whole.size() / 2),
        whole.substr(0, 5000),
        whole.substr(0, 100),
        std::string(whole.size(), '\0'),
        std::string(whole.size(), 'x'),
        std::string(4096, '\0') + whole.substr(4096),
    };
    for (const std::string& bytes : damaged) {
        write_file(data(), bytes);
        const auto checked = check_file(folder_.path(), true);
        ASSERT_FALSE(checked);
        EXPECT_EQ(checked.error().fault, Fault::damaged);
        EXPECT_NE(checked.error().what.find("data.mdb is damaged"), std::string::npos);
        EXPECT_EQ(Env::open(folder_.path(), engine_writer()).error().fault, Fault::damaged);
    }
}

TEST_F(KvCheckFile, AMissingOrEmptyFileIsDamageOnlyWhereItMustExist) {
    for (const bool is_there : {true, false}) {
        if (is_there) {
            write_file(data(), "");
        } else {
            std::filesystem::remove(data());
        }
        EXPECT_TRUE(check_file(folder_.path(), false));
        EnvOptions options = engine_writer();
        options.must_exist = true;
        const auto opened = Env::open(folder_.path(), options);
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().fault, Fault::damaged);
    }
}

TEST_F(KvCheckFile, PagesThatNothingNamesMayBeMissingAtTheEnd) {
    // A value that is put and taken away within one transaction leaves pages behind that are never written.
    {
        auto env = *Env::open(folder_.path(), engine_writer());
        const Database database = *env->open_database("things");
        auto transaction = *env->write();
        ASSERT_TRUE(transaction.put(database, Key().u32(9000), std::string(200'000, 'y')));
        ASSERT_TRUE(transaction.erase(database, Key().u32(9000)));
        ASSERT_TRUE(transaction.put(database, Key().u32(9001), "z"));
        ASSERT_TRUE(transaction.commit());
    }
    EXPECT_TRUE(check_file(folder_.path(), true));
    EXPECT_TRUE(Env::open(folder_.path(), engine_writer()));
}

TEST_F(KvCheckFile, OnePageLessThanNeededIsFoundWhateverTheLengthSays) {
    const std::string whole = read_file(data());
    std::size_t refused = 0;
    for (std::size_t size = whole.size() - 4096; size > whole.size() / 2; size -= 4096) {
        write_file(data(), whole.substr(0, size));
        refused += check_file(folder_.path(), true) ? 0 : 1;
    }
    EXPECT_GT(refused, 10u);
}

TEST_F(KvCheckFile, AReaderIsNeverRefusedWhileAnotherProcessWrites) {
    const pid_t child = ::fork();
    if (child == 0) {
        for (int i = 0; i < 2000; ++i) {
            if (!check_file(folder_.path(), true)) ::_exit(1);
        }
        ::_exit(0);
    }
    auto env = *Env::open(folder_.path(), engine_writer());
    const Database database = *env->open_database("things");
    int status = 0;
    for (std::uint32_t i = 1000; ::waitpid(child, &status, WNOHANG) == 0; ++i)
        fill(*env, database, 500 + i % 300, 520 + i % 300);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(KvCheckFile, ASnapshotIsRestoredBesideAFileThatAnotherProcessHasOpen) {
    MetaPages pages;
    {
        auto env = *Env::open(folder_.path(), engine_writer());
        const Database database = *env->open_database("things");
        const Pin pin = *env->pin();
        pages = *env->read_meta_pages();
        fill(*env, database, 1000, 1100);
    }
    int ready[2];
    int go[2];
    ASSERT_EQ(::pipe(ready), 0);
    ASSERT_EQ(::pipe(go), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        auto env = *Env::open(folder_.path(), EnvOptions{});
        const Database database = *env->open_database("things");
        char byte = 'r';
        if (::write(ready[1], &byte, 1) != 1 || ::read(go[0], &byte, 1) != 1) ::_exit(3);
        ::_exit(*(*env->read()).count(database) == 600 ? 0 : 1);
    }
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    const ino_t data_before = inode(data());
    const ino_t lock_before = inode(folder_.path() / "lock.mdb");
    ASSERT_TRUE(restore_meta_pages(folder_.path(), pages));
    EXPECT_NE(inode(data()), data_before);
    {
        auto env = *Env::open(folder_.path(), engine_writer());
        EXPECT_NE(inode(folder_.path() / "lock.mdb"), lock_before);
        const Database database = *env->open_database("things");
        EXPECT_EQ(*(*env->read()).count(database), 500u);
        fill(*env, database, 2000, 2100);
    }
    ASSERT_EQ(::write(go[1], &byte, 1), 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the reader saw something else";
    // Nobody has it now: in place.
    const ino_t again = inode(data());
    ASSERT_TRUE(restore_meta_pages(folder_.path(), pages));
    EXPECT_EQ(inode(data()), again);
}

TEST_F(KvCheckFile, AMissingFileOfASnapshotThatHeldSomethingIsDamage) {
    MetaPages pages;
    {
        auto env = *Env::open(folder_.path(), engine_writer());
        pages = *env->read_meta_pages();
        EXPECT_EQ(restore_meta_pages(folder_.path(), pages).error().fault, Fault::busy);
    }
    std::filesystem::remove(data());
    EXPECT_EQ(restore_meta_pages(folder_.path(), pages).error().fault, Fault::damaged);
    EXPECT_FALSE(std::filesystem::exists(data()));
}

TEST(KvGrowth, AMapDoesNotGrowBeyondItsBound) {
    TemporaryFolder folder;
    EnvOptions options = engine_writer();
    options.map_size = kMostMapSize;
    auto env = *Env::open(folder.path(), options);
    const auto grown = env->grow();
    ASSERT_FALSE(grown);
    EXPECT_NE(grown.error().what.find("as large as it may become"), std::string::npos);
}

}  // namespace
}  // namespace mailstead::kv
