#include "common/base/percent.h"

#include <gtest/gtest.h>

namespace mailstead {
namespace {

TEST(PercentDecode, TakesDigitsOfEitherCase_Rfc3986_2_1) {
    EXPECT_EQ(percent_decode("").value(), "");
    EXPECT_EQ(percent_decode("joe%40example.org").value(), "joe@example.org");
    EXPECT_EQ(percent_decode("%c3%A9%25").value(), "\xc3\xa9%");
    EXPECT_EQ(percent_decode("a%00b").value(), std::string("a\0b", 3));
}

TEST(PercentDecode, RefusesASignWithoutTwoDigitsAndSaysWhere) {
    for (const std::string_view text : {"ab%", "ab%4", "ab%4g", "ab%g4", "ab%%4", "ab% 4"}) {
        const auto decoded = percent_decode(text);
        ASSERT_FALSE(decoded) << text;
        EXPECT_EQ(decoded.error().offset, 2u) << text;
    }
}

}  // namespace
}  // namespace mailstead
