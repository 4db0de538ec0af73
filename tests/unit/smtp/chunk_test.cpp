#include "common/smtp/chunk.h"

#include <gtest/gtest.h>

namespace mailstead::smtp {
namespace {

struct Outcome {
    std::string text;
    std::optional<BodyFault> fault;
};

Outcome decode(const std::vector<std::string>& chunks, std::size_t piece, BodyLimits limits = {}) {
    ChunkDecoder decoder(limits);
    Outcome result;
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        decoder.begin_chunk(chunks[i].size(), i + 1 == chunks.size());
        std::string_view rest = chunks[i];
        while (!rest.empty()) rest.remove_prefix(decoder.feed(rest.substr(0, piece), result.text));
        EXPECT_TRUE(decoder.chunk_complete());
    }
    EXPECT_TRUE(decoder.done());
    decoder.finish(result.text);
    result.fault = decoder.fault();
    return result;
}

TEST(SmtpChunk, JoinsChunksHoweverTheyAreCut_Rfc3030_2) {
    for (std::size_t piece = 1; piece < 10; ++piece) {
        const Outcome got = decode({"a: b\r", "\n\r\n.\r\nte", "", "xt\r\n"}, piece);
        EXPECT_FALSE(got.fault);
        EXPECT_EQ(got.text, "a: b\r\n\r\n.\r\ntext\r\n");
    }
}

TEST(SmtpChunk, ClosesTheLastLine) {
    EXPECT_EQ(decode({"text"}, 2).text, "text\r\n");
    EXPECT_EQ(decode({"text\r\n", ""}, 2).text, "text\r\n");
    EXPECT_EQ(decode({""}, 2).text, "");
}

TEST(SmtpChunk, RefusesBareLineEndings_Rfc5321_2_3_8) {
    const std::vector<std::vector<std::string>> cases = {
        {"a\nb\r\n"}, {"a\rb\r\n"}, {"a\r", "b\r\n"}, {"a\r\r\n"}, {"\n"}, {"a\r"}, {"a", "\n"}, {"a\n\r"}};
    for (const auto& chunks : cases) {
        for (std::size_t piece = 1; piece < 6; ++piece) {
            EXPECT_EQ(decode(chunks, piece).fault, BodyFault::bare_line_ending);
        }
    }
}

TEST(SmtpChunk, TakesNoMoreThanTheChunk) {
    ChunkDecoder decoder;
    std::string out;
    decoder.begin_chunk(3, false);
    EXPECT_EQ(decoder.feed("abcBDAT 1", out), 3u);
    EXPECT_EQ(out, "abc");
}

TEST(SmtpChunk, CountsAgainstTheMessageLimit) {
    EXPECT_FALSE(decode({"\r\n1234\r\n"}, 3, {.message_octets = 8, .header_octets = 8}).fault);
    EXPECT_EQ(decode({"\r\n1234\r\n"}, 3, {.message_octets = 7, .header_octets = 7}).fault,
              BodyFault::too_large);
}

}  // namespace
}  // namespace mailstead::smtp
