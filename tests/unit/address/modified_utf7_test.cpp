#include "common/address/modified_utf7.h"

#include <gtest/gtest.h>

namespace mailstead {
namespace {

TEST(ModifiedUtf7, BothWays_Rfc3501_5_1_3) {
    struct Case {
        std::string_view utf7;
        std::string_view utf8;
    };
    const Case cases[] = {
        {"INBOX", "INBOX"},
        {"a&-b", "a&b"},
        {"&-", "&"},
        {"&-&-", "&&"},
        {"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
         "~peter/mail/\xE5\x8F\xB0\xE5\x8C\x97/\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"},
        {"Entw&APw-rfe", "Entw\xC3\xBCrfe"},
        {"&AOkA6Q-", "\xC3\xA9\xC3\xA9"},
        {"&2D3eAA-", "\xF0\x9F\x98\x80"},
        {"&JjohIg-", "\xE2\x98\xBA\xE2\x84\xA2"},
    };
    for (const Case& c : cases) {
        const auto decoded = decode_modified_utf7(c.utf7);
        ASSERT_TRUE(decoded) << c.utf7;
        EXPECT_EQ(*decoded, c.utf8);
        EXPECT_EQ(encode_modified_utf7(c.utf8), c.utf7);
    }
}

TEST(ModifiedUtf7, RefusesWhatIsMalformed) {
    for (const std::string_view bad :
         {"&", "a&b", "&AOk", "&A-", "&AO-", "&AOl-", "&!-",  // not base64, bits left over
          "&AGE-",                                            // "a" must stand for itself
          "&2D0-", "&3gA-", "&2D3YPQ-", "&3gDYPQ-",           // lone or swapped surrogates
          "a\x01", "a\x7F"}) {
        EXPECT_FALSE(decode_modified_utf7(bad)) << bad;
    }
}

}  // namespace
}  // namespace mailstead
