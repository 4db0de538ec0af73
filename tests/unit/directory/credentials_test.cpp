#include "common/directory/credentials.h"

#include <gtest/gtest.h>

#include "common/directory/credential_records.h"
#include "common/sasl/password_hash.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::directory {
namespace {

constexpr AccountId kAccount{3};

class CredentialsTest : public ::testing::Test {
protected:
    mailstead::testing::TemporaryFolder folder;
    std::unique_ptr<CredentialsEditor> editor = edit_credentials(folder.path()).value();

    AccountCredentials credentials() { return editor->find(kAccount).value().value(); }
};

TEST_F(CredentialsTest, APasswordIsKeptAsHashAndScramKeys) {
    EXPECT_FALSE(editor->find(kAccount).value());
    ASSERT_TRUE(editor->set_password(kAccount, Secret("pencil")));
    const AccountCredentials kept = credentials();
    EXPECT_TRUE(sasl::verify_password(kept.password_hash, "pencil"));
    ASSERT_TRUE(kept.scram);
    EXPECT_EQ(kept.scram->stored_key,
              sasl::derive_scram_keys("pencil", kept.scram_salt, kept.scram_iterations).stored_key);
    EXPECT_EQ(kept.scram_iterations, sasl::kScramIterations);
}

TEST_F(CredentialsTest, EachChangeIsANewGenerationAndTheSaltStays) {
    ASSERT_TRUE(editor->set_password(kAccount, Secret("pencil")));
    const AccountCredentials before = credentials();
    ASSERT_TRUE(editor->set_password(kAccount, Secret("pencil")));
    EXPECT_GT(credentials().generation, before.generation);
    EXPECT_EQ(credentials().scram_salt, before.scram_salt);
    EXPECT_NE(credentials().password_hash, before.password_hash);
}

TEST_F(CredentialsTest, RefusesPasswordsThatAreNone) {
    EXPECT_FALSE(editor->set_password(kAccount, Secret("")));
    EXPECT_TRUE(editor->set_password(kAccount, Secret(std::string(1000, 'a'))));
    EXPECT_FALSE(editor->set_password(kAccount, Secret(std::string(1001, 'a'))));
}

TEST_F(CredentialsTest, AppPasswordsHaveNamesAndGo) {
    const Secret phone = editor->add_app_password(kAccount, "phone").value();
    EXPECT_FALSE(phone.empty());
    EXPECT_FALSE(editor->add_app_password(kAccount, "phone"));
    EXPECT_FALSE(editor->add_app_password(kAccount, ""));
    EXPECT_FALSE(editor->add_app_password(kAccount, std::string(101, 'a')));
    ASSERT_EQ(credentials().app_passwords.size(), 1U);
    EXPECT_EQ(credentials().app_passwords[0].hash,
              sasl::hash_random_password(editor->installation_key(), phone.reveal()));
    EXPECT_TRUE(credentials().password_hash.empty());
    EXPECT_TRUE(editor->remove_app_password(kAccount, "phone").value());
    EXPECT_FALSE(editor->remove_app_password(kAccount, "phone").value());
    EXPECT_TRUE(credentials().app_passwords.empty());
    ASSERT_TRUE(editor->remove_account(kAccount));
    EXPECT_FALSE(editor->find(kAccount).value());
}

TEST_F(CredentialsTest, TheInstallationKeyStays) {
    const std::string key(editor->installation_key());
    EXPECT_EQ(key.size(), 32U);
    editor.reset();
    EXPECT_EQ(open_credentials(folder.path()).value()->installation_key(), key);
}

TEST_F(CredentialsTest, DkimKeysOfADomainComeOldestFirst) {
    const Domain domain = *Domain::parse("example.org");
    const Domain longer = *Domain::parse("example.org.example");
    const auto key = [](const Domain& d, const std::string& selector, DkimState state, int day) {
        return DkimKey{d,
                       selector,
                       DkimAlgorithm::rsa_sha256,
                       state,
                       Time(Milliseconds(day * 86'400'000)),
                       Secret("PEM " + selector)};
    };
    ASSERT_TRUE(editor->put_dkim_key(key(domain, "b", DkimState::retired, 1)));
    ASSERT_TRUE(editor->put_dkim_key(key(domain, "a", DkimState::pending, 2)));
    ASSERT_TRUE(editor->put_dkim_key(key(longer, "c", DkimState::signing, 1)));
    auto keys = editor->dkim_keys(domain).value();
    ASSERT_EQ(keys.size(), 2U);
    EXPECT_EQ(keys[0].selector, "b");
    EXPECT_EQ(keys[1].selector, "a");
    EXPECT_EQ(keys[1].private_pem.reveal(), "PEM a");
    ASSERT_TRUE(editor->put_dkim_key(key(domain, "a", DkimState::signing, 2)));
    EXPECT_EQ(editor->dkim_keys(domain).value()[1].state, DkimState::signing);
    ASSERT_TRUE(editor->remove_dkim_key(domain, "b"));
    EXPECT_EQ(editor->dkim_keys(domain).value().size(), 1U);
    ASSERT_TRUE(editor->remove_dkim_keys(domain));
    EXPECT_TRUE(editor->dkim_keys(domain).value().empty());
    EXPECT_EQ(editor->dkim_keys(longer).value().size(), 1U);
}

TEST(CredentialRecords, DamagedBytesAreErrors) {
    AccountCredentials credentials;
    credentials.password_hash = "hash";
    credentials.app_passwords.push_back({"phone", Time{}, "h", {"s", "k"}, std::nullopt});
    const std::string bytes = encode(credentials);
    ASSERT_TRUE(decode_credentials(bytes));
    for (std::size_t length = 0; length < bytes.size(); ++length)
        EXPECT_FALSE(decode_credentials(bytes.substr(0, length))) << length;
    EXPECT_FALSE(decode_credentials(bytes + "x"));
}

TEST(CredentialsMissing, AReaderNeedsThemSetUp) {
    mailstead::testing::TemporaryFolder folder;
    EXPECT_FALSE(open_credentials(folder.path()));
}

}  // namespace
}  // namespace mailstead::directory
