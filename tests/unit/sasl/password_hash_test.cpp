#include "common/sasl/password_hash.h"

#include <set>

#include <gtest/gtest.h>

namespace mailstead::sasl {
namespace {

TEST(PasswordHash, IsArgon2idWithASaltOfItsOwn) {
    const std::string hash = *hash_password(Secret("pencil"));
    EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << hash;
    EXPECT_NE(hash, *hash_password(Secret("pencil")));
    EXPECT_TRUE(verify_password(hash, "pencil"));
    EXPECT_FALSE(verify_password(hash, "Pencil"));
    EXPECT_FALSE(verify_password(hash, ""));
}

TEST(PasswordHash, MalformedHashesHoldForNobody) {
    for (const std::string& bad :
         {std::string(), std::string("pencil"), std::string("$argon2id$"), std::string(4096, 'a')}) {
        EXPECT_FALSE(verify_password(bad, "pencil"));
        EXPECT_FALSE(verify_password(bad, bad));
    }
}

TEST(PasswordHash, GeneratedPasswordsAreLongAndDiffer) {
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        const std::string password = generate_password();
        EXPECT_EQ(password.size(), 29U);
        EXPECT_EQ(password.find_first_of("lo01IO"), std::string::npos);
        seen.insert(password);
    }
    EXPECT_EQ(seen.size(), 100U);
}

TEST(PasswordHash, RandomPasswordsAreHashedUnderTheInstallationsKey) {
    const std::string key(32, 'k');
    EXPECT_EQ(hash_random_password(key, "a"), hash_random_password(key, "a"));
    EXPECT_NE(hash_random_password(key, "a"), hash_random_password(std::string(32, 'l'), "a"));
    EXPECT_NE(hash_random_password(key, "a"), hash_random_password(key, "b"));
}

}  // namespace
}  // namespace mailstead::sasl
