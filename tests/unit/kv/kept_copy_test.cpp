#include "common/kv/kept_copy.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::kv {
namespace {

using testing::TemporaryFolder;

EnvOptions with(Access access) {
    EnvOptions options;
    options.access = access;
    options.map_size = 64u << 20;
    return options;
}

class KvKeptCopy : public ::testing::Test {
protected:
    void SetUp() override { write("kept"); }

    void write(std::string_view value) {
        auto env = Env::open(folder(), with(Access::durable_writer)).value();
        const Database database = env->open_database("things").value();
        ASSERT_TRUE(env->update([&](WriteTransaction& transaction) -> Result<void> {
            TRY_VOID(transaction.put(database, "key", value));
            return {};
        }));
        ASSERT_TRUE(keep_copy(*env));
    }
    std::string read(const std::shared_ptr<Env>& env) {
        const Database database = env->open_database("things").value();
        const auto snapshot = env->read().value();
        return std::string(snapshot.get(database, "key").value().value_or("none"));
    }
    std::filesystem::path folder() const { return folder_.path() / "env"; }
    std::filesystem::path data() const { return folder() / "data.mdb"; }

    TemporaryFolder folder_;
};

TEST_F(KvKeptCopy, OfAnyDamageAWriterRestoresTheLastChange) {
    const std::vector<std::function<void()>> damages = {
        [&] { std::filesystem::resize_file(data(), 4096); },
        [&] { std::filesystem::resize_file(data(), 0); },
        [&] { std::ofstream(data(), std::ios::binary) << std::string(65536, '\0'); },
        [&] { std::ofstream(data(), std::ios::binary) << std::string(65536, '\x5a'); },
        [&] { std::filesystem::remove(data()); },
    };
    int n = 0;
    for (const auto& damage : damages) {
        SCOPED_TRACE(n);
        const std::string value = "after " + std::to_string(n++);
        write(value);
        damage();
        const auto reader = open_with_copy(folder(), with(Access::reader));
        ASSERT_FALSE(reader) << "readers leave it to the writers";
        EXPECT_EQ(reader.error().retry, Retry::later_may_help);
        std::string heard;
        const auto env = open_with_copy(folder(), with(Access::durable_writer),
                                        [&](std::string_view what) { heard = what; });
        ASSERT_TRUE(env) << env.error().what;
        EXPECT_EQ(read(*env), value);
        EXPECT_NE(heard.find("restored"), std::string::npos) << heard;
    }
    EXPECT_EQ(read(open_with_copy(folder(), with(Access::reader)).value()), "after 4");
}

TEST_F(KvKeptCopy, WithoutASoundCopyTheErrorNamesTheWayBack) {
    std::filesystem::resize_file(data(), 0);
    std::filesystem::resize_file(folder() / "copy.mdb", 100);
    const auto env = open_with_copy(folder(), with(Access::durable_writer));
    ASSERT_FALSE(env);
    EXPECT_EQ(env.error().fault, Fault::damaged);
    EXPECT_NE(env.error().what.find("backup"), std::string::npos) << env.error().what;
}

TEST_F(KvKeptCopy, ASoundEnvironmentIsOpenedAsItIs) {
    bool heard = false;
    const auto env =
        open_with_copy(folder(), with(Access::durable_writer), [&](std::string_view) { heard = true; });
    ASSERT_TRUE(env);
    EXPECT_FALSE(heard);
    EXPECT_EQ(read(*env), "kept");
}

TEST_F(KvKeptCopy, WhoHasTheDamagedFileOpenLearnsThatItWasReplaced) {
    const auto before = Env::open(folder(), with(Access::durable_writer)).value();
    EXPECT_FALSE(before->is_replaced());
    std::filesystem::remove(data());
    EXPECT_TRUE(before->is_replaced());
    const auto after = open_with_copy(folder(), with(Access::durable_writer)).value();
    EXPECT_NE(before, after);
    EXPECT_FALSE(after->is_replaced());
    EXPECT_EQ(read(after), "kept");
    EXPECT_EQ(read(before), "kept") << "the old file stays readable for those who have it";
}

TEST_F(KvKeptCopy, AFileThatWasCutShortIsNoticedWithoutTouchingItsMap) {
    const auto env = Env::open(folder(), with(Access::durable_writer)).value();
    std::filesystem::resize_file(data(), 4096);
    EXPECT_TRUE(env->is_replaced());
    const auto again = Env::open(folder(), with(Access::durable_writer));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().fault, Fault::damaged);
}

TEST_F(KvKeptCopy, ACopyIsRefreshedWhenItIsOlderThanTheData) {
    std::filesystem::remove(folder() / "copy.mdb");
    ASSERT_TRUE(refresh_copy(folder()));
    EXPECT_TRUE(std::filesystem::exists(folder() / "copy.mdb"));
    std::filesystem::resize_file(data(), 0);
    EXPECT_FALSE(refresh_copy(folder())) << "what is damaged does not replace the copy";
    EXPECT_EQ(read(open_with_copy(folder(), with(Access::durable_writer)).value()), "kept");
}

}  // namespace
}  // namespace mailstead::kv
