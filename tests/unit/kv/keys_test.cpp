#include "common/kv/keys.h"

#include <string>

#include <gtest/gtest.h>

namespace mailstead::kv {
namespace {

TEST(KvKeys, NumericOrderIsByteOrder) {
    const std::string small(Key().u32(255).u64(1).view());
    const std::string large(Key().u32(256).u64(0).view());
    EXPECT_LT(small, large);
    EXPECT_EQ(large, std::string("\0\0\1\0\0\0\0\0\0\0\0\0", 12));
}

TEST(KvKeys, ReaderTakesApartWhatWasBuilt) {
    const Key key = Key().u8(7).u16(0x1234).u32(0xdeadbeef).u64(0x0102030405060708).text("INBOX");
    KeyReader reader(key);
    EXPECT_EQ(reader.u8(), 7);
    EXPECT_EQ(reader.u16(), 0x1234);
    EXPECT_EQ(reader.u32(), 0xdeadbeefu);
    EXPECT_EQ(reader.u64(), 0x0102030405060708u);
    EXPECT_EQ(reader.rest(), "INBOX");
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.u64(), 0u);
    EXPECT_FALSE(reader.ok());
}

TEST(KvKeys, TooLongIsEmptyNotCut) {
    EXPECT_EQ(Key().text(std::string(kMaxKeySize, 'x')).view().size(), kMaxKeySize);
    EXPECT_TRUE(Key().u8(1).text(std::string(kMaxKeySize, 'x')).view().empty());
    EXPECT_TRUE(Key().text(std::string(kMaxKeySize - 3, 'x')).u32(1).view().empty());
}

}  // namespace
}  // namespace mailstead::kv
