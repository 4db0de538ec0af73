#include "common/fulltext/words.h"

#include <gtest/gtest.h>

#include "common/mime/charset.h"

namespace mailstead::fulltext {
namespace {

std::vector<std::string> words(std::string_view text) {
    const std::string folded = mime::fold_for_search(text);
    std::vector<std::string> list;
    WordReader reader(folded);
    std::string_view word;
    while (reader.next(word)) list.emplace_back(word);
    return list;
}

using List = std::vector<std::string>;
using Kind = Demand::Kind;

TEST(FulltextWords, AreRunsOfLettersAndDigits) {
    EXPECT_EQ(words("Re: the 2nd re-port!"), (List{"RE", "THE", "2ND", "RE", "PORT"}));
    EXPECT_EQ(words("a\u2014b\u00a0c"), (List{"A", "B", "C"}));
    EXPECT_EQ(words("").size(), 0u);
    EXPECT_EQ(words("-- ...").size(), 0u);
}

TEST(FulltextWords, ArePairsWhereThereAreNoBlanks) {
    EXPECT_EQ(words("\u6771\u4eac\u90fd\u3002\u6771 x\u6771"),
              (List{"\u6771\u4eac", "\u4eac\u90fd", "\u6771", "X", "\u6771"}));
}

TEST(FulltextWords, LongOnesAreOverlappingPieces) {
    std::string longer;
    for (int n = 0; n < 130; ++n) longer += static_cast<char>('A' + n % 26);
    const List pieces = words(longer);
    ASSERT_EQ(pieces.size(), 4u);
    for (std::size_t at = 0; at + kWordStep <= longer.size(); ++at) {
        const std::string cut = longer.substr(at, kWordStep);
        const bool whole = std::any_of(pieces.begin(), pieces.end(), [&](const std::string& piece) {
            return piece.find(cut) != std::string::npos;
        });
        EXPECT_TRUE(whole) << at;
    }
}

TEST(FulltextWords, PatternsDemandWordsInsideAndPiecesAtTheirEnds) {
    EXPECT_EQ(demands_of("PORT").all, (std::vector<Demand>{{Kind::part, "PORT"}}));
    EXPECT_EQ(demands_of("PORT THE X").all,
              (std::vector<Demand>{{Kind::ending, "PORT"}, {Kind::exact, "THE"}, {Kind::beginning, "X"}}));
    EXPECT_EQ(demands_of(" THE ").all, (std::vector<Demand>{{Kind::exact, "THE"}}));
    EXPECT_EQ(demands_of("\u6771\u4eac\u90fd").all,
              (std::vector<Demand>{{Kind::exact, "\u6771\u4eac"}, {Kind::exact, "\u4eac\u90fd"}}));
    EXPECT_EQ(demands_of("\u6771").all, (std::vector<Demand>{{Kind::part, "\u6771"}}));
    EXPECT_TRUE(demands_of(" -- ").all.empty());
}

TEST(FulltextWords, OneWordSufficesToKnow) {
    EXPECT_TRUE(demands_of("PORT").sufficient);
    EXPECT_TRUE(demands_of("\u6771\u4eac").sufficient);
    EXPECT_FALSE(demands_of(" PORT").sufficient);
    EXPECT_FALSE(demands_of("RE-PORT").sufficient);
    EXPECT_FALSE(demands_of("\u6771\u4eac\u90fd").sufficient);
    EXPECT_FALSE(demands_of(std::string(kWordStep + 1, 'A')).sufficient);
}

}  // namespace
}  // namespace mailstead::fulltext
