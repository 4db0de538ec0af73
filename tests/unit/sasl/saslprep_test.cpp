#include "common/sasl/saslprep.h"

#include <gtest/gtest.h>

namespace mailstead::sasl {
namespace {

TEST(Saslprep, Examples_Rfc4013_3) {
    EXPECT_EQ(*saslprep("I\xC2\xADX", Spelling::stored), "IX");    // SOFT HYPHEN mapped to nothing
    EXPECT_EQ(*saslprep("user", Spelling::stored), "user");        // no transformation
    EXPECT_EQ(*saslprep("USER", Spelling::stored), "USER");        // case preserved
    EXPECT_EQ(*saslprep("\xC2\xAA", Spelling::stored), "a");       // output is NFKC
    EXPECT_EQ(*saslprep("\xE2\x85\xA8", Spelling::stored), "IX");  // output is NFKC
    EXPECT_FALSE(saslprep("\x07", Spelling::stored));              // prohibited character
    EXPECT_FALSE(saslprep("\xD8\xA7\x31", Spelling::stored));      // bidirectional check
}

TEST(Saslprep, RefusesWhatIsNoTextOrTooMuch) {
    EXPECT_FALSE(saslprep("\xFF", Spelling::query));
    EXPECT_FALSE(saslprep(std::string_view("a\0b", 3), Spelling::query));
    EXPECT_TRUE(saslprep(std::string(1024, 'a'), Spelling::query));
    EXPECT_FALSE(saslprep(std::string(1025, 'a'), Spelling::query));
    // ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM grows eighteenfold: refused, not overrun.
    std::string ligatures;
    for (int i = 0; i < 340; ++i) ligatures += "\xEF\xB7\xBA";
    EXPECT_FALSE(saslprep(ligatures, Spelling::query));
}

TEST(Saslprep, UnassignedCodePointsPassInQueriesOnly) {
    const std::string unassigned = "\xF0\x9F\x98\x80";  // U+1F600 came after Unicode 3.2
    EXPECT_EQ(*saslprep(unassigned, Spelling::query), unassigned);
    EXPECT_FALSE(saslprep(unassigned, Spelling::stored));
    EXPECT_EQ(prepare_password(unassigned).reveal(), unassigned);
}

}  // namespace
}  // namespace mailstead::sasl
