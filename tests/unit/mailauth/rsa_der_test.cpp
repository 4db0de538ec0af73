#include "common/mailauth/rsa_der.h"

#include <gtest/gtest.h>

#include "common/base/text.h"
#include "common/mailauth/dkim_key.h"

namespace mailstead::mailauth {
namespace {

std::string bytes(std::string_view digits) {
    return *text::unhex(digits);
}

const std::string kBare = bytes("300a020400c0ffee0202010f");

TEST(RsaDer, ReadsABareKey) {
    const auto numbers = read_rsa_public_key(kBare);
    ASSERT_TRUE(numbers);
    EXPECT_EQ(text::hex(numbers->modulus), "c0ffee");
    EXPECT_EQ(text::hex(numbers->exponent), "010f");
}

TEST(RsaDer, ReadsSubjectPublicKeyInfo) {
    const auto key = DkimKey::generate(DkimAlgorithm::rsa_sha256);
    ASSERT_TRUE(key);
    const auto record = parse_dkim_key_record(key->public_record());
    const auto numbers = read_rsa_public_key(record->public_key);
    ASSERT_TRUE(numbers);
    EXPECT_EQ(numbers->modulus.size(), 256U);
    EXPECT_EQ(text::hex(numbers->exponent), "010001");
}

TEST(RsaDer, RefusesEveryTruncation) {
    const auto key = DkimKey::generate(DkimAlgorithm::rsa_sha256);
    ASSERT_TRUE(key);
    const std::string whole = parse_dkim_key_record(key->public_record())->public_key;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(read_rsa_public_key(std::string_view(whole).substr(0, size))) << size;
    }
    EXPECT_TRUE(read_rsa_public_key(whole + "more"));
}

TEST(RsaDer, RefusesWhatIsNoRsaKey) {
    EXPECT_FALSE(read_rsa_public_key(""));
    EXPECT_FALSE(read_rsa_public_key(bytes("3000")));
    EXPECT_FALSE(read_rsa_public_key(bytes("3003020101")));        // one number
    EXPECT_FALSE(read_rsa_public_key(bytes("30060201810201ff")));  // negative numbers
    EXPECT_FALSE(read_rsa_public_key(bytes("3080020101020101")));  // without length
    EXPECT_FALSE(read_rsa_public_key(bytes("3083000006020101020101")));
    // id-Ed25519 (RFC 8410, 3)
    EXPECT_FALSE(read_rsa_public_key(
        bytes("302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")));
}

TEST(RsaDer, UnreasonableKeysAreNotUsed) {
    DkimKeyRecord record;
    const std::string digest(32, 'x');
    // 8200 bits.
    record.public_key = bytes("308204080282040101") + std::string(1024, '\xff') + bytes("020103");
    EXPECT_EQ(verify_digest(record, DkimAlgorithm::rsa_sha256, 1024, digest, "x").check,
              KeyCheck::unusable_key);
    // An even modulus of good length must not hurt.
    record.public_key =
        bytes("30818702818100") + std::string(127, '\xfe') + std::string(1, '\x02') + bytes("020103");
    EXPECT_NE(verify_digest(record, DkimAlgorithm::rsa_sha256, 1024, digest, std::string(128, 'x')).check,
              KeyCheck::good);
    // A modulus of zero.
    record.public_key = bytes("3006020100020103");
    EXPECT_EQ(verify_digest(record, DkimAlgorithm::rsa_sha256, 1024, digest, "x").check,
              KeyCheck::unusable_key);
}

}  // namespace
}  // namespace mailstead::mailauth
