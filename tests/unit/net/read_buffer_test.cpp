#include "common/net/read_buffer.h"

#include <string>

#include <gtest/gtest.h>

namespace mailstead::net {
namespace {

TEST(ReadBuffer, KeepsWhatIsNotConsumed) {
    ReadBuffer buffer;
    buffer.append("one two ");
    buffer.consume(4);
    buffer.append("three");
    EXPECT_EQ(buffer.view(), "two three");
    buffer.consume(9);
    EXPECT_TRUE(buffer.empty());
}

TEST(ReadBuffer, GrowsByWhatIsNeededAndMovesInsteadOfGrowing) {
    ReadBuffer buffer;
    buffer.append("12345678");
    EXPECT_EQ(buffer.capacity(), 8U);
    buffer.consume(6);
    buffer.append("abcdef");
    EXPECT_EQ(buffer.capacity(), 8U);
    EXPECT_EQ(buffer.view(), "78abcdef");
    buffer.append("!");
    EXPECT_EQ(buffer.capacity(), 16U);
    EXPECT_EQ(buffer.view(), "78abcdef!");
}

TEST(ReadBuffer, ReleasesMemoryOnlyWhenEmpty) {
    ReadBuffer buffer;
    buffer.append("x");
    buffer.release();
    EXPECT_EQ(buffer.view(), "x");
    buffer.consume(1);
    buffer.release();
    EXPECT_EQ(buffer.capacity(), 0U);
}

TEST(ReadBuffer, MovesLeaveAnEmptyBuffer) {
    ReadBuffer from;
    from.append("text");
    ReadBuffer to(std::move(from));
    EXPECT_EQ(to.view(), "text");
    EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): the promise under test
    from.append("again");
    EXPECT_EQ(from.view(), "again");
}

}  // namespace
}  // namespace mailstead::net
