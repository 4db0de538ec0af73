#include "common/mime/text_search.h"

#include <gtest/gtest.h>

#include "common/base/text.h"
#include "tests/unit/mime/random_mail.h"

namespace mailstead::mime {
namespace {

bool finds(std::string_view message, std::string_view pattern, TextScope scope = TextScope::whole) {
    return text_contains(message, Message::parse(message).tree(), scope,
                         TextPattern(fold_for_search(pattern)));
}

TEST(TextSearch, FindsWhatMessageContainsFinds) {
    RandomMail mail(1);
    std::size_t hits = 0;
    for (int n = 0; n < 400; ++n) {
        const std::string bytes = mail.message();
        const std::string other = mail.message();
        const Message message = Message::parse(bytes);
        for (int k = 0; k < 12; ++k) {
            const std::string pattern = fold_for_search(mail.pattern(k % 2 == 0 ? bytes : other));
            for (const TextScope scope : {TextScope::body, TextScope::whole}) {
                const bool expected = message_contains(message, scope, pattern);
                hits += expected ? 1 : 0;
                ASSERT_EQ(text_contains(bytes, message.tree(), scope, TextPattern(pattern)), expected)
                    << pattern << "\n in \n"
                    << bytes;
            }
        }
    }
    EXPECT_GT(hits, 2'000u);
}

TEST(TextSearch, SeesHeaderFieldsAsLinesOfTheirOwn) {
    const std::string message =
        "Subject : one\r\n two\r\nX-Other: three\r\nContent-Type: text/plain\r\n\r\nbody\r\n";
    EXPECT_TRUE(finds(message, "one two"));
    EXPECT_TRUE(finds(message, "subject: one"));
    EXPECT_FALSE(finds(message, "subject : one")) << "as it is shown, not as it is written";
    EXPECT_TRUE(finds(message, "two\r\nx-other"));
    EXPECT_FALSE(finds(message, "two x-other"));
    EXPECT_FALSE(finds(message, "one", TextScope::body));
    EXPECT_TRUE(finds(message, "BODY", TextScope::body));
}

TEST(TextSearch, LeavesAttachmentsAlone) {
    const std::string message =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: "
        "image/png\r\n\r\n"
        "needle\r\n--b--\r\n";
    EXPECT_FALSE(finds(message, "needle"));
    EXPECT_TRUE(finds(message, "image/png"));
    EXPECT_FALSE(finds(message, "image/png", TextScope::body));
}

// A second byte of these can be an ASCII letter that nobody wrote.
TEST(TextSearch, DoesNotTakeHalfACharacterForALetter) {
    const std::string message = "Content-Type: text/plain; charset=shift_jis\r\n\r\n\x83\x5C\x83\x61\r\n";
    EXPECT_FALSE(finds(message, "\\", TextScope::body));
    EXPECT_FALSE(finds(message, "a", TextScope::body));
    const std::string escapes = "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1B$BElEl\x1B(B\r\n";
    EXPECT_FALSE(finds(escapes, "elel", TextScope::body));
}

TEST(TextSearch, GivesTheSameAnswerBeyondTheBoundsOfDecodedText) {
    std::string message = "Content-Type: text/plain\r\n\r\n" + std::string(9 * 1024 * 1024, 'x');
    message += "needle";
    EXPECT_FALSE(message_contains(Message::parse(message), TextScope::body, "NEEDLE"));
    EXPECT_FALSE(finds(message, "needle"));
}

// Sixteen places at a time: every offset, every length around a block.
TEST(TextSearch, AsciiSearchFindsEveryPlace) {
    for (std::size_t before = 0; before < 40; ++before) {
        for (const std::string_view needle : {"N", "Ne", "nEEdle", "needle with @ and [ in it"}) {
            for (std::size_t after : {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{33}}) {
                const std::string hay =
                    std::string(before, 'n') + text::upper(needle) + std::string(after, '`');
                const std::size_t expected = text::upper(hay).find(text::upper(needle));
                EXPECT_EQ(text::ifind(hay, needle), expected) << hay;
            }
        }
        EXPECT_EQ(text::ifind(std::string(before, '@'), "`"), std::string::npos) << "@ is no capital `";
    }
}

}  // namespace
}  // namespace mailstead::mime
