#include "common/store/flags.h"

#include <gtest/gtest.h>

namespace mailstead::store {
namespace {

TEST(Keywords, AreAtoms_Rfc9051_9) {
    for (const char* good : {"$Forwarded", "NonJunk", "a", "$label1", "x+y:z", "work/2026"})
        EXPECT_TRUE(is_keyword(good)) << good;
    for (const char* bad :
         {"", "\\Seen", "a b", "a(b", "a)", "a{", "50%", "a*", "a\"b", "a]", "caf\xC3\xA9", "a\r\nb"}) {
        EXPECT_FALSE(is_keyword(bad)) << bad;
    }
    EXPECT_TRUE(is_keyword(std::string(kMaxKeyword, 'a')));
    EXPECT_FALSE(is_keyword(std::string(kMaxKeyword + 1, 'a')));
}

TEST(KeywordTable, ComparesWithoutCaseAndKeepsTheFirstSpelling) {
    KeywordTable table;
    const Keywords first = table.take({"$Junk"}).value();
    EXPECT_EQ(table.take({"$JUNK"}).value(), first);
    EXPECT_EQ(table.names(), std::vector<std::string>{"$Junk"});
    EXPECT_EQ(table.known({"$junk", "unheard-of"}), first);
}

TEST(KeywordTable, TakesOneHundredAndTwentyEightNames) {
    KeywordTable table;
    for (int n = 0; n < 128; ++n) ASSERT_TRUE(table.take({"k" + std::to_string(n)}));
    const auto refused = table.take({"one-more"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::limit);
    EXPECT_TRUE(table.take({"k127"}).value().has(127));
    const KeywordTable copy = KeywordTable::decode(table.encode()).value();
    EXPECT_EQ(copy.names(), table.names());
}

TEST(KeywordTable, RefusesDamagedBytes) {
    const auto damaged = KeywordTable::decode("\x05junk");
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().fault, Fault::damaged);
}

TEST(Keywords, VisitEachBitInOrder) {
    Keywords keywords;
    for (const std::size_t bit : {127u, 0u, 63u, 64u}) keywords.set(bit);
    std::vector<std::size_t> seen;
    keywords.each([&](std::size_t bit) { seen.push_back(bit); });
    EXPECT_EQ(seen, (std::vector<std::size_t>{0, 63, 64, 127}));
}

}  // namespace
}  // namespace mailstead::store
