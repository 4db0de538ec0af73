#include "common/base/base64.h"

#include <gtest/gtest.h>

namespace mailstead {
namespace {

using namespace std::string_literals;

TEST(Base64, Vectors_Rfc4648_10) {
    const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, encoded] : vectors) {
        EXPECT_EQ(base64_encode(plain), encoded);
        EXPECT_EQ(base64_decode(encoded), plain);
        EXPECT_EQ(base64_decode_folded(encoded), plain);
    }
}

TEST(Base64, StrictDecodingTakesNothingElse) {
    for (const std::string& bad : {"Zg"s, "Zg="s, "Zg==="s, "Z==="s, "Z"s, "Zm9v "s, " Zm9v"s, "Zm\r\n9v"s,
                                   "Zm9_"s, "Zm9v\0"s, "=Zg="s, "Zh=="s}) {
        EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
    }
}

TEST(Base64, FoldedDecodingSkipsBlanksAndMissingPadding_Rfc6376_3_2) {
    EXPECT_EQ(base64_decode_folded("Zm9v\r\n\tYm Fy"), "foobar");
    EXPECT_EQ(base64_decode_folded("Zm9vYg"), "foob");
    EXPECT_EQ(base64_decode_folded("Zm9v!"), std::nullopt);
    EXPECT_EQ(base64_decode_folded("Zg==Zg=="), std::nullopt);
}

TEST(Base64, AllBytesSurvive) {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
}

}  // namespace
}  // namespace mailstead
