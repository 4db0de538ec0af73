#include "common/directory/authenticator.h"

#include <gtest/gtest.h>

#include "common/directory/editor.h"
#include "common/sasl/client.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::directory {
namespace {

class AuthenticatorTest : public ::testing::Test {
protected:
    AuthenticatorTest() {
        EXPECT_TRUE(directory->add_domain(*Domain::parse("example.org"), {}));
        account = directory->add_account({*Address::parse("you@example.org"), "", {}, {}}).value();
        EXPECT_TRUE(credentials->set_password(account, Secret("pencil")));
    }

    // "success", or why not
    std::string log_in(const std::string& mechanism, const std::string& login, std::string_view password) {
        const auto server = sasl::start_exchange(mechanism, authenticator, {});
        const auto client = sasl::start_client(mechanism, login, Secret(password), {});
        const auto first = client->initial_response();
        sasl::Outcome outcome = sasl::Challenge{server->first_challenge()};
        if (first) outcome = server->step(*first);
        while (auto* challenge = std::get_if<sasl::Challenge>(&outcome)) {
            const auto answer = client->respond(challenge->bytes);
            if (!answer) return "client gave up";
            outcome = server->step(*answer);
        }
        if (const auto* failure = std::get_if<sasl::Failure>(&outcome))
            return std::string(to_string(failure->reason));
        EXPECT_EQ(std::get<sasl::Success>(outcome).account, account);
        return "success";
    }

