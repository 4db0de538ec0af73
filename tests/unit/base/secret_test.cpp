#include "common/base/secret.h"

#include <gtest/gtest.h>

namespace mailstead {
namespace {

TEST(Secret, TakingLeavesNothingBehind) {
    std::string bytes = "a password that is longer than a small string";
    const char* where = bytes.data();
    const std::size_t size = bytes.size();
    const Secret secret = Secret::take(bytes);
    EXPECT_EQ(secret.reveal(), "a password that is longer than a small string");
    EXPECT_TRUE(bytes.empty());
    EXPECT_EQ(std::string(where, size), std::string(size, '\0')) << "the string still owns this memory";
}

TEST(Secret, MovingEmptiesTheSource) {
    Secret first("pencil");
    Secret second(std::move(first));
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move)
    first = std::move(second);
    EXPECT_EQ(first.reveal(), "pencil");
    EXPECT_TRUE(second.empty());  // NOLINT(bugprone-use-after-move)
}

TEST(Secret, ConstantTimeEqualityIsEquality) {
    EXPECT_TRUE(equal_in_constant_time("", ""));
    EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
    EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
    EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
}

TEST(Secret, RandomBytesAreAsManyAsAskedFor) {
    EXPECT_EQ(random_bytes(0).size(), 0U);
    EXPECT_EQ(random_bytes(32).size(), 32U);
    EXPECT_NE(random_bytes(32), random_bytes(32));
}

}  // namespace
}  // namespace mailstead
