#include <algorithm>

#include "tests/unit/mailauth/dkim_fixture.h"

namespace mailstead::mailauth {
namespace {

TEST(DkimSign, VerifiesInEveryForm) {
    const auto resolver = key_zone();
    for (const auto header : {Canonicalization::simple, Canonicalization::relaxed}) {
        for (const auto body : {Canonicalization::simple, Canonicalization::relaxed}) {
            DkimSignOptions options;
            options.header = header;
            options.body = body;
            const std::string fields =
                sign(options, {DkimAlgorithm::rsa_sha256, DkimAlgorithm::ed25519_sha256});
            const auto results = verify(fields + kHeader, kBody, resolver);
            ASSERT_EQ(results.size(), 2U);
            for (const DkimResult& result : results)
                EXPECT_EQ(result.verdict, DkimVerdict::pass) << result.reason << fields;
            EXPECT_EQ(results[0].key_bits, 2048U);
            EXPECT_EQ(results[0].algorithm, "rsa-sha256");
            EXPECT_EQ(results[1].algorithm, "ed25519-sha256");
            EXPECT_EQ(results[1].selector, "ed");
            EXPECT_EQ(results[1].domain, "example.org");
            EXPECT_EQ(results[1].signature_start.size(), 8U);
        }
    }
}

TEST(DkimSign, RelaxedSurvivesFoldingAndBlanks) {
    const std::string fields = sign({}, {DkimAlgorithm::rsa_sha256});
    std::string header = kHeader;
    const std::size_t subject = header.find("Subject:  Two   blanks \r\n");
    header.replace(subject, 25, "SUBJECT: Two\r\n blanks\r\n");
    const std::string body = "Hello, world\r\n\r\n indented\r\n\r\n";
    EXPECT_EQ(verify(fields + header, body, key_zone()).at(0).verdict, DkimVerdict::pass);
    DkimSignOptions simple;
    simple.header = simple.body = Canonicalization::simple;
    const std::string strict = sign(simple, {DkimAlgorithm::rsa_sha256});
    EXPECT_EQ(verify(strict + header, kBody, key_zone()).at(0).verdict, DkimVerdict::fail);
    EXPECT_EQ(verify(strict + kHeader, body, key_zone()).at(0).verdict, DkimVerdict::fail);
}

TEST(DkimSign, LinesAreShort_Rfc5322_2_1_1) {
    DkimSignOptions options;
    options.domain = "a-rather-long-name-of-a-domain.with-several-labels.example.org";
    options.lifetime = Seconds{86400};
    std::string fields = sign(options, {DkimAlgorithm::rsa_sha256, DkimAlgorithm::ed25519_sha256});
    EXPECT_TRUE(fields.ends_with("\r\n"));
    EXPECT_NE(fields.find(" x=1795086400;"), std::string::npos);
    while (!fields.empty()) {
        const std::size_t end = fields.find("\r\n");
        EXPECT_LE(end, 78U) << fields.substr(0, end);
        EXPECT_GT(end, 0U);
        fields.erase(0, end + 2);
    }
}

TEST(DkimSign, FieldsThatReadersSeeCannotBeAdded) {
    const std::string fields = sign({}, {DkimAlgorithm::rsa_sha256});
    for (const char* added : {"From: Eve <eve@evil.example>\r\n", "Subject: Other\r\n", "To: x@y.example\r\n",
                              "Cc: x@y.example\r\n", "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n",
                              "Reply-To: eve@evil.example\r\n", "Content-Type: text/html\r\n",
                              "Content-Transfer-Encoding: base64\r\n"}) {
        EXPECT_EQ(verify(fields + added + kHeader, kBody, key_zone()).at(0).verdict, DkimVerdict::fail)
            << added;
        EXPECT_EQ(verify(fields + kHeader + added, kBody, key_zone()).at(0).verdict, DkimVerdict::fail)
            << added;
    }
    EXPECT_EQ(verify(fields + "Received: by other.example\r\n" + kHeader, kBody, key_zone()).at(0).verdict,
              DkimVerdict::pass);
}

TEST(DkimSign, OneClickUnsubscribeIsSigned_Rfc8058_4) {
    const std::string header =
        kHeader +
        "List-Unsubscribe: <https://example.org/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n";
    const std::string fields = sign({}, {DkimAlgorithm::rsa_sha256}, header);
    EXPECT_EQ(verify(fields + header, kBody, key_zone()).at(0).verdict, DkimVerdict::pass);
    EXPECT_EQ(verify(fields + kHeader, kBody, key_zone()).at(0).verdict, DkimVerdict::fail);
}

TEST(DkimSign, SeveralInstancesOfAField) {
    const std::string header = "List-Post: a\r\nList-Post: b\r\n" + kHeader + "List-Post: c\r\n";
    const std::string fields = sign({}, {DkimAlgorithm::ed25519_sha256}, header);
    EXPECT_EQ(verify(fields + header, kBody, key_zone()).at(0).verdict, DkimVerdict::pass);
    const std::string swapped = "List-Post: b\r\nList-Post: a\r\n" + kHeader + "List-Post: c\r\n";
    EXPECT_EQ(verify(fields + swapped, kBody, key_zone()).at(0).verdict, DkimVerdict::fail);
}

TEST(DkimSign, EmptyBodyAndEmptyLineInTheHeaderBlock) {
    const std::string fields = sign({}, {DkimAlgorithm::rsa_sha256}, kHeader + "\r\n", "");
    EXPECT_EQ(verify(fields + kHeader + "\r\n", "", key_zone()).at(0).verdict, DkimVerdict::pass);
}

TEST(DkimSign, RefusesAMessageWithoutAuthor) {
    DkimSignOptions options;
    options.domain = "example.org";
    DkimSigner signer(options, {{"ed", shared_key(DkimAlgorithm::ed25519_sha256)}}, at(kNow));
    signer.headers("Subject: x\r\n");
    EXPECT_FALSE(signer.finish());
}

TEST(DkimSign, CutsOfTheBodyDoNotMatter) {
    DkimSignOptions options;
    options.domain = "example.org";
    DkimSigner signer(options, {{"ed", shared_key(DkimAlgorithm::ed25519_sha256)}}, at(kNow));
    signer.headers(kHeader);
    for (const char c : kBody) signer.body(std::string_view(&c, 1));
    EXPECT_EQ(*signer.finish(), sign({}, {DkimAlgorithm::ed25519_sha256}));
}

}  // namespace
}  // namespace mailstead::mailauth