    mailstead::testing::TemporaryFolder folder;
    std::unique_ptr<Editor> directory = edit_directory(folder.path()).value();
    std::unique_ptr<CredentialsEditor> credentials = edit_credentials(folder.path()).value();
    Authenticator authenticator{*directory, *credentials};
    AccountId account;
};

TEST_F(AuthenticatorTest, EveryMechanismTakesThePasswordAndNoOther) {
    for (const std::string mechanism : {"PLAIN", "LOGIN", "SCRAM-SHA-256"}) {
        EXPECT_EQ(log_in(mechanism, "you@example.org", "pencil"), "success") << mechanism;
        EXPECT_EQ(log_in(mechanism, "YOU", "pencil"), "success") << mechanism;
        EXPECT_EQ(log_in(mechanism, "you@example.org", "pencils"), "wrong_credentials") << mechanism;
        EXPECT_EQ(log_in(mechanism, "nobody@example.org", "pencil"), "wrong_credentials") << mechanism;
    }
}

TEST_F(AuthenticatorTest, UseOfAnAppPasswordIsNotedOnceAnHour) {
    const Secret phone = credentials->add_app_password(account, "phone").value();
    const auto recorder = open_credentials_recorder(folder.path()).value();
    int notes = 0;
    Authenticator noting(*directory, *recorder, [&](AccountId who, const std::string& name) {
        ++notes;
        EXPECT_TRUE(recorder->note_app_password_use(who, name, now()));
    });
    const auto last_use = [&] { return credentials->find(account).value()->app_passwords.at(0).last_used; };
    const std::uint64_t generation = credentials->find(account).value()->generation;
    EXPECT_TRUE(noting.verify_password("you@example.org", "pencil").value());
    EXPECT_FALSE(last_use());
    EXPECT_TRUE(noting.verify_password("you@example.org", phone.reveal()).value());
    EXPECT_TRUE(noting.verify_password("you@example.org", phone.reveal()).value());
    EXPECT_EQ(notes, 1);
    ASSERT_TRUE(last_use());
    EXPECT_LT(now() - *last_use(), Seconds(60));
    EXPECT_EQ(credentials->find(account).value()->generation, generation);

    ASSERT_TRUE(recorder->note_app_password_use(account, "phone", now() - kAppPasswordUse));
    const auto record = noting.scram_record("you@example.org").value();
    noting.key_proved(account, record->keys.at(0).stored_key);  // the account's own
    EXPECT_EQ(notes, 1);
    noting.key_proved(account, record->keys.at(1).stored_key);
    EXPECT_EQ(notes, 2);
    EXPECT_LT(now() - *last_use(), Seconds(60));
}

TEST_F(AuthenticatorTest, AppPasswordsWorkEverywhereUntilTheyAreRemoved) {
    const Secret phone = credentials->add_app_password(account, "phone").value();
    for (const std::string mechanism : {"PLAIN", "LOGIN", "SCRAM-SHA-256"}) {
        EXPECT_EQ(log_in(mechanism, "you@example.org", phone.reveal()), "success") << mechanism;
        EXPECT_EQ(log_in(mechanism, "you@example.org", "pencil"), "success") << mechanism;
    }
    ASSERT_TRUE(credentials->remove_app_password(account, "phone").value());
    for (const std::string mechanism : {"PLAIN", "LOGIN", "SCRAM-SHA-256"}) {
        EXPECT_EQ(log_in(mechanism, "you@example.org", phone.reveal()), "wrong_credentials") << mechanism;
    }
}

TEST_F(AuthenticatorTest, ARememberedPasswordEndsWithItsChange) {
    EXPECT_EQ(log_in("PLAIN", "you@example.org", "pencil"), "success");
    EXPECT_EQ(log_in("PLAIN", "you@example.org", "pencil"), "success");
    ASSERT_TRUE(credentials->set_password(account, Secret("crayon")));
    EXPECT_EQ(log_in("PLAIN", "you@example.org", "pencil"), "wrong_credentials");
    EXPECT_EQ(log_in("PLAIN", "you@example.org", "crayon"), "success");
}

TEST_F(AuthenticatorTest, AProofHoldsAsLongAsWhatItWasMadeWith) {
    using Standing = Authenticator::Standing;
    const Secret phone = credentials->add_app_password(account, "phone").value();
    const auto proof = [&](std::string_view password) {
        return authenticator.verify_password("you@example.org", password).value()->credential;
    };
    const Credential by_password = proof("pencil");
    const Credential by_phone = proof(phone.reveal());
    const Credential by_token{Credential::Kind::token, {}, 0};
    EXPECT_EQ(proof("pencil"), by_password) << "remembered or not";
    const auto standings = [&] {
        return std::vector{*authenticator.standing(account, by_password),
                           *authenticator.standing(account, by_phone),
                           *authenticator.standing(account, by_token)};
    };
    EXPECT_EQ(standings(), (std::vector{Standing::holds, Standing::holds, Standing::holds}));
    ASSERT_TRUE(credentials->add_app_password(account, "tablet"));
    EXPECT_EQ(standings(), (std::vector{Standing::holds, Standing::holds, Standing::holds}));
    ASSERT_TRUE(credentials->set_password(account, Secret("pencil")));
    EXPECT_EQ(standings(), (std::vector{Standing::credential, Standing::holds, Standing::holds}))
        << "set anew, if to the same";
    ASSERT_TRUE(credentials->remove_app_password(account, "phone").value());
    ASSERT_TRUE(credentials->add_app_password(account, "phone"));
    EXPECT_EQ(standings(), (std::vector{Standing::credential, Standing::credential, Standing::holds}))
        << "of the same name, but another";
    ASSERT_TRUE(directory->set_state(account, AccountState::disabled));
    EXPECT_EQ(standings(), (std::vector{Standing::locked, Standing::locked, Standing::locked}));
    ASSERT_TRUE(directory->remove_account(account, std::nullopt));
    EXPECT_EQ(standings(), (std::vector{Standing::removed, Standing::removed, Standing::removed}));
}

TEST_F(AuthenticatorTest, ScramSaysByWhichPasswordItWas) {
    const Secret phone = credentials->add_app_password(account, "phone").value();
    const auto record = authenticator.scram_record("you@example.org").value();
    ASSERT_EQ(record->keys.size(), 2u);
    const auto proof = [&](std::string_view password) {
        return authenticator.verify_password("you@example.org", password).value()->credential;
    };
    EXPECT_EQ(record->keys[0].credential, proof("pencil"));
    EXPECT_EQ(record->keys[1].credential, proof(phone.reveal()));
}

TEST_F(AuthenticatorTest, DisabledAndRemovedAccountsDoNotGetIn) {
    ASSERT_TRUE(directory->set_state(account, AccountState::disabled));
    for (const std::string mechanism : {"PLAIN", "SCRAM-SHA-256"}) {
        EXPECT_EQ(log_in(mechanism, "you@example.org", "pencil"), "wrong_credentials") << mechanism;
    }
    ASSERT_TRUE(directory->set_state(account, AccountState::active));
    EXPECT_EQ(log_in("PLAIN", "you@example.org", "pencil"), "success");
    ASSERT_TRUE(directory->remove_account(account, {}));
    EXPECT_EQ(log_in("PLAIN", "you@example.org", "pencil"), "wrong_credentials") << "remembered, but gone";
}

}  // namespace
}  // namespace mailstead::directory
