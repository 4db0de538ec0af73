// How messages go out: dots, line ends, TOP; and what clients without UTF-8 see.
#include <gtest/gtest.h>

#include "common/base/text.h"
#include "imapd/pop3/core/multiline.h"
#include "imapd/pop3/core/surrogate.h"

namespace mailstead::imapd::pop3 {
namespace {

std::string written(std::string_view message, std::optional<std::uint32_t> lines, std::size_t piece) {
    MultilineWriter writer(lines);
    std::string out;
    for (std::size_t at = 0; at < message.size(); at += piece) {
        if (!writer.feed(message.substr(at, piece), out)) break;
    }
    writer.finish(out);
    return out;
}

struct Case {
    const char* name;
    std::string message;
    std::optional<std::uint32_t> lines;
    std::string out;
};
void PrintTo(const Case& c, std::ostream* out) {
    *out << c.name;
}
const Case kCases[] = {
    {"Plain", "A: b\r\n\r\nText\r\n", {}, "A: b\r\n\r\nText\r\n.\r\n"},
    {"Dots", ".\r\n..a\r\na.b\r\n.", {}, "..\r\n...a\r\na.b\r\n..\r\n.\r\n"},
    {"BareLf", "A: b\n\n.x\ny", {}, "A: b\r\n\r\n..x\r\ny\r\n.\r\n"},
    {"MissingLineEnd", "A: b\r\n\r\nText", {}, "A: b\r\n\r\nText\r\n.\r\n"},
    {"CrAtTheEnd", "A: b\r\n\r\nText\r", {}, "A: b\r\n\r\nText\r\n.\r\n"},
    {"CrInside", "A: b\r\n\r\na\rb\r\n", {}, "A: b\r\n\r\na\rb\r\n.\r\n"},
    {"Empty", "", {}, ".\r\n"},
    {"Top0", "A: b\r\n\r\n1\r\n2\r\n", 0, "A: b\r\n\r\n.\r\n"},
    {"Top1", "A: b\r\n\r\n.1\r\n2\r\n", 1, "A: b\r\n\r\n..1\r\n.\r\n"},
    {"Top2BareLf", "A: b\n\n1\n2\n3\n", 2, "A: b\r\n\r\n1\r\n2\r\n.\r\n"},
    {"TopCountsBlankLinesOfTheBody", "A: b\r\n\r\n\r\n\r\n3\r\n", 2, "A: b\r\n\r\n\r\n\r\n.\r\n"},
    {"TopHeaderAlone", "A: b\r\n", 3, "A: b\r\n.\r\n"},
};

class Pop3Message : public testing::TestWithParam<Case> {};
TEST_P(Pop3Message, GoesOutTheSameInPiecesOfAnySize) {
    const Case& c = GetParam();
    for (std::size_t piece = 1; piece <= c.message.size() + 1; ++piece)
        EXPECT_EQ(written(c.message, c.lines, piece), c.out) << piece;
}
INSTANTIATE_TEST_SUITE_P(Cases, Pop3Message, testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(each.param.name); });

struct HeaderCase {
    const char* name;
    std::string header;
    std::string shown;
};
void PrintTo(const HeaderCase& c, std::ostream* out) {
    *out << c.name;
}
const HeaderCase kHeaders[] = {
    {"AsciiStaysAsItIs", "Subject:  two\r\n  lines\r\nX-A: b\r\n\r\n",
     "Subject:  two\r\n  lines\r\nX-A: b\r\n\r\n"},
    {"Subject",
     "Subject: Gr\xC3\xBC\xC3\x9F"
     "e\r\n\r\n",
     "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\r\n"},
    {"NameWithAsciiAddress", "From: J\xC3\xB6rg <joerg@example.org>\r\n\r\n",
     "From: =?utf-8?B?SsO2cmc=?= <joerg@example.org>\r\n\r\n"},
    {"Address", "To: Ann <\xC3\xA4nn@example.org>, bob@example.org\r\n\r\n",
     "To: \"Ann\" <not.shown@internationalized-address.invalid>, bob@example.org\r\n\r\n"},
    {"OtherFieldsAreLeftOut", "X-Who: \xC3\xA4\r\nX-Other: a\r\n\r\n", "X-Other: a\r\n\r\n"},
    {"Parameters", "Content-Type: application/pdf; name=\"\xC3\xA4;b.pdf\"; x=y\r\n\r\n",
     "Content-Type: application/pdf; x=y\r\n\r\n"},
};
class Pop3Surrogate : public testing::TestWithParam<HeaderCase> {};
TEST_P(Pop3Surrogate, ShowsWhatAsciiCanShow_Rfc6858_2) {
    EXPECT_EQ(surrogate_header(GetParam().header), GetParam().shown);
}
INSTANTIATE_TEST_SUITE_P(Cases, Pop3Surrogate, testing::ValuesIn(kHeaders),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(Pop3Surrogate, NeverLeavesABareEightBitByte) {
    // Not even of text that is no UTF-8, in any field.
    const std::string header =
        "Subject: \xE4\xF6\r\nFrom: \xE4 <\xF6@\xFC>\r\nTo: \xE4: a@b, \xF6@c;\r\nContent-Type: \xE4/b; "
        "c=d\r\n\r\n";
    EXPECT_TRUE(text::is_ascii(surrogate_header(header))) << surrogate_header(header);
}

TEST(Pop3Surrogate, HeadersOfPartsAreReplacedAndBodiesKept) {
    const std::string message =
        "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Disposition: attachment; filename=\"\xC3\xA4.txt\"\r\n\r\n\xC3\xA4\r\n--b--\r\n";
    const auto found = surrogate_headers(message);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].text, "Content-Disposition: attachment\r\n\r\n");
    EXPECT_EQ(message.substr(found[0].range.begin, 19), "Content-Disposition");
    EXPECT_EQ(message.substr(found[0].range.end, 2), "\xC3\xA4");
    EXPECT_TRUE(surrogate_headers("Subject: x\r\n\r\n\xC3\xA4\r\n").empty());
}

}  // namespace
}  // namespace mailstead::imapd::pop3
