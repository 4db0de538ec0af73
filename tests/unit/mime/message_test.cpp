#include "common/mime/message.h"

#include <gtest/gtest.h>

#include "tests/unit/mime/samples.h"

namespace mailstead::mime {
namespace {

// `type/subtype(children)lines`, the body of a leaf instead of its lines when asked.
std::string shape(const Message& m, PartIndex i = kRootPart) {
    std::string out = m.fields(i).type + "/" + m.fields(i).subtype;
    if (m.part(i).kind == PartKind::leaf) return out;
    out += '(';
    for (PartIndex c = m.part(i).first_child; c != kNoPart; c = m.part(c).next_sibling) {
        out += shape(m, c) + (m.part(c).next_sibling == kNoPart ? "" : " ");
    }
    return out + ')';
}

std::string section(const Message& m, std::string_view spec) {
    const auto range = m.tree().find_section(spec);
    return range ? std::string(m.view(*range)) : "(none)";
}

TEST(Message, PlainTextIsOnePart) {
    const std::string bytes = sample("01-rfc9051-terry-gray.eml");
    const Message m = Message::parse(bytes);
    EXPECT_EQ(shape(m), "text/plain");
    EXPECT_EQ(m.body(0), "Minutes follow.\r\n");
    EXPECT_EQ(m.part(0).lines, 1U);
    EXPECT_EQ(*m.fields(0).parameter("charset"), "US-ASCII");
    EXPECT_TRUE(m.is_ascii());
    EXPECT_FALSE(m.has_bare_lf());
}

TEST(Message, ResolvesTheSectionNumbersOfRfc9051_6_4_5_1) {
    const std::string bytes = sample("02-section-numbers.eml");
    const Message m = Message::parse(bytes);
    EXPECT_EQ(shape(m),
              "multipart/mixed(text/plain application/octet-stream "
              "message/rfc822(multipart/mixed(text/plain application/octet-stream)) "
              "multipart/mixed(image/gif message/rfc822(multipart/mixed(text/plain "
              "multipart/alternative(text/plain "
              "text/richtext)))))");
    struct Case {
        std::string_view spec, bytes;
    };
    for (const Case& c :
         {Case{"1", "part one"},
          {"1.MIME", "\r\n"},
          {"2", "part two"},
          {"2.MIME", "Content-Type: application/octet-stream\r\n\r\n"},
          {"3.1", "three one"},
          {"3.2", "three two"},
          {"3.HEADER", "Subject: three\r\nContent-Type: multipart/mixed; boundary=three\r\n\r\n"},
          {"3.MIME", "Content-Type: message/rfc822\r\n\r\n"},
          {"4.1", "four one"},
          {"4.1.MIME", "Content-Type: image/gif\r\n\r\n"},
          {"4.2.header", "Subject: four two\r\nContent-Type: multipart/mixed; boundary=\"four two\"\r\n\r\n"},
          {"4.2.1", "four two one"},
          {"4.2.2.1", "four two two one"},
          {"4.2.2.2", "four two two two"},
          {"", bytes},
          // No such part, or no such text of it.
          {"5", "(none)"},
          {"0", "(none)"},
          {"1.1", "(none)"},
          {"1.HEADER", "(none)"},
          {"4.TEXT", "(none)"},
          {"MIME", "(none)"},
          {"3.3", "(none)"},
          {"1.", "(none)"},
          {"1..1", "(none)"},
          {"TEXT.1", "(none)"},
          {"x", "(none)"}}) {
        EXPECT_EQ(section(m, c.spec), c.bytes) << c.spec;
    }
    EXPECT_EQ(section(m, "HEADER") + section(m, "TEXT"), bytes);
    EXPECT_TRUE(section(m, "3.TEXT").starts_with("--three\r\n"));
    EXPECT_EQ(section(m, "3"), section(m, "3.HEADER") + section(m, "3.TEXT"));
}

TEST(Message, NumbersTheOnlyPartOne) {
    const Message m = Message::parse("A: b\r\n\r\ntext\r\n");
    EXPECT_EQ(section(m, "1"), "text\r\n");
    EXPECT_EQ(section(m, "1.MIME"), "A: b\r\n\r\n");
    EXPECT_EQ(section(m, "2"), "(none)");
    const Message forwarded = Message::parse("Content-Type: message/rfc822\r\n\r\nB: c\r\n\r\ninner\r\n");
    EXPECT_EQ(section(forwarded, "1"), "B: c\r\n\r\ninner\r\n");
    EXPECT_EQ(section(forwarded, "1.1"), "inner\r\n");
    EXPECT_EQ(section(forwarded, "1.TEXT"), "inner\r\n");
}

TEST(Message, BareLfGivesTheSameTreeAndCrlf) {
    const std::string lf = sample("03-bare-lf.eml");
    const Message m = Message::parse(lf);
    EXPECT_EQ(shape(m), "multipart/alternative(text/plain text/html)");
    EXPECT_EQ(section(m, "1"), "one\ntwo");
    EXPECT_EQ(m.part(1).lines, 1U);
    EXPECT_TRUE(m.has_bare_lf());
    const std::string crlf = to_crlf(lf);
    const Message other = Message::parse(crlf);
    EXPECT_EQ(shape(other), shape(m));
    EXPECT_EQ(section(other, "1"), "one\r\ntwo");
    EXPECT_FALSE(other.has_bare_lf());
}

TEST(Message, ClosesPartsAtAnOuterBoundaryOrTheEnd) {
    const std::string bytes = sample("06-missing-end-boundary.eml");
    const Message m = Message::parse(bytes);
    EXPECT_EQ(shape(m), "multipart/mixed(text/plain multipart/alternative(text/plain) text/plain)");
    EXPECT_EQ(section(m, "2.1"), "inner never closed");
    EXPECT_EQ(section(m, "3"), "last, cut off");
}

TEST(Message, TheLongestBoundaryWins) {
    const std::string bytes = sample("07-prefix-boundaries.eml");
    const Message m = Message::parse(bytes);
    EXPECT_EQ(shape(m), "multipart/mixed(multipart/mixed(text/plain text/plain) text/plain)");
    EXPECT_EQ(section(m, "1.2"), "inner two");
    EXPECT_EQ(section(m, "2"), "outer two");
}

TEST(Message, ABoundaryEndsAHeader) {
    const std::string bytes = sample("08-boundary-in-header.eml");
    const Message m = Message::parse(bytes);
    EXPECT_EQ(shape(m), "multipart/mixed(text/plain text/html)");
    EXPECT_EQ(section(m, "1"), "");
    EXPECT_EQ(section(m, "2"), "<b>second</b>");
}

TEST(Message, AMultipartThatCannotBeCutIsText) {
    for (const char* name : {"09-multipart-without-boundary.eml", "10-multipart-without-parts.eml"}) {
        const std::string bytes = sample(name);
        const Message m = Message::parse(bytes);
        EXPECT_EQ(shape(m), "text/plain") << name;
        EXPECT_EQ(section(m, "1"), bytes.substr(header_size(bytes))) << name;
    }
}

TEST(Message, PartsOfADigestAreMessages_Rfc2046_5_1_5) {
    const std::string bytes = sample("13-digest.eml");
    const Message m = Message::parse(bytes);
    EXPECT_EQ(shape(m), "multipart/digest(message/rfc822(text/plain) text/plain)");
    EXPECT_EQ(section(m, "1.1"), "text one");
}

TEST(Message, EmptyPartsHaveEmptyBodies) {
    const std::string bytes = sample("20-empty-parts.eml");
    const Message m = Message::parse(bytes);
    EXPECT_EQ(shape(m),
              "multipart/mixed(text/plain text/plain message/rfc822(text/plain) message/rfc822(text/plain))");
    for (const char* spec : {"1", "2", "3", "3.HEADER", "3.1", "4", "4.1"})
        EXPECT_EQ(section(m, spec), "") << spec;
    const Message nothing = Message::parse("");
    EXPECT_EQ(shape(nothing), "text/plain");
    EXPECT_EQ(section(nothing, ""), "");
}

TEST(Message, APartHoldsItsPartsEvenWhenTheLineEndOfTheBoundaryEndsAHeader) {
    const std::string bytes = sample("21-empty-part-at-an-outer-boundary.eml");
    const Message m = Message::parse(bytes);
    EXPECT_EQ(shape(m), "multipart/mixed(multipart/mixed(text/plain) message/rfc822(text/plain))");
    EXPECT_EQ(section(m, "1"), "--y\r\n\r\n");
    EXPECT_EQ(section(m, "1.1.MIME"), "\r\n");
    EXPECT_EQ(section(m, "1.1"), "");
    EXPECT_EQ(section(m, "2"), "Subject: s\r\n\r\n");
    EXPECT_TRUE(PartTree::decode(m.tree().encode()));
}

TEST(Message, TheFirstOfEqualFieldsCounts) {
    const Message m = Message::parse("Content-Type: text/html\r\nContent-Type: image/png\r\n\r\n");
    EXPECT_EQ(shape(m), "text/html");
}

TEST(Message, ABadTypeIsPlainText_Rfc2045_5_2) {
    for (const char* type : {"text", "", "/", "text/", "/plain", ";charset=utf-8"}) {
        const std::string bytes = std::string("Content-Type: ") + type + "\r\n\r\n";
        EXPECT_EQ(shape(Message::parse(bytes)), "text/plain") << type;
    }
}

TEST(Message, ReadsFileNames) {
    const std::string bytes = sample("11-rfc2231.eml");
    const Message m = Message::parse(bytes);
    EXPECT_EQ(m.fields(0).file_name(),
              "gr\xC3\xBC\xC3\x9F"
              "e file.pdf");
    EXPECT_EQ(m.part(0).encoding, TransferEncoding::base64);
    EXPECT_EQ(parse_languages(m.fields(0).language), (std::vector<std::string>{"de", "en"}));
    const Message encoded = Message::parse("Content-Type: a/b; name=\"=?utf-8?Q?=C3=A4.txt?=\"\r\n\r\n");
    EXPECT_EQ(encoded.fields(0).file_name(), "\xC3\xA4.txt");
}

TEST(PartTree, SurvivesEncoding) {
    const std::string bytes = sample("02-section-numbers.eml");
    const PartTree tree = Message::parse(bytes).tree();
    const std::string encoded = tree.encode();
    const auto decoded = PartTree::decode(encoded);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, tree);
    for (std::size_t i = 0; i < encoded.size(); ++i)
        EXPECT_FALSE(PartTree::decode(encoded.substr(0, i))) << i;
}

TEST(PartTree, RefusesPartsOutsideTheirParent) {
    Part root, child;
    root.kind = PartKind::multipart;
    root.body_end = 10;
    root.first_child = 1;
    child.parent = 0;
    child.body_end = 11;
    EXPECT_FALSE(PartTree::decode(PartTree({root, child}).encode()));
    child.body_end = 10;
    EXPECT_TRUE(PartTree::decode(PartTree({root, child}).encode()));
    root.kind = PartKind::leaf;
    EXPECT_FALSE(PartTree::decode(PartTree({root, child}).encode()));
}

}  // namespace
}  // namespace mailstead::mime
