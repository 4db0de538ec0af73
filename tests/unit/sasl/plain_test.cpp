#include <gtest/gtest.h>

#include "common/sasl/client.h"
#include "tests/unit/sasl/fake_source.h"

namespace mailstead::sasl {
namespace {

using namespace std::string_literals;

TEST(SaslPlain, MessagesAndTheirOutcomes_Rfc4616_2) {
    struct Case {
        std::string name;
        std::string message;
        std::optional<FailureReason> failure;
    };
    const Case cases[] = {
        {"right", "\0user@example.org\0pencil"s, std::nullopt},
        {"acts as itself", "user@example.org\0user@example.org\0pencil"s, std::nullopt},
        {"acts as itself, other case", "User@Example.ORG\0user@example.org\0pencil"s, std::nullopt},
        {"acts as another", "root@example.org\0user@example.org\0pencil"s, FailureReason::not_authorized},
        {"wrong password", "\0user@example.org\0pencil2"s, FailureReason::wrong_credentials},
        {"unknown user", "\0nobody@example.org\0pencil"s, FailureReason::wrong_credentials},
        {"empty", ""s, FailureReason::malformed},
        {"no separators", "user@example.org"s, FailureReason::malformed},
        {"one separator", "user@example.org\0pencil"s, FailureReason::malformed},
        {"three separators", "\0user@example.org\0pencil\0"s, FailureReason::malformed},
        {"empty user", "\0\0pencil"s, FailureReason::malformed},
        {"empty password", "\0user@example.org\0"s, FailureReason::malformed},
        {"user is not UTF-8", "\0\xFF\0pencil"s, FailureReason::malformed},
        {"control character in user", "\0us\x01er\0pencil"s, FailureReason::malformed},
        {"user too long", "\0"s + std::string(513, 'a') + "\0pencil"s, FailureReason::malformed},
        {"password at the limit", "\0user@example.org\0"s + std::string(1024, 'a'),
         FailureReason::wrong_credentials},
        {"password past the limit", "\0user@example.org\0"s + std::string(1025, 'a'),
         FailureReason::malformed},
        {"message too long", std::string(kMaxClientMessage + 1, 'a'), FailureReason::malformed},
    };
    for (const Case& c : cases) {
        FakeSource source;
        const Outcome outcome = start_exchange("plain", source, {})->step(c.message);
        if (c.failure) {
            ASSERT_TRUE(std::holds_alternative<Failure>(outcome)) << c.name;
            EXPECT_EQ(reason_of(outcome), *c.failure) << c.name;
        } else {
            ASSERT_TRUE(std::holds_alternative<Success>(outcome)) << c.name;
            EXPECT_EQ(std::get<Success>(outcome).account, FakeSource::kAccount);
            EXPECT_EQ(std::get<Success>(outcome).login, "user@example.org");
        }
    }
}

TEST(SaslPlain, ABrokenDirectoryIsTemporaryNotWrong) {
    FakeSource source;
    source.broken = true;
    EXPECT_EQ(reason_of(start_exchange("PLAIN", source, {})->step("\0user@example.org\0pencil"s)),
              FailureReason::temporary);
    EXPECT_EQ(reason_of(start_exchange("SCRAM-SHA-256", source, {})->step("n,,n=user@example.org,r=abc")),
              FailureReason::temporary);
}

TEST(SaslPlain, PasswordsAreComparedAsSaslprepSpellsThem) {
    FakeSource source;
    // U+00AA becomes "a", U+00AD disappears (RFC 4013, 3).
    start_exchange("PLAIN", source, {})
        ->step(
            "\0user@example.org\0\xC2\xAA"
            "b\xC2\xAD"
            "c"s);
    EXPECT_EQ(source.seen_password, "abc");
    // What SASLprep refuses is compared byte for byte.
    start_exchange("PLAIN", source, {})->step("\0user@example.org\0\xFF\xFE"s);
    EXPECT_EQ(source.seen_password, "\xFF\xFE");
}

TEST(SaslLogin, AsksForUserThenPassword) {
    FakeSource source;
    const auto exchange = start_exchange("Login", source, {});
    EXPECT_EQ(exchange->first_challenge(), "Username:");
    const Outcome first = exchange->step("user@example.org");
    ASSERT_TRUE(std::holds_alternative<Challenge>(first));
    EXPECT_EQ(std::get<Challenge>(first).bytes, "Password:");
    EXPECT_TRUE(std::holds_alternative<Success>(exchange->step("pencil")));
}

TEST(SaslLogin, RefusesWhatCannotBeALogin) {
    FakeSource source;
    EXPECT_EQ(reason_of(start_exchange("LOGIN", source, {})->step("")), FailureReason::malformed);
    EXPECT_EQ(reason_of(start_exchange("LOGIN", source, {})->step("a\0b"s)), FailureReason::malformed);
    const auto exchange = start_exchange("LOGIN", source, {});
    exchange->step("user@example.org");
    EXPECT_EQ(reason_of(exchange->step("")), FailureReason::malformed);
}

TEST(SaslMechanisms, PlusIsOfferedOnlyWithSomethingToBindTo) {
    FakeSource source;
    ChannelBindings bindings;
    EXPECT_EQ(mechanisms(bindings), (std::vector<std::string_view>{"SCRAM-SHA-256", "PLAIN", "LOGIN"}));
    EXPECT_EQ(start_exchange("SCRAM-SHA-256-PLUS", source, bindings), nullptr);
    bindings.tls_exporter = "data";
    EXPECT_EQ(mechanisms(bindings).front(), "SCRAM-SHA-256-PLUS");
    EXPECT_NE(start_exchange("scram-sha-256-plus", source, bindings), nullptr);
    EXPECT_EQ(start_exchange("CRAM-MD5", source, bindings), nullptr);
    EXPECT_EQ(start_exchange("", source, bindings), nullptr);
}

TEST(SaslClient, ChoosesTheStrongestMechanismOffered) {
    ChannelBindings bindings;
    bindings.tls_exporter = "data";
    const Secret password("pencil");
    const auto chosen = [&](const std::vector<std::string>& offered, const ChannelBindings& with) {
        const auto client = start_client(offered, "user", password, with);
        return client ? std::string(client->mechanism()) : "none";
    };
    EXPECT_EQ(chosen({"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}, bindings),
              "SCRAM-SHA-256-PLUS");
    EXPECT_EQ(chosen({"PLAIN", "SCRAM-SHA-256-PLUS"}, {}), "PLAIN");
    EXPECT_EQ(chosen({"login", "plain"}, {}), "PLAIN");
    EXPECT_EQ(chosen({"LOGIN"}, {}), "LOGIN");
    EXPECT_EQ(chosen({"XOAUTH2"}, {}), "none");
}

TEST(SaslClient, PlainAndLoginSayWhatTheServerUnderstands) {
    for (const std::string mechanism : {"PLAIN", "LOGIN"}) {
        FakeSource source;
        const auto server = start_exchange(mechanism, source, {});
        const auto client = start_client(mechanism, "user@example.org", Secret("pencil"), {});
        auto message = client->initial_response();
        Outcome outcome = Challenge{server->first_challenge()};
        if (message) outcome = server->step(*message);
        while (auto* challenge = std::get_if<Challenge>(&outcome))
            outcome = server->step(client->respond(challenge->bytes).value());
        EXPECT_TRUE(std::holds_alternative<Success>(outcome)) << mechanism;
    }
}

}  // namespace
}  // namespace mailstead::sasl
