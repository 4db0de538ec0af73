#include <gtest/gtest.h>

#include "common/base/base64.h"
#include "common/sasl/client.h"
#include "common/sasl/mechanisms.h"
#include "common/sasl/scram_client.h"
#include "common/sasl/scram_messages.h"
#include "tests/unit/sasl/fake_source.h"

namespace mailstead::sasl {
namespace {

// The example of RFC 7677, 3.
constexpr std::string_view kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr std::string_view kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr std::string_view kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+"
    "Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr std::string_view kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

FakeSource example_source() {
    FakeSource source;
    source.user = "user";
    source.salt = *base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==");
    source.iterations = 4096;
    return source;
}

TEST(Scram, ServerReplaysTheExample_Rfc7677_3) {
    FakeSource source = example_source();
    const auto server = make_scram(source, ScramVariant::plain, {}, std::string(kServerNonce));
    EXPECT_EQ(std::get<Challenge>(server->step(kClientFirst)).bytes, kServerFirst);
    EXPECT_EQ(std::get<Challenge>(server->step(kClientFinal)).bytes, kServerFinal);
    EXPECT_EQ(std::get<Success>(server->step("")).account, FakeSource::kAccount);
    EXPECT_EQ(reason_of(server->step("")), FailureReason::malformed);
}

TEST(Scram, ClientReplaysTheExample_Rfc7677_3) {
    const auto client = make_scram_client("user", Secret("pencil"), {}, "rOprNGfwEbeRWgbNEkqO");
    EXPECT_EQ(client->initial_response(), kClientFirst);
    EXPECT_EQ(*client->respond(kServerFirst), kClientFinal);
    EXPECT_FALSE(client->server_verified());
    EXPECT_EQ(*client->respond(kServerFinal), "");
    EXPECT_TRUE(client->server_verified());
}

TEST(Scram, ClientNoticesAServerThatDoesNotKnowThePassword) {
    const auto client = make_scram_client("user", Secret("pencil"), {}, "rOprNGfwEbeRWgbNEkqO");
    client->initial_response();
    ASSERT_TRUE(client->respond(kServerFirst));
    EXPECT_FALSE(client->respond("v=" + base64_encode(std::string(32, 'x'))));
    EXPECT_FALSE(client->server_verified());
}

TEST(Scram, ClientRefusesBadServerFirstMessages) {
    for (const std::string_view bad :
         {"", "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "r=rOprNGfwEbeRWgbNEkqO,s=QQ==,i=1",
          "r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=0", "r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=10000001",
          "r=rOprNGfwEbeRWgbNEkqOx,s=,i=1", "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=1"}) {
        const auto client = make_scram_client("user", Secret("pencil"), {}, "rOprNGfwEbeRWgbNEkqO");
        client->initial_response();
        EXPECT_FALSE(client->respond(bad)) << bad;
    }
}

Outcome converse(FakeSource& source, ScramVariant variant, const ChannelBindings& at_server,
                 const ScramBinding& at_client, const std::string& user, const std::string& password) {
    const auto server = make_scram(source, variant, at_server, "servernonce");
    const auto client = make_scram_client(user, Secret(password), at_client, "clientnonce");
    Outcome outcome = server->step(*client->initial_response());
    while (auto* challenge = std::get_if<Challenge>(&outcome)) {
        const auto answer = client->respond(challenge->bytes);
        if (!answer) return Failure{};
        outcome = server->step(*answer);
    }
    EXPECT_EQ(client->server_verified(), std::holds_alternative<Success>(outcome));
    return outcome;
}

TEST(Scram, AnyOfAnAccountsPasswordsProves) {
    FakeSource source;
    source.passwords = {"pencil", "abcde-fghij", "third"};
    for (const std::string& password : source.passwords) {
        EXPECT_TRUE(std::holds_alternative<Success>(
            converse(source, ScramVariant::plain, {}, {}, source.user, password)));
    }
    EXPECT_EQ(reason_of(converse(source, ScramVariant::plain, {}, {}, source.user, "other")),
              FailureReason::wrong_credentials);
    source.passwords.clear();
    EXPECT_EQ(reason_of(converse(source, ScramVariant::plain, {}, {}, source.user, "pencil")),
              FailureReason::wrong_credentials);
}

TEST(Scram, ChannelBindingHoldsAndDowngradesAreSeen_Rfc5802_6) {
    struct Case {
        std::string name;
        ScramVariant variant;
        ScramBinding at_client;
        std::optional<FailureReason> failure;
    };
    ChannelBindings at_server;
    at_server.tls_exporter = "exported";
    at_server.tls_server_end_point = "hash of the certificate";
    const Case cases[] = {
        {"exporter", ScramVariant::plus, {"tls-exporter", "exported", false}, std::nullopt},
        {"end point",
         ScramVariant::plus,
         {"tls-server-end-point", "hash of the certificate", false},
         std::nullopt},
        {"somebody between",
         ScramVariant::plus,
         {"tls-exporter", "other connection", false},
         FailureReason::channel_mismatch},
        {"type we do not have",
         ScramVariant::plus,
         {"tls-unique", "x", false},
         FailureReason::channel_mismatch},
        {"unknown type", ScramVariant::plus, {"tls-magic", "x", false}, FailureReason::channel_mismatch},
        {"plus without binding", ScramVariant::plus, {}, FailureReason::malformed},
        {"binding without plus",
         ScramVariant::plain,
         {"tls-exporter", "exported", false},
         FailureReason::malformed},
        {"client that cannot bind", ScramVariant::plain, {}, std::nullopt},
        {"list without plus on the way",
         ScramVariant::plain,
         {"", "", true},
         FailureReason::channel_mismatch},
    };
    for (const Case& c : cases) {
        FakeSource source;
        const Outcome outcome = converse(source, c.variant, at_server, c.at_client, source.user, "pencil");
        ASSERT_EQ(std::holds_alternative<Failure>(outcome), c.failure.has_value()) << c.name;
        if (c.failure) {
            EXPECT_EQ(reason_of(outcome), *c.failure) << c.name;
        }
    }
    FakeSource source;
    // Without anything to bind to, "y" is the truth.
    EXPECT_TRUE(std::holds_alternative<Success>(
        converse(source, ScramVariant::plain, {}, {"", "", true}, source.user, "pencil")));
}

TEST(Scram, UnknownUsersGetASaltThatStaysTheSame) {
    FakeSource source;
    const auto first_of = [&](const std::string& user) {
        const auto server = make_scram(source, ScramVariant::plain, {}, "servernonce");
        return std::get<Challenge>(server->step("n,,n=" + user + ",r=clientnonce")).bytes;
    };
    EXPECT_EQ(first_of("nobody@example.org"), first_of("nobody@example.org"));
    EXPECT_EQ(first_of("nobody@example.org"), first_of("Nobody@example.org"));
    EXPECT_NE(first_of("nobody@example.org"), first_of("noone@example.org"));
    EXPECT_EQ(reason_of(converse(source, ScramVariant::plain, {}, {}, "nobody@example.org", "pencil")),
              FailureReason::wrong_credentials);
}

TEST(Scram, RefusesMalformedFirstMessages_Rfc5802_7) {
    using namespace std::string_literals;
    for (const std::string& bad : {""s,
                                   "n"s,
                                   "n,"s,
                                   "n,,"s,
                                   "x,,n=user,r=abc"s,
                                   "p=,,n=user,r=abc"s,
                                   "n,user,n=user,r=abc"s,
                                   "n,a=,n=user,r=abc"s,
                                   "n,,r=abc"s,
                                   "n,,n=,r=abc"s,
                                   "n,,n=us=er,r=abc"s,
                                   "n,,n=us=2cer,r=abc"s,
                                   "n,,n=user"s,
                                   "n,,n=user,r="s,
                                   "n,,n=user,r=a\x7f"s,
                                   "n,,m=ext,n=user,r=abc"s,
                                   "n,,n=user,r=abc,m=ext"s,
                                   "n,,n=\xFF,r=abc"s,
                                   "n,,n=us\0er,r=abc"s,
                                   "n,,n=user,r=" + std::string(513, 'a')}) {
        FakeSource source;
        EXPECT_EQ(reason_of(make_scram(source, ScramVariant::plain, {}, "x")->step(bad)),
                  FailureReason::malformed)
            << bad;
    }
}

TEST(Scram, RefusesMalformedFinalMessages) {
    const std::string nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const std::string proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    struct Case {
        std::string message;
        FailureReason reason;
    };
    const Case cases[] = {
        {"", FailureReason::malformed},
        {"c=biws,r=" + nonce, FailureReason::malformed},
        {"c=biws,r=" + nonce + "x," + proof, FailureReason::malformed},
        {"c=biw,r=" + nonce + ',' + proof, FailureReason::malformed},
        {"r=" + nonce + ",c=biws," + proof, FailureReason::malformed},
        {"c=biws,r=" + nonce + ",p=%%%", FailureReason::malformed},
        {"c=biws,r=" + nonce + ",m=x," + proof, FailureReason::malformed},
        {"c=eSws,r=" + nonce + ',' + proof, FailureReason::channel_mismatch},
        {"c=biws,r=" + nonce + ",p=QQ==", FailureReason::wrong_credentials},
        {"c=biws,r=" + nonce + ",x=unknown," + proof, FailureReason::wrong_credentials},
    };
    for (const Case& c : cases) {
        FakeSource source = example_source();
        const auto server = make_scram(source, ScramVariant::plain, {}, std::string(kServerNonce));
        server->step(kClientFirst);
        EXPECT_EQ(reason_of(server->step(c.message)), c.reason) << c.message;
        EXPECT_EQ(reason_of(server->step(kClientFinal)), FailureReason::malformed) << "over after a failure";
    }
}

TEST(Scram, NamesWithCommaAndEqualsTravelEncoded) {
    FakeSource source;
    source.user = "a,b=c@example.org";
    EXPECT_TRUE(std::holds_alternative<Success>(
        converse(source, ScramVariant::plain, {}, {}, source.user, "pencil")));
}

TEST(Scram, OnlyTheOwnIdentityMayBeAskedFor) {
    FakeSource source;
    const auto step = [&](const std::string& authzid) {
        return make_scram(source, ScramVariant::plain, {}, "x")
            ->step("n,a=" + authzid + ",n=user@example.org,r=abc");
    };
    EXPECT_EQ(reason_of(step("root@example.org")), FailureReason::not_authorized);
    EXPECT_TRUE(std::holds_alternative<Challenge>(step("user@example.org")));
}

}  // namespace
}  // namespace mailstead::sasl
