#include <gtest/gtest.h>

#include "common/smtp/data_decoder.h"
#include "common/smtp/data_encoder.h"

namespace mailstead::smtp {
namespace {

struct Decoded {
    std::string text;
    std::optional<BodyFault> fault;
    bool done = false;
    std::size_t used = 0;
    friend bool operator==(const Decoded&, const Decoded&) = default;
};

// Feeds `wire` in two pieces cut at `cut`.
Decoded decode(std::string_view wire, std::size_t cut, BodyLimits limits = {}) {
    DataDecoder decoder(limits);
    Decoded result;
    result.used = decoder.feed(wire.substr(0, cut), result.text);
    if (!decoder.done()) result.used += decoder.feed(wire.substr(cut), result.text);
    result.done = decoder.done();
    result.fault = decoder.fault();
    if (result.fault) result.text.clear();
    return result;
}

struct Case {
    const char* name;
    std::string wire;
    std::string text;
    std::optional<BodyFault> fault = std::nullopt;
    bool done = true;
    std::size_t left = 0;  // bytes after the end of the message
};
class SmtpData : public testing::TestWithParam<Case> {};

TEST_P(SmtpData, DecodesTheSameWhereverTheInputIsCut) {
    const Case& c = GetParam();
    for (std::size_t cut = 0; cut <= c.wire.size(); ++cut) {
        const Decoded got = decode(c.wire, cut);
        EXPECT_EQ(got.done, c.done) << cut;
        EXPECT_EQ(got.fault, c.fault) << cut;
        EXPECT_EQ(got.used, c.wire.size() - c.left) << cut;
        if (!c.fault) {
            EXPECT_EQ(got.text, c.text) << cut;
        }
    }
}

constexpr auto kBare = BodyFault::bare_line_ending;
INSTANTIATE_TEST_SUITE_P(
    Table, SmtpData,
    testing::Values(
        Case{"plain", "a: b\r\n\r\ntext\r\n.\r\n", "a: b\r\n\r\ntext\r\n"}, Case{"empty", ".\r\n", ""},
        Case{"leaves_what_follows", "x\r\n.\r\nQUIT\r\n", "x\r\n", {}, true, 6},
        Case{"unstuffs_dots", "..\r\n.x\r\n...\r\n.\r\n", ".\r\nx\r\n..\r\n"},
        Case{"dot_within_line", "a.\r\n.\r\n", "a.\r\n"}, Case{"unfinished", "x\r\n.", "x\r\n", {}, false},
        // RFC 5321, 2.3.8 and 4.1.1.4: none of these ends the message.
        Case{"lf_dot_lf", "x\n.\nMAIL\r\n.\r\n", "", kBare},
        Case{"lf_dot_crlf", "x\n.\r\nMAIL\r\n.\r\n", "", kBare},
        Case{"crlf_dot_lf", "x\r\n.\nMAIL\r\n.\r\n", "", kBare},
        Case{"cr_dot_cr", "x\r.\rMAIL\r\n.\r\n", "", kBare},
        Case{"crlf_dot_cr", "x\r\n.\rMAIL\r\n.\r\n", "", kBare},
        Case{"cr_dot_crlf", "x\r.\r\nMAIL\r\n.\r\n", "", kBare}, Case{"bare_lf", "x\ny\r\n.\r\n", "", kBare},
        Case{"bare_cr", "x\ry\r\n.\r\n", "", kBare}, Case{"cr_cr_lf", "x\r\r\n.\r\n", "", kBare},
        Case{"dot_cr_cr_lf", ".\r\r\n.\r\n", "", kBare}, Case{"lf_cr", "x\n\r\n.\r\n", "", kBare},
        Case{"nul_passes", std::string("a\0b\r\n.\r\n", 8), std::string("a\0b\r\n", 5)}),
    [](const auto& c) { return c.param.name; });

TEST(SmtpDataLimits, MessageSizeAtAndOnePast) {
    const std::string wire = "\r\n" + std::string(8, 'x') + "\r\n.\r\n";
    EXPECT_FALSE(decode(wire, 3, {.message_octets = 12, .header_octets = 100}).fault);
    const Decoded past = decode(wire, 3, {.message_octets = 11, .header_octets = 100});
    EXPECT_EQ(past.fault, BodyFault::too_large);
    EXPECT_TRUE(past.done);
}

TEST(SmtpDataLimits, HeaderSizeAtAndOnePast) {
    const std::string wire = "a: b\r\n\r\n" + std::string(100, 'x') + "\r\n.\r\n";
    for (std::size_t cut = 0; cut < wire.size(); ++cut) {
        EXPECT_FALSE(decode(wire, cut, {.message_octets = 1000, .header_octets = 8}).fault) << cut;
        EXPECT_EQ(decode(wire, cut, {.message_octets = 1000, .header_octets = 7}).fault,
                  BodyFault::header_too_large);
    }
}

TEST(SmtpDataLimits, StopsStoringAfterAFault) {
    DataDecoder decoder({.message_octets = 4, .header_octets = 100});
    std::string out;
    for (int i = 0; i < 1000; ++i) decoder.feed("0123456789", out);
    EXPECT_LE(out.size(), 4u);
    EXPECT_EQ(decoder.octets(), 10000u);
}

std::string encode(std::string_view text, std::size_t cut) {
    DataEncoder encoder;
    std::string out;
    encoder.feed(text.substr(0, cut), out);
    encoder.feed(text.substr(cut), out);
    encoder.finish(out);
    return out;
}

TEST(SmtpDataEncoder, StuffsDotsAndEndsTheLastLine) {
    const std::pair<std::string, std::string> cases[] = {
        {"", ".\r\n"},
        {"a\r\n", "a\r\n.\r\n"},
        {"a", "a\r\n.\r\n"},
        {".\r\n..a\r\nb.\r\n", "..\r\n...a\r\nb.\r\n.\r\n"},
        {"a\n.b\rc\r\rd\n", "a\r\n..b\r\nc\r\n\r\nd\r\n.\r\n"},
        {"a\r", "a\r\n.\r\n"},
        {"\r.\r\n", "\r\n..\r\n.\r\n"},
    };
    for (const auto& [text, wire] : cases) {
        for (std::size_t cut = 0; cut <= text.size(); ++cut) EXPECT_EQ(encode(text, cut), wire) << cut;
    }
}

TEST(SmtpDataEncoder, WhatItWritesTheDecoderReadsBack) {
    const std::string text = "a: b\r\n\r\n.\r\n..\r\n.x\r\n\r\n";
    EXPECT_EQ(decode(encode(text, 5), 0).text, text);
}

}  // namespace
}  // namespace mailstead::smtp
