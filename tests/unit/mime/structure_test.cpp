#include "common/mime/structure.h"

#include <gtest/gtest.h>

#include "common/base/text.h"
#include "tests/unit/mime/samples.h"

namespace mailstead::mime {
namespace {

std::string envelope(std::string_view bytes, ClientText text = ClientText::ascii) {
    std::string out;
    write_envelope(out, Message::parse(bytes), text);
    return out;
}
std::string structure(std::string_view bytes, ClientText text = ClientText::ascii) {
    std::string out;
    write_bodystructure(out, Message::parse(bytes), text);
    return out;
}
std::string body(std::string_view bytes) {
    std::string out;
    write_body(out, Message::parse(bytes), ClientText::ascii);
    return out;
}

TEST(Envelope, AgreesWithTheExampleOfRfc9051_8) {
    EXPECT_EQ(envelope(sample("01-rfc9051-terry-gray.eml")),
              R"x(("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" )x"
              R"((("Terry Gray" NIL "gray" "cac.washington.edu")) )"
              R"((("Terry Gray" NIL "gray" "cac.washington.edu")) )"
              R"((("Terry Gray" NIL "gray" "cac.washington.edu")) )"
              R"(((NIL NIL "imap" "cac.washington.edu")) )"
              R"(((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL )"
              R"("<B27397-0100000@cac.washington.edu>"))");
}

TEST(Envelope, WritesGroupsRoutesAndObsoleteSyntax) {
    EXPECT_EQ(
        envelope(sample("14-groups-and-obsolete-addresses.eml")),
        R"x(("Thu,      13        Feb          1969      23:32               -0330 (Newfoundland Time)" NIL )x"
        R"((("Pete" NIL "pete" "silly.test")) )"
        R"(((NIL NIL "broken name without address" "")) )"
        R"((("Pete" NIL "pete" "silly.test")) )"
        R"(((NIL NIL "A Group" NIL)("Chris Jones" NIL "c" "public.example")(NIL NIL "joe" "example.org")("John" NIL "jdoe" "one.test")(NIL NIL NIL NIL)) )"
        R"(((NIL NIL "Hidden recipients" NIL)(NIL NIL NIL NIL)) )"
        R"(((NIL "@route.example,@other.example" "user" "host.example")("Joe \"Q\" Public" NIL "john.q.public" "example.com")) )"
        R"(NIL "<testabcd.1234@silly.test>"))");
}

TEST(Envelope, AnEmptyMessageHasNothing) {
    EXPECT_EQ(envelope(""), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    EXPECT_EQ(envelope("Subject:\r\nTo: \r\n\r\n"), "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL)");
}

TEST(Envelope, JoinsRepeatedDestinations_Rfc5322_4_5_3) {
    EXPECT_EQ(
        envelope("To: a@x\r\nTo: b@y\r\nFrom: f@z\r\nFrom: g@z\r\n\r\n"),
        R"((NIL NIL ((NIL NIL "f" "z")) ((NIL NIL "f" "z")) ((NIL NIL "f" "z")) ((NIL NIL "a" "x")(NIL NIL "b" "y")) NIL NIL NIL NIL))");
}

TEST(Envelope, EightBitTextIsEncodedForOneAndSentAsItIsToTheOther) {
    const std::string bytes = sample("12-raw-8bit-header.eml");
    EXPECT_EQ(
        envelope(bytes, ClientText::ascii),
        R"((NIL "=?utf-8?B?R3LDvMOfZQ==?=" (("=?utf-8?Q?J=C3=BCrgen?=" NIL "j??rgen" "xn--exmple-cua.org")) )"
        R"((("=?utf-8?Q?J=C3=BCrgen?=" NIL "j??rgen" "xn--exmple-cua.org")) )"
        R"((("=?utf-8?Q?J=C3=BCrgen?=" NIL "j??rgen" "xn--exmple-cua.org")) )"
        R"((("latin" NIL "l" "example.org")) NIL NIL NIL NIL))");
    const std::string utf8 = envelope(bytes, ClientText::utf8);
    EXPECT_NE(utf8.find("\"Gr\xC3\xBC\xC3\x9F"
                        "e\""),
              std::string::npos);
    EXPECT_NE(utf8.find("\"j\xC3\xBCrgen\" \"ex\xC3\xA4mple.org\""), std::string::npos);
}

TEST(Envelope, SaysWhetherOneTextServesBoth) {
    std::string out;
    const std::string plain = sample("01-rfc9051-terry-gray.eml");
    const std::string raw = sample("12-raw-8bit-header.eml");
    const std::string extended = sample("11-rfc2231.eml");
    EXPECT_TRUE(write_envelope(out, Message::parse(plain), ClientText::ascii));
    EXPECT_TRUE(write_bodystructure(out, Message::parse(plain), ClientText::utf8));
    EXPECT_FALSE(write_envelope(out, Message::parse(raw), ClientText::ascii));
    EXPECT_FALSE(write_bodystructure(out, Message::parse(raw), ClientText::utf8));
    EXPECT_FALSE(write_bodystructure(out, Message::parse(extended), ClientText::ascii));
}

TEST(Envelope, WhatCannotBeQuotedIsALiteral) {
    EXPECT_EQ(envelope(sample("17-nul-and-cr.eml")),
              "(NIL {18}\r\nnul? and \r bare cr NIL NIL NIL NIL NIL NIL NIL NIL)");
    EXPECT_EQ(envelope("Subject: a \"b\" \\c\r\n\r\n"),
              R"((NIL "a \"b\" \\c" NIL NIL NIL NIL NIL NIL NIL NIL))");
}

