#include "common/mailauth/dkim_canonical.h"

#include <random>

#include "common/base/base64.h"
#include "tests/unit/mailauth/zone.h"

namespace mailstead::mailauth {
namespace {

std::string sha256(std::string_view text) {
    Sha256 sha;
    sha.update(text);
    return base64_encode(sha.finish());
}

std::string body_hash(Canonicalization form, std::string_view body,
                      std::optional<std::uint64_t> limit = std::nullopt) {
    BodyHasher hasher(form);
    const std::size_t number = hasher.want(limit);
    hasher.update(body);
    hasher.finish();
    return base64_encode(hasher.hash(number));
}

struct BodyCase {
    const char* name;
    const char* body;
    const char* simple;
    const char* relaxed;
};
const BodyCase kBodies[] = {
    {"empty", "", "\r\n", ""},
    {"one empty line", "\r\n", "\r\n", ""},
    {"RFC 6376, 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
    {"no line end", "abc", "abc\r\n", "abc\r\n"},
    {"blanks alone", "  \t \r\n\r\n", "  \t \r\n", ""},
    {"blanks at the end without line end", "a\r\n  ", "a\r\n  \r\n", "a\r\n"},
    {"empty lines within", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
    {"blank lines within", "a\r\n \r\n\t\r\nb\r\n", "a\r\n \r\n\t\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
    {"empty lines first", "\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n"},
    {"CR alone", "a\rb \r c\r\n", "a\rb \r c\r\n", "a\rb \r c\r\n"},
    {"CR at the end", "a\r", "a\r\r\n", "a\r\r\n"},
    {"blanks first", "\t a\r\n", "\t a\r\n", " a\r\n"},
};

TEST(DkimBody, HasItsCanonicalForms_Rfc6376_3_4) {
    for (const BodyCase& c : kBodies) {
        EXPECT_EQ(body_hash(Canonicalization::simple, c.body), sha256(c.simple)) << c.name;
        EXPECT_EQ(body_hash(Canonicalization::relaxed, c.body), sha256(c.relaxed)) << c.name;
    }
}

TEST(DkimBody, EmptyBodyHashesAreThoseOfRfc6376_3_4) {
    EXPECT_EQ(body_hash(Canonicalization::simple, ""), "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
    EXPECT_EQ(body_hash(Canonicalization::relaxed, ""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

// Wherever the stream is cut, the hash is the same.
TEST(DkimBody, CutsDoNotMatter) {
    std::mt19937 random(7);
    const std::string_view alphabet = "ab \t\r\n\r\n";
    for (int round = 0; round < 300; ++round) {
        std::string body;
        for (unsigned i = 0; i < random() % 60; ++i) body += alphabet[random() % alphabet.size()];
        for (const auto form : {Canonicalization::simple, Canonicalization::relaxed}) {
            BodyHasher cut(form);
            cut.want(std::nullopt);
            cut.want(7);
            for (std::size_t at = 0; at < body.size();) {
                const std::size_t size = 1 + random() % 4;
                cut.update(std::string_view(body).substr(at, size));
                at += size;
            }
            cut.finish();
            EXPECT_EQ(base64_encode(cut.hash(0)), body_hash(form, body)) << body;
            EXPECT_EQ(base64_encode(cut.hash(1)), body_hash(form, body, 7)) << body;
        }
    }
}

TEST(DkimBody, LargeRunsAndManyEmptyLines) {
    const std::string run(100'000, 'x');
    std::string ends;
    for (int i = 0; i < 50'000; ++i) ends += "\r\n";
    EXPECT_EQ(body_hash(Canonicalization::relaxed, "a" + run + "\r\n" + ends), sha256("a" + run + "\r\n"));
    EXPECT_EQ(body_hash(Canonicalization::simple, "a" + ends + run), sha256("a" + ends + run + "\r\n"));
}

TEST(DkimBody, HashesTheFirstOctetsForALength) {
    BodyHasher hasher(Canonicalization::simple);
    const auto four = hasher.want(4);
    const auto all = hasher.want(std::nullopt);
    EXPECT_EQ(hasher.want(4), four);
    const auto none = hasher.want(0);
    hasher.update("abcdef\r\n");
    hasher.finish();
    EXPECT_EQ(base64_encode(hasher.hash(four)), sha256("abcd"));
    EXPECT_EQ(base64_encode(hasher.hash(all)), sha256("abcdef\r\n"));
    EXPECT_EQ(base64_encode(hasher.hash(none)), sha256(""));
    EXPECT_EQ(hasher.size(), 8U);
}

std::string canonical(std::string_view field, Canonicalization form) {
    const FieldIndex index(field);
    std::string out;
    append_canonical(out, index.fields().at(0), form);
    return out;
}

TEST(DkimHeader, HasItsCanonicalForms_Rfc6376_3_4_5) {
    EXPECT_EQ(canonical("A: X\r\n", Canonicalization::relaxed), "a:X\r\n");
    EXPECT_EQ(canonical("B : Y\t\r\n\tZ  \r\n", Canonicalization::relaxed), "b:Y Z\r\n");
    EXPECT_EQ(canonical("B : Y\t\r\n\tZ  \r\n", Canonicalization::simple), "B : Y\t\r\n\tZ  \r\n");
    EXPECT_EQ(canonical("C:\r\n", Canonicalization::relaxed), "c:\r\n");
    EXPECT_EQ(canonical("C:  \r\n", Canonicalization::relaxed), "c:\r\n");
    EXPECT_EQ(canonical("D: x\n", Canonicalization::simple), "D: x\r\n");
}

TEST(DkimHeader, FieldsAreTakenFromTheLast_Rfc6376_5_4_2) {
    const FieldIndex index("A: 1\r\nB: x\r\nA: 2\r\nA: 3\r\n\r\n");
    std::string out;
    index.append_selected(out, {"a", "A", "nothing", "b", "a", "a"}, std::nullopt, Canonicalization::relaxed);
    EXPECT_EQ(out, "a:3\r\na:2\r\nb:x\r\na:1\r\n");
    out.clear();
    index.append_selected(out, {"a", "a", "a"}, 2, Canonicalization::relaxed);
    EXPECT_EQ(out, "a:3\r\na:1\r\n");
}

TEST(DkimHeader, SignatureValueIsLeftOut_Rfc6376_3_7) {
    EXPECT_EQ(without_signature_value(" v=1; b=abc\r\n def; bh=xyz"), " v=1; b=; bh=xyz");
    EXPECT_EQ(without_signature_value(" bh=b; b=abc"), " bh=b; b=");
    EXPECT_EQ(without_signature_value(" b = abc ;"), " b =;");
    EXPECT_EQ(without_signature_value(" v=1"), " v=1");
}

}  // namespace
}  // namespace mailstead::mailauth
