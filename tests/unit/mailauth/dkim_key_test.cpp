#include "common/mailauth/dkim_key.h"

#include "tests/unit/mailauth/zone.h"

namespace mailstead::mailauth {
namespace {

const std::string kDigest(32, '\x5a');

DkimKeyRecord record_of(const DkimKey& key) {
    auto record = parse_dkim_key_record(key.public_record());
    EXPECT_TRUE(record);
    return std::move(*record);
}

TEST(DkimKey, RoundTripsThroughPemAndDns) {
    for (const auto algorithm : {DkimAlgorithm::rsa_sha256, DkimAlgorithm::ed25519_sha256}) {
        const auto made = DkimKey::generate(algorithm);
        ASSERT_TRUE(made);
        const Secret pem = made->to_pem();
        EXPECT_TRUE(pem.reveal().starts_with("-----BEGIN PRIVATE KEY-----"));
        const auto read = DkimKey::from_pem(pem);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->algorithm(), algorithm);
        EXPECT_EQ(read->public_record(), made->public_record());
        const auto signature = read->sign_digest(kDigest);
        ASSERT_TRUE(signature);
        const auto record = record_of(*made);
        EXPECT_EQ(verify_digest(record, algorithm, 1024, kDigest, *signature).check, KeyCheck::good);
        EXPECT_EQ(verify_digest(record, algorithm, 1024, std::string(32, 'x'), *signature).check,
                  KeyCheck::bad_signature);
        EXPECT_EQ(verify_digest(record, algorithm, 1024, kDigest, "short").check, KeyCheck::bad_signature);
    }
}

TEST(DkimKey, NewRsaKeysHave2048Bits) {
    const auto key = DkimKey::generate(DkimAlgorithm::rsa_sha256);
    ASSERT_TRUE(key);
    EXPECT_EQ(key->bits(), 2048U);
    EXPECT_TRUE(key->public_record().starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"));
}

TEST(DkimKey, RefusesWhatIsNoKey) {
    EXPECT_FALSE(DkimKey::from_pem(Secret("")));
    EXPECT_FALSE(DkimKey::from_pem(Secret("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")));
}

TEST(DkimKey, RecordMustFitTheAlgorithm) {
    const auto key = DkimKey::generate(DkimAlgorithm::ed25519_sha256);
    ASSERT_TRUE(key);
    const auto verdict = verify_digest(record_of(*key), DkimAlgorithm::rsa_sha256, 1024, kDigest, "x");
    EXPECT_EQ(verdict.check, KeyCheck::unusable_key);
    DkimKeyRecord garbage;
    garbage.public_key = "not DER at all";
    EXPECT_EQ(verify_digest(garbage, DkimAlgorithm::rsa_sha256, 1024, kDigest, "x").check,
              KeyCheck::unusable_key);
    garbage.key_type = "ed25519";
    EXPECT_EQ(verify_digest(garbage, DkimAlgorithm::ed25519_sha256, 1024, kDigest, "x").check,
              KeyCheck::unusable_key);
}

TEST(DkimKeyRecord, ReadsItsTags) {
    const auto record = parse_dkim_key_record(
        "v=DKIM1; h=sha1 : sha256; k=rsa; n=note; s=email:other; t=y:s:later; x=1; p=YW Jj");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->hash_algorithms, (std::vector<std::string>{"sha1", "sha256"}));
    EXPECT_EQ(record->services, (std::vector<std::string>{"email", "other"}));
    EXPECT_EQ(record->public_key, "abc");
    EXPECT_TRUE(record->testing);
    EXPECT_TRUE(record->same_domain);
    const auto bare = parse_dkim_key_record("p=");
    ASSERT_TRUE(bare);
    EXPECT_TRUE(bare->public_key.empty());
    EXPECT_EQ(bare->key_type, "rsa");
}

TEST(DkimKeyRecord, RefusesWhatItMust) {
    EXPECT_FALSE(parse_dkim_key_record("v=DKIM2; p=YWJj"));
    EXPECT_FALSE(parse_dkim_key_record("k=rsa; v=DKIM1; p=YWJj"));  // RFC 6376, 3.6.1: v= comes first
    EXPECT_FALSE(parse_dkim_key_record("v=DKIM1; k=rsa"));
    EXPECT_FALSE(parse_dkim_key_record("v=DKIM1; p=YWJj; p=YWJj"));
    EXPECT_FALSE(parse_dkim_key_record("v=DKIM1; p=?"));
    EXPECT_FALSE(parse_dkim_key_record("some text"));
    EXPECT_FALSE(parse_dkim_key_record(""));
}

}  // namespace
}  // namespace mailstead::mailauth
