// The ground on which recovery stands: with a pin held since a checkpoint, putting the meta pages of that
// time back gives exactly the content of that time, whichever later page writes reached the disk.
#include <fstream>
#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "common/kv/env.h"
#include "common/kv/keys.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::kv {
namespace {

using testing::TemporaryFolder;
using Content = std::map<std::string, std::string>;
constexpr std::size_t kPage = 4096;

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
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

Content content_of(Env& env, const std::vector<Database>& databases) {
    Content content;
    const auto snapshot = *env.read();
    for (std::size_t i = 0; i < databases.size(); ++i) {
        auto cursor = *Cursor::open(snapshot, databases[i]);
        for (bool more = *cursor.first(); more; more = *cursor.next()) {
            content.emplace(std::to_string(i) + std::string(cursor.key()), cursor.value());
        }
    }
    return content;
}

void change_something(Env& env, const std::vector<Database>& databases, std::mt19937& random) {
    auto transaction = *env.write();
    const auto changes = 1 + random() % 20;
    for (std::size_t i = 0; i < changes; ++i) {
        const Database db = databases[random() % databases.size()];
        const Key key = Key().u32(static_cast<std::uint32_t>(random() % 400));
        if (random() % 3 == 0) {
            ASSERT_TRUE(transaction.erase(db, key));
        } else {
            const std::string value(random() % 6000,
                                    static_cast<char>('a' + random() % 26));  // some on overflow pages
            ASSERT_TRUE(transaction.put(db, key, value));
        }
    }
    ASSERT_TRUE(transaction.commit());
}

// Each page either as it was at the checkpoint or as it is now, as a power cut may leave it.
std::string torn(const std::string& before, const std::string& after, std::mt19937& random) {
    std::string image = before;
    const bool grown = random() % 4 != 0;
    if (grown) image.resize(after.size(), '\0');
    for (std::size_t at = 0; at < std::min(image.size(), after.size()); at += kPage) {
        if (random() % 2 == 0) image.replace(at, kPage, after, at, kPage);
    }
    return image;
}

TEST(KvMetaPages, RestoringThemUndoesATornFile) {
    std::mt19937 random(20260101);
    for (int round = 0; round < 40; ++round) {
        TemporaryFolder folder;
        const auto live = folder.path() / "live";
        auto env = *Env::open(live, engine_writer());
        const auto databases = *env->open_databases({"one", "two", "three"});
        for (int i = 0; i < 30; ++i) change_something(*env, databases, random);

        const Pin pin = *env->pin();
        const MetaPages pages = *env->read_meta_pages();
        const Content expected = content_of(*env, databases);
        const std::string before = read_file(live / "data.mdb");
        for (std::size_t i = 0, commits = 1 + random() % 120; i < commits; ++i)
            change_something(*env, databases, random);
        const std::string after = read_file(live / "data.mdb");

        for (int cut = 0; cut < 5; ++cut) {
            const auto copy = folder.path() / ("cut" + std::to_string(cut));
            write_file(copy / "data.mdb", torn(before, after, random));
            ASSERT_TRUE(restore_meta_pages(copy, pages));
            auto recovered = *Env::open(copy, engine_writer());
            const auto same = *recovered->open_databases({"one", "two", "three"});
            ASSERT_EQ(content_of(*recovered, same), expected) << "round " << round;
            // It must serve as a starting point, too.
            for (int i = 0; i < 5; ++i) change_something(*recovered, same, random);
        }
    }
}

TEST(KvMetaPages, TwoGenerationsOfPinsAsACheckpointUsesThem) {
    // The old pin is dropped only after the new snapshot is durable; from then on the new one alone counts.
    std::mt19937 random(7);
    TemporaryFolder folder;
    const auto live = folder.path() / "live";
    auto env = *Env::open(live, engine_writer());
    const auto databases = *env->open_databases({"one", "two"});
    Pin pin;
    for (int checkpoint = 0; checkpoint < 30; ++checkpoint) {
        Pin next = *env->pin();
        const MetaPages pages = *env->read_meta_pages();
        const Content expected = content_of(*env, databases);
        const std::string before = read_file(live / "data.mdb");
        for (int i = 0; i < 10; ++i) change_something(*env, databases, random);
        pin = std::move(next);
        for (int i = 0; i < 30; ++i) change_something(*env, databases, random);
        const auto copy = folder.path() / ("cut" + std::to_string(checkpoint));
        write_file(copy / "data.mdb", torn(before, read_file(live / "data.mdb"), random));
        ASSERT_TRUE(restore_meta_pages(copy, pages));
        auto recovered = *Env::open(copy, engine_writer());
        ASSERT_EQ(content_of(*recovered, *recovered->open_databases({"one", "two"})), expected);
    }
}

TEST(KvMetaPages, RestoreIntoAMissingOrEmptyFileGivesTheEmptyEnvironment) {
    TemporaryFolder folder;
    MetaPages pages;
    {
        auto env = *Env::open(folder.path() / "a", engine_writer());
        pages = *env->read_meta_pages();
    }
    ASSERT_TRUE(restore_meta_pages(folder.path() / "b", pages));
    write_file(folder.path() / "c/data.mdb", "");
    ASSERT_TRUE(restore_meta_pages(folder.path() / "c", pages));
    for (const char* name : {"b", "c"}) {
        auto env = *Env::open(folder.path() / name, engine_writer());
        const Database db = *env->open_database("things");
        EXPECT_EQ(*(*env->read()).count(db), 0u) << name;
    }
}

TEST(KvMetaPages, ForeignBytesAreRefused) {
    TemporaryFolder folder;
    auto env = *Env::open(folder.path() / "a", engine_writer());
    const MetaPages good = *env->read_meta_pages();
    MetaPages cut = good, wrong_magic = good, wrong_size = good;
    cut.bytes.pop_back();
    wrong_magic.bytes[16] ^= 1;
    wrong_size.bytes[16 + 24] = 3;
    for (const MetaPages* bad : {&cut, &wrong_magic, &wrong_size}) {
        EXPECT_FALSE(restore_meta_pages(folder.path() / "b", *bad));
    }
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "b"));
}

}  // namespace
}  // namespace mailstead::kv