TEST(Body, HasNoExtensionData) {
    EXPECT_EQ(body(sample("01-rfc9051-terry-gray.eml")),
              R"(("text" "plain" ("charset" "US-ASCII") NIL NIL "7bit" 17 1))");
    EXPECT_EQ(
        body(sample("03-bare-lf.eml")),
        R"((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1)("text" "html" NIL NIL NIL "7bit" 10 0) "alternative"))");
}

TEST(Bodystructure, HasAllExtensionData) {
    EXPECT_EQ(
        structure(sample("03-bare-lf.eml")),
        R"((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1 NIL NIL NIL NIL))"
        R"(("text" "html" NIL NIL NIL "7bit" 10 0 NIL NIL NIL NIL) "alternative" ("boundary" "b") NIL NIL NIL))");
    const std::string tail =
        R"("<part@example.org>" "a description" "base64" 10 "Q2hlY2sgSW50ZWdyaXR5IQ==" ("attachment" )";
    EXPECT_EQ(
        structure(sample("11-rfc2231.eml")),
        R"(("application" "pdf" ("name" "a long name.pdf") )" + tail +
            R"(("filename*" "utf-8''gr%C3%BC%C3%9Fe%20file.pdf" "size" "12")) ("de" "en") "http://example.org/x.pdf"))");
    // RFC 9051, 7.5.2: decoded, and named "filename*".
    EXPECT_EQ(structure(sample("11-rfc2231.eml"), ClientText::utf8),
              R"(("application" "pdf" ("name" "a long name.pdf") )" + tail +
                  "(\"filename*\" \"gr\xC3\xBC\xC3\x9F"
                  "e file.pdf\" " +
                  R"("size" "12")) ("de" "en") "http://example.org/x.pdf"))");
}

TEST(Bodystructure, DescribesEncapsulatedMessages) {
    EXPECT_EQ(
        structure("Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\ny\r\n"),
        R"(("message" "rfc822" NIL NIL NIL "7bit" 21 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) )"
        R"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 2 NIL NIL NIL NIL) 4 NIL NIL NIL NIL))");
}

TEST(Bodystructure, EightBitParametersTakeTheFormOfRfc2231) {
    const std::string bytes = sample("12-raw-8bit-header.eml");
    EXPECT_NE(structure(bytes).find(R"("name*" "utf-8''%C3%A4.txt")"), std::string::npos);
    EXPECT_NE(structure(bytes, ClientText::utf8).find("\"name\" \"\xC3\xA4.txt\""), std::string::npos);
}

TEST(WriteString, QuotesUtf8AndMakesTheRestLiterals) {
    const auto written = [](std::string_view s) {
        std::string out;
        write_string(out, s);
        return out;
    };
    EXPECT_EQ(written(""), "\"\"");
    EXPECT_EQ(written("\xC3\xA4\"\\"), "\"\xC3\xA4\\\"\\\\\"");
    EXPECT_EQ(written("\xFF"), "{1}\r\n\xFF");
    EXPECT_EQ(written("a\nb"), "{3}\r\na\nb");
}

}  // namespace
}  // namespace mailstead::mime
