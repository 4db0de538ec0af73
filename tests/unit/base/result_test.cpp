#include "common/base/result.h"

#include <memory>
#include <stdexcept>

#include <gtest/gtest.h>

namespace mailstead {
namespace {

Result<int> half(int number) {
    if (number % 2 != 0) return permanent_error("odd");
    return number / 2;
}
Result<int> quarter(int number) {
    TRY(halved, half(number));
    TRY(again, half(halved));
    return again;
}
Result<void> check(int number) {
    TRY_VOID(half(number));
    return {};
}
Result<std::unique_ptr<int>> boxed(int number) {
    TRY(box, Result<std::unique_ptr<int>>(std::make_unique<int>(number)));
    return box;
}

TEST(Result, TryPassesValuesOnAndReturnsErrors) {
    EXPECT_EQ(*quarter(8), 2);
    EXPECT_FALSE(quarter(6));
    EXPECT_EQ(quarter(6).error().what, "odd");
    EXPECT_EQ(quarter(6).error().retry, Retry::is_useless);
    EXPECT_TRUE(check(2));
    EXPECT_FALSE(check(1));
    EXPECT_EQ(**boxed(5), 5);
}

TEST(Result, AnUncheckedErrorIsABugAndThrows) {
    EXPECT_THROW(half(1).value(), std::logic_error);
    EXPECT_EQ(transient_error("later").retry, Retry::later_may_help);
}

}  // namespace
}  // namespace mailstead
