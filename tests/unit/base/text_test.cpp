#include "common/base/text.h"

#include <gtest/gtest.h>

namespace mailstead::text {
namespace {

using namespace std::string_literals;

TEST(Text, FoldsAsciiAlone) {
    EXPECT_EQ(lower("AbZ[\xC3\x84"), "abz[\xC3\x84");
    EXPECT_EQ(upper("aBz{\xC3\xA4"), "ABZ{\xC3\xA4");
    EXPECT_TRUE(iequals("HELO", "helo"));
    EXPECT_FALSE(iequals("[", "{")) << "32 apart, but no letters";
    EXPECT_FALSE(iequals("a", "ab"));
    EXPECT_TRUE(istarts_with("Content-Type", "content-"));
    EXPECT_FALSE(istarts_with("Con", "content-"));
    EXPECT_TRUE(istarts_with("x", ""));
}

TEST(Text, FindsWithoutCase) {
    EXPECT_EQ(ifind("one TWO three", "two"), 4U);
    EXPECT_EQ(ifind("one", "two"), std::string_view::npos);
    EXPECT_EQ(ifind("one", ""), 0U);
    EXPECT_EQ(ifind("", "x"), std::string_view::npos);
}

TEST(Text, TrimsBlanksAndLineEnds) {
    EXPECT_EQ(trim(" \t\r\n a b \r\n"), "a b");
    EXPECT_EQ(trim(" \t"), "");
    EXPECT_EQ(trim(""), "");
    EXPECT_EQ(trim("\x0B"), "\x0B");
}

TEST(Text, CutsFieldsOff) {
    std::string_view rest = "a,,b";
    EXPECT_EQ(next_field(rest, ','), "a");
    EXPECT_EQ(next_field(rest, ','), "");
    EXPECT_EQ(next_field(rest, ','), "b");
    EXPECT_TRUE(rest.empty());
    EXPECT_EQ(next_field(rest, ','), "");
}

TEST(Text, NumbersAreDigitsThatFit) {
    EXPECT_EQ(parse_number<std::uint8_t>("255"), 255);
    EXPECT_EQ(parse_number<std::uint8_t>("256"), std::nullopt);
    EXPECT_EQ(parse_number<std::uint64_t>("18446744073709551615"), UINT64_MAX);
    EXPECT_EQ(parse_number<std::uint64_t>("18446744073709551616"), std::nullopt);
    EXPECT_EQ(parse_number<std::uint32_t>("007"), 7U);
    for (const std::string_view bad : {"", "+1", "-1", " 1", "1 ", "0x1", "1.0", "\xD9\xA1"}) {
        EXPECT_EQ(parse_number<std::uint32_t>(bad), std::nullopt) << bad;
    }
}

TEST(Text, Utf8IsCheckedAsRfc3629Says) {
    for (const std::string& good : {""s, "ascii"s, "\xC2\x80"s, "\xE0\xA0\x80"s, "\xED\x9F\xBF"s,
                                    "\xEF\xBF\xBD"s, "\xF0\x90\x80\x80"s, "\xF4\x8F\xBF\xBF"s, "a\0b"s}) {
        EXPECT_TRUE(is_utf8(good)) << hex(good);
    }
    for (const std::string& bad :
         {"\x80"s, "\xC0\x80"s, "\xC1\xBF"s, "\xC2"s, "\xE0\x9F\xBF"s, "\xED\xA0\x80"s, "\xE2\x82"s,
          "\xF0\x8F\xBF\xBF"s, "\xF4\x90\x80\x80"s, "\xF5\x80\x80\x80"s, "\xFF"s}) {
        EXPECT_FALSE(is_utf8(bad)) << hex(bad);
    }
}

TEST(Text, LogQuotingLeavesNothingThatMovesTheCursor) {
    EXPECT_EQ(quote_for_log("plain text"), "plain text");
    EXPECT_EQ(quote_for_log("a\r\n\"\\\x1b[2J"), "a\\x0d\\x0a\\x22\\x5c\\x1b[2J");
    EXPECT_EQ(quote_for_log("\xC3\xBC\xFF"), "\xC3\xBC\\xff");
    EXPECT_EQ(quote_for_log("a\0b"s), "a\\x00b");
    EXPECT_EQ(quote_for_log("\x7F"), "\\x7f");
    EXPECT_EQ(quote_for_log(std::string(300, 'a')), std::string(256, 'a') + "...");
    EXPECT_EQ(quote_for_log("abc", 3), "abc");
    EXPECT_EQ(quote_for_log("abcd", 3), "abc...");
    EXPECT_EQ(quote_for_log("ab\xC3\xBC", 3), "ab\xC3\xBC") << "a character is not cut in two";
}

TEST(Text, HexBothWays) {
    EXPECT_EQ(hex("\x01\xAB\xFF"), "01abff");
    EXPECT_EQ(unhex("01ABff"), "\x01\xAB\xFF");
    EXPECT_EQ(unhex(""), "");
    for (const std::string_view bad : {"0", "0g", "zz", "0 "}) EXPECT_EQ(unhex(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace mailstead::text
