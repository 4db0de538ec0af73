#include "common/store/range_table.h"

#include <filesystem>
#include <stdlib.h>

#include <gtest/gtest.h>

#include "common/store/records.h"
#include "tests/unit/store/dice.h"

namespace mailstead::store {
namespace {

class RangeTableTest : public testing::Test {
protected:
    RangeTableTest() {
        char path[] = "/tmp/store-range-XXXXXX";
        directory_ = ::mkdtemp(path);
        env_ = kv::Env::open(directory_, index_options(kv::Access::engine_writer)).value();
        database_ = env_->open_database("ranges").value();
    }
    ~RangeTableTest() override {
        env_.reset();
        std::filesystem::remove_all(directory_);
    }
    std::filesystem::path directory_;
    std::shared_ptr<kv::Env> env_;
    kv::Database database_;
};

// Three neighbouring prefixes: what happens under one must not leak into another.
TEST_F(RangeTableTest, KeepsSetsUnderPrefixesApart) {
    Dice random(4);
    auto transaction = env_->write().value();
    RangeTable table(transaction, database_);
    UidSet model[3];
    for (int round = 0; round < 4'000; ++round) {
        const std::uint32_t which = random() % 3;
        const kv::Key prefix = key::mailbox(which);
        const std::uint32_t first = 1 + random() % 80;
        const UidRange range{first, first + random() % 10};
        if (random() % 2 == 0) {
            ASSERT_TRUE(table.add(prefix, range));
            model[which].add(range);
        } else {
            ASSERT_TRUE(table.remove(prefix, range));
            model[which].remove(range);
        }
        std::size_t rows = 0;
        for (std::uint32_t n = 0; n < 3; ++n) {
            ASSERT_EQ(table.read(key::mailbox(n)).value(), model[n]) << "round " << round;
            rows += model[n].ranges().size();
        }
        ASSERT_EQ(table.rows_added(), static_cast<std::int64_t>(rows));
        ASSERT_EQ(transaction.count(database_).value(), rows);
        const UidRange part{first, first + 15};
        ASSERT_EQ(table.read(prefix, part).value(), model[which].intersected(UidSet({part})));
    }
    ASSERT_TRUE(table.clear(key::mailbox(1)));
    EXPECT_TRUE(table.read(key::mailbox(1)).value().empty());
    EXPECT_EQ(table.read(key::mailbox(2)).value(), model[2]);
}

TEST_F(RangeTableTest, ReachesTheLastUid) {
    auto transaction = env_->write().value();
    RangeTable table(transaction, database_);
    ASSERT_TRUE(table.add(key::mailbox(5), UidRange{UINT32_MAX, UINT32_MAX}));
    ASSERT_TRUE(table.add(key::mailbox(5), UidRange{1, UINT32_MAX - 1}));
    EXPECT_EQ(table.read(key::mailbox(5)).value(), UidSet::all());
    EXPECT_EQ(table.rows_added(), 1);
    ASSERT_TRUE(table.remove(key::mailbox(5), UidRange{7, UINT32_MAX}));
    EXPECT_EQ(table.read(key::mailbox(5)).value(), UidSet({{1, 6}}));
}

}  // namespace
}  // namespace mailstead::store
