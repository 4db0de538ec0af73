#include "common/base/text.h"

#include <gtest/gtest.h>

#include "common/mime/charset.h"
#include "common/mime/encoded_word.h"
#include "common/mime/message_text.h"
#include "common/mime/transfer_encoding.h"
#include "tests/unit/mime/samples.h"

namespace mailstead::mime {
namespace {

TEST(Charset, ConvertsToUtf8) {
    struct Case {
        std::string_view charset, bytes, utf8;
    };
    for (const Case& c : {
             Case{"us-ascii", "abc", "abc"},
             {"us-ascii", "\xC3\xA4", "\xC3\xA4"},
             {"us-ascii", "\xE4", "\xC3\xA4"},
             {"UTF-8", "\xC3\xA4\xFFx", "\xC3\xA4\xEF\xBF\xBDx"},
             {"iso-8859-1", "\xE4\x80", "\xC3\xA4\xE2\x82\xAC"},
             {"iso-8859-15", "\xA4", "\xE2\x82\xAC"},
             {"koi8-r", "\xF0\xD2", "\xD0\x9F\xD1\x80"},
             {"iso-2022-jp", "\x1B$B$\"\x1B(B", "\xE3\x81\x82"},
             {"shift_jis", "\x82\xA0", "\xE3\x81\x82"},
             {"gb2312", "\xC4\xE3", "\xE4\xBD\xA0"},
             {"utf-16", std::string_view("\0a\0b", 4), "ab"},
             {"utf-16",
              std::string_view("\xFF\xFE"
                               "a\0",
                               4),
              "a"},
             {"no-such-charset", "\xE4", "\xC3\xA4"},
             {"utf-8//TRANSLIT", "\xE4", "\xC3\xA4"},
             {"euc-jp",
              "a\xFF"
              "b",
              "a\xEF\xBF\xBD"
              "b"},
             {"euc-jp", "a\xA4", "a\xEF\xBF\xBD"},
         }) {
        EXPECT_EQ(to_utf8(c.bytes, c.charset), c.utf8) << c.charset;
    }
}

TEST(Charset, CutsAtACharacter) {
    EXPECT_EQ(to_utf8("\xC3\xA4\xC3\xA4", "utf-8", 3), "\xC3\xA4");
    EXPECT_EQ(to_utf8("\xE4\xE4", "iso-8859-1", 3), "\xC3\xA4");
    EXPECT_LE(to_utf8(std::string(100000, '\xE4'), "iso-8859-2", 1001).size(), 1000U);
}

TEST(Charset, KnowsWhichItKnows) {
    for (const char* known : {"UTF-8", "us-ascii", "ISO-8859-2", "windows-1251", "big5"})
        EXPECT_TRUE(is_known_charset(known)) << known;
    for (const char* unknown : {"", "nonsense", "utf-8//IGNORE", "../../x"})
        EXPECT_FALSE(is_known_charset(unknown)) << unknown;
}

TEST(FoldForSearch, MakesOneOfWhatIsAlike_Rfc5051) {
    const auto same = [](std::string_view a, std::string_view b) {
        return fold_for_search(a) == fold_for_search(b);
    };
    EXPECT_TRUE(same("Hello", "hELLO"));
    EXPECT_TRUE(same("\xC3\x84", "\xC3\xA4"));   // Ä ä
    EXPECT_TRUE(same("\xC3\xA9", "e\xCC\x81"));  // é, e and accent
    EXPECT_TRUE(same("\xD0\x9F", "\xD0\xBF"));   // Cyrillic
    EXPECT_TRUE(same("\xCF\x83", "\xCE\xA3"));   // sigma
    EXPECT_TRUE(same("\xEF\xBD\x81", "A"));      // full width
    EXPECT_TRUE(same("\xEF\xAC\x81", "FI"));     // ligature
    EXPECT_FALSE(same("e", "\xC3\xA9"));
    EXPECT_FALSE(same("a", "b"));
    EXPECT_EQ(fold_for_search("\xE4\xBD\xA0\xE5\xA5\xBD"), "\xE4\xBD\xA0\xE5\xA5\xBD");
    EXPECT_EQ(fold_for_search("a\xFF"), "A\xEF\xBF\xBD");
}

TEST(EncodedWord, Decodes) {
    struct Case {
        std::string_view text, utf8;
    };
    for (const Case& c : {
             Case{"plain", "plain"},
             {"=?ISO-8859-1?Q?a?=", "a"},
             {"=?ISO-8859-1?Q?a?= b", "a b"},
             {"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"},
             {"=?ISO-8859-1?Q?a?=  \r\n  =?ISO-8859-1?Q?b?=", "ab"},
             {"=?ISO-8859-1?Q?a_b?=", "a b"},
             {"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"},
             {"(=?ISO-8859-1?q?=E4?=)", "(\xC3\xA4)"},
             {"=?utf-8?B?w6Q=?=", "\xC3\xA4"},
             {"=?utf-8*de?b?w6Q?=", "\xC3\xA4"},
             {"=?utf-8?B?ww==?= =?utf-8?B?pA==?=", "\xC3\xA4"},  // a character cut in two
             {"=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "\xC3\xA4"},
             {"=?utf-8?Q?a b?=", "a b"},
             {"=?utf-8?Q?=41=zz?=", "A=zz"},
             {"=?x-unknown?Q?=E4?=", "\xC3\xA4"},
             {"=?utf-8?X?a?=", "=?utf-8?X?a?="},
             {"=?utf-8?Q?never closed", "=?utf-8?Q?never closed"},
             {"=? =?utf-8?Q?a?=", "=? a"},
             {"=??Q?a?=", "=??Q?a?="},
             {"raw \xE4 =?utf-8?Q?a?= b", "raw \xC3\xA4 a b"},
             {"folded\r\n text", "folded text"},
             {"=?utf-8?Q?trailing__?=", "trailing  "},
         }) {
        EXPECT_EQ(decode_encoded_words(c.text), c.utf8) << c.text;
    }
}

TEST(EncodedWord, EncodesAndDecodesBack) {
    EXPECT_EQ(encode_words("plain text", WordPlace::text), "plain text");
    EXPECT_EQ(encode_words("K\xC3\xB6ln, where the river is", WordPlace::phrase),
              "=?utf-8?Q?K=C3=B6ln=2C_where_the_river_is?=");
    EXPECT_EQ(encode_words("K\xC3\xB6ln, where the river is", WordPlace::text),
              "=?utf-8?Q?K=C3=B6ln,_where_the_river_is?=");
    EXPECT_EQ(encode_words("\xC3\xA4\xC3\xB6", WordPlace::text), "=?utf-8?B?w6TDtg==?=");
    std::string text = "looks like =?a?q?b?= ";
    for (int i = 0; i < 100; ++i) text += i % 3 == 0 ? "\xE4\xBD\xA0" : "x \xC3\xA4";
    for (const WordPlace place : {WordPlace::text, WordPlace::phrase}) {
        const std::string encoded = encode_words(text, place);
        EXPECT_EQ(decode_encoded_words(encoded), text);
        for (std::size_t at = 0; at < encoded.size();) {
            const std::size_t end = std::min(encoded.find(' ', at), encoded.size());
            EXPECT_LE(end - at, 75U);
            at = end + 1;
        }
    }
}

TEST(TransferEncoding, Names) {
    EXPECT_EQ(parse_transfer_encoding(" BASE64 "), TransferEncoding::base64);
    EXPECT_EQ(parse_transfer_encoding("(c) quoted-printable (d)"), TransferEncoding::quoted_printable);
    EXPECT_EQ(parse_transfer_encoding(""), TransferEncoding::seven_bit);
    EXPECT_EQ(parse_transfer_encoding("x-uuencode"), TransferEncoding::unknown);
}

std::string decoded_in_pieces(std::string_view body, TransferEncoding encoding, std::size_t size) {
    std::string out;
    TransferDecoder decoder(encoding);
    for (std::size_t i = 0; i < body.size(); i += size) decoder.decode(body.substr(i, size), out);
    decoder.finish(out);
    return out;
}

TEST(TransferEncoding, DecodesWhereverItIsCut) {
    struct Case {
        TransferEncoding encoding;
        std::string_view body, expected;
    };
    for (const Case& c : {
             Case{TransferEncoding::base64, "SGVs\r\nbG8g\r\nd29ybGQ=\r\n", "Hello world"},
             {TransferEncoding::base64, "SGVsbG8", "Hello"},
             {TransferEncoding::base64, "SGVs!!bG8=SGVsbG8=", "HelloHello"},
             {TransferEncoding::base64, "====", ""},
             {TransferEncoding::quoted_printable, "a=3Db=\r\nc  \r\nd=E4\r\n", "a=bc\r\nd\xE4\r\n"},
             {TransferEncoding::quoted_printable, "a=3db=  \nc\t\nd", "a=bc\nd"},
             {TransferEncoding::quoted_printable, "a=zz = =4", "a=zz = =4"},
             {TransferEncoding::quoted_printable, "end=", "end"},
             {TransferEncoding::quoted_printable, "a b \t", "a b"},
             {TransferEncoding::eight_bit, "a=3D \r\n", "a=3D \r\n"},
         }) {
        EXPECT_EQ(decode_transfer(c.body, c.encoding), c.expected) << c.body;
        for (std::size_t size = 1; size < 6; ++size)
            EXPECT_EQ(decoded_in_pieces(c.body, c.encoding, size), c.expected) << c.body;
    }
}

TEST(TransferEncoding, EncodersGoBack) {
    std::string bytes;
    for (int i = 0; i < 2000; ++i) bytes += static_cast<char>(i * 7);
    EXPECT_EQ(decode_transfer(encode_base64(bytes), TransferEncoding::base64), bytes);
    const std::string text =
        "a line = with \xC3\xA4 and a blank at its end \r\n" + std::string(200, 'x') + "\r\n\t\r\nno end";
    const std::string encoded = encode_quoted_printable(text);
    EXPECT_EQ(decode_transfer(encoded, TransferEncoding::quoted_printable), text);
    for (const std::string& e : {encoded, encode_base64(bytes)}) {
        for (std::size_t at = 0; at < e.size();) {
            const std::size_t end = std::min(e.find("\r\n", at), e.size());
            EXPECT_LE(end - at, 76U);
            at = end + 2;
        }
    }
}

TEST(TransferEncoding, MakesLineEndsCrlf) {
    EXPECT_EQ(to_crlf("a\nb\r\nc\rd"), "a\r\nb\r\nc\r\nd");
    EXPECT_EQ(to_crlf(""), "");
}

std::vector<std::string> pieces(const std::string& bytes, TextScope scope) {
    std::vector<std::string> out;
    text_of_message(Message::parse(bytes), scope, [&](std::string_view piece) {
        out.emplace_back(piece);
        return true;
    });
    return out;
}

TEST(TextOfMessage, DecodesTextAndHeaders) {
    const std::string bytes = sample("18-quoted-printable-latin.eml");
    const std::string body =
        "Gr\xC3\xBC\xC3\x9F"
        "e aus K\xC3\xB6ln\r\nund mehr\r\n";
    EXPECT_EQ(pieces(bytes, TextScope::body), (std::vector<std::string>{body}));
    const auto whole = pieces(bytes, TextScope::whole);
    ASSERT_EQ(whole.size(), 2U);
    EXPECT_TRUE(
        whole[0].starts_with("Subject: Gr\xC3\xBC\xC3\x9F"
                             "e \xC3\xA4 end\r\n"))
        << whole[0];
}

TEST(TextOfMessage, BodyHoldsEncapsulatedHeaders) {
    const Message m = Message::parse(
        "Subject: outer\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ntext\r\n");
    EXPECT_TRUE(message_contains(m, TextScope::body, fold_for_search("INNER")));
    EXPECT_FALSE(message_contains(m, TextScope::body, fold_for_search("outer")));
    EXPECT_TRUE(message_contains(m, TextScope::whole, fold_for_search("outer")));
    EXPECT_FALSE(message_contains(m, TextScope::whole, fold_for_search("nowhere")));
    EXPECT_TRUE(message_contains(m, TextScope::body, ""));
}

TEST(TextOfMessage, KeepsToItsBounds) {
    const std::string bytes =
        "Content-Type: multipart/mixed; "
        "boundary=x\r\n\r\n--x\r\n\r\n0123456789\r\n--x\r\n\r\n0123456789\r\n--x--\r\n";
    std::size_t total = 0;
    const auto count = [&](std::string_view piece) {
        total += piece.size();
        return true;
    };
    text_of_message(Message::parse(bytes), TextScope::body, count, {4, 100});
    EXPECT_EQ(total, 8U);
    total = 0;
    text_of_message(Message::parse(bytes), TextScope::body, count, {8, 12});
    EXPECT_EQ(total, 12U);
}

TEST(Preview, TakesTheFirstWords_Rfc8970) {
    const auto preview_of = [](const std::string& bytes, std::size_t n) {
        return preview(Message::parse(bytes), n);
    };
    EXPECT_EQ(preview_of("A: b\r\n\r\n  Hello\r\n\r\n  big \t world\r\n", 200), "Hello big world");
    EXPECT_EQ(preview_of("A: b\r\n\r\nHello world", 7), "Hello w");
    EXPECT_EQ(preview_of("A: b\r\n\r\n" + std::string(1000, 'x'), 1000), std::string(256, 'x'));
    EXPECT_EQ(preview_of("Content-Type: text/plain; charset=utf-8\r\n\r\n\xC3\xA4\xC3\xA4\xC3\xA4", 2),
              "\xC3\xA4\xC3\xA4");
    EXPECT_EQ(preview_of(sample("18-quoted-printable-latin.eml"), 200),
              "Gr\xC3\xBC\xC3\x9F"
              "e aus K\xC3\xB6ln und mehr");
    EXPECT_EQ(preview_of(sample("19-html-only.eml"), 200), "Hello world & all Second!");
    EXPECT_EQ(preview_of("Content-Type: image/png\r\n\r\nxx", 200), "");
    EXPECT_EQ(preview_of("", 200), "");
}

}  // namespace
}  // namespace mailstead::mime
