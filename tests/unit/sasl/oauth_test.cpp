#include <gtest/gtest.h>

#include "tests/unit/sasl/fake_source.h"

namespace mailstead::sasl {
namespace {

using Status = TokenVerdict::Status;
using std::string_literals::operator""s;

const OAuthFacts kFacts{"mail", "https://id.example.org/.well-known/openid-configuration"};

class OAuth : public testing::Test {
protected:
    std::unique_ptr<Exchange> start(std::string_view mechanism) {
        return start_exchange(mechanism, source, {}, &kFacts);
    }
    FakeSource source;
};

struct Case {
    const char* name;
    const char* mechanism;
    std::string message;
    std::string token;  // empty: refused as malformed
    std::string login;
};
void PrintTo(const Case& c, std::ostream* out) {
    *out << c.name;
}

const Case kCases[] = {
    // RFC 7628, 4.1
    {"RfcExample", "OAUTHBEARER",
     "n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer "
     "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1",
     "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", "user@example.com"},
    {"WithoutLogin", "OAUTHBEARER", "n,,\1auth=Bearer abc\1\1", "abc", ""},
    {"CouldBind", "OAUTHBEARER", "y,,\1auth=Bearer abc\1\1", "abc", ""},
    {"SchemeInAnyCase", "OAUTHBEARER", "n,,\1auth=bEARER abc\1\1", "abc", ""},
    {"EscapedLogin", "OAUTHBEARER", "n,a=a=2Cb=3Dc,\1auth=Bearer abc\1\1", "abc", "a,b=c"},
    {"Binds", "OAUTHBEARER", "p=tls-exporter,,\1auth=Bearer abc\1\1", "", ""},
    {"NoGs2", "OAUTHBEARER", "auth=Bearer abc\1\1", "", ""},
    {"Dummy", "OAUTHBEARER", "\1", "", ""},
    {"NoEnd", "OAUTHBEARER", "n,,\1auth=Bearer abc\1", "", ""},
    {"MoreBehind", "OAUTHBEARER", "n,,\1auth=Bearer abc\1\1x", "", ""},
    {"TwoTokens", "OAUTHBEARER", "n,,\1auth=Bearer abc\1auth=Bearer def\1\1", "", ""},
    {"OtherScheme", "OAUTHBEARER", "n,,\1auth=MAC abc\1\1", "", ""},
    {"NotAToken", "OAUTHBEARER", "n,,\1auth=Bearer a\"b\1\1", "", ""},
    {"TokenInTwoWords", "OAUTHBEARER", "n,,\1auth=Bearer a b\1\1", "", ""},
    {"NoKey", "OAUTHBEARER", "n,,\1=Bearer abc\1\1", "", ""},
    {"TooLong", "OAUTHBEARER", "n,,\1auth=Bearer " + std::string(kMaxClientMessage, 'a') + "\1\1", "", ""},
    {"Google", "XOAUTH2",
     "user=someuser@example.com\1auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\1\1",
     "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg", "someuser@example.com"},
    {"GoogleWithoutUser", "XOAUTH2", "auth=Bearer abc\1\1", "", ""},
    {"GoogleTwoUsers", "XOAUTH2", "user=a\1user=b\1auth=Bearer abc\1\1", "", ""},
    {"GoogleNoEnd", "XOAUTH2", "user=a\1auth=Bearer abc", "", ""},
    {"GoogleEmpty", "XOAUTH2", "", "", ""},
};
class OAuthMessage : public testing::TestWithParam<Case> {};
TEST_P(OAuthMessage, IsTakenApart) {
    FakeSource source;
    const auto exchange = start_exchange(GetParam().mechanism, source, {}, &kFacts);
    const Outcome outcome = exchange->step(GetParam().message);
    if (GetParam().token.empty()) {
        ASSERT_TRUE(std::holds_alternative<Failure>(outcome));
        EXPECT_EQ(reason_of(outcome), FailureReason::malformed);
        return;
    }
    const auto& question = std::get<CheckToken>(outcome);
    EXPECT_EQ(question.token.reveal(), GetParam().token);
    EXPECT_EQ(question.login, GetParam().login);
}
INSTANTIATE_TEST_SUITE_P(Cases, OAuthMessage, testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_F(OAuth, AValidTokenLetsIn) {
    const auto exchange = start("OAUTHBEARER");
    (void)exchange->step("n,,\1auth=Bearer abc\1\1");
    const Outcome outcome = exchange->on_token({Status::valid, AccountId(7), "you@example.org"});
    EXPECT_EQ(std::get<Success>(outcome).account, AccountId(7));
    EXPECT_EQ(std::get<Success>(outcome).login, "you@example.org");
}

TEST_F(OAuth, ARefusalSaysWhatIsWantedAndThenFails_Rfc7628_3_2_3) {
    const auto exchange = start("OAUTHBEARER");
    (void)exchange->step("n,a=you@example.org,\1auth=Bearer abc\1\1");
    const Outcome refusal = exchange->on_token({Status::invalid, {}, {}});
    EXPECT_EQ(std::get<Challenge>(refusal).bytes,
              "{\"status\":\"invalid_token\",\"scope\":\"mail\",\"openid-configuration\":"
              "\"https://id.example.org/.well-known/openid-configuration\"}");
    const Outcome end = exchange->step("\1");
    EXPECT_EQ(reason_of(end), FailureReason::wrong_credentials);
    EXPECT_EQ(std::get<Failure>(end).login, "you@example.org");
    EXPECT_TRUE(std::holds_alternative<Failure>(exchange->step("n,,\1auth=Bearer abc\1\1")));
}

TEST_F(OAuth, AnEmptyTokenAsksForWhatIsWanted_Rfc7628_4_3) {
    const auto exchange = start("OAUTHBEARER");
    EXPECT_TRUE(std::holds_alternative<Challenge>(exchange->step("n,a=you@example.org,\1auth=\1\1")));
}

TEST_F(OAuth, TheScopeIsNamed) {
    const auto exchange = start("OAUTHBEARER");
    (void)exchange->step("n,,\1auth=Bearer abc\1\1");
    const Outcome refusal = exchange->on_token({Status::insufficient_scope, {}, {}});
    EXPECT_TRUE(std::get<Challenge>(refusal).bytes.starts_with("{\"status\":\"insufficient_scope\","));
}

TEST_F(OAuth, GooglesRefusal) {
    const auto exchange = start("XOAUTH2");
    (void)exchange->step("user=you\1auth=Bearer abc\1\1");
    const Outcome refusal = exchange->on_token({Status::invalid, {}, {}});
    EXPECT_EQ(std::get<Challenge>(refusal).bytes,
              "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}");
    EXPECT_EQ(reason_of(exchange->step("")), FailureReason::wrong_credentials);
}

TEST_F(OAuth, AnIssuerThatIsAwayIsNobodysFault) {
    const auto exchange = start("OAUTHBEARER");
    (void)exchange->step("n,,\1auth=Bearer abc\1\1");
    EXPECT_EQ(reason_of(exchange->on_token({Status::unavailable, {}, {}})), FailureReason::temporary);
}

TEST_F(OAuth, NoVerdictBeforeTheQuestion) {
    const auto exchange = start("OAUTHBEARER");
    EXPECT_TRUE(std::holds_alternative<Failure>(exchange->on_token({Status::valid, AccountId(7), "you"})));
}

TEST_F(OAuth, OfferedOnlyWhereTokensCanBeChecked) {
    EXPECT_EQ(start_exchange("OAUTHBEARER", source, {}), nullptr);
    EXPECT_EQ(start_exchange("XOAUTH2", source, {}), nullptr);
    EXPECT_EQ(mechanisms({}, Tokens::no).size(), 3U);
    EXPECT_EQ(mechanisms({}, Tokens::yes),
              (std::vector<std::string_view>{"SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN"}));
}

}  // namespace
}  // namespace mailstead::sasl
