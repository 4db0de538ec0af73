#include "deliver/auth/introspection.h"

#include <gtest/gtest.h>

#include "common/base/base64.h"
#include "deliver/auth/token_service.h"

namespace mailstead::deliver {
namespace {

using Status = sasl::TokenVerdict::Status;
constexpr Time kNow{Seconds(1'800'000'000)};

settings::OAuth demands() {
    settings::OAuth oauth;
    oauth.issuer = "https://id.example.org";
    oauth.audience = "mail";
    oauth.scope = "imap smtp";
    return oauth;
}

std::string answer(std::string_view more) {
    return R"({"active":true,"iss":"https://id.example.org","aud":"mail","scope":"smtp openid imap","username":"you@example.org")" +
           std::string(more) + "}";
}

struct Case {
    const char* name;
    std::string body;
    Status status;
};
void PrintTo(const Case& c, std::ostream* out) {
    *out << c.name;
}
const Case kCases[] = {
    {"Valid", answer(""), Status::valid},
    {"ValidUntil", answer(R"(,"exp":1800000001)"), Status::valid},
    {"Expired", answer(R"(,"exp":1800000000)"), Status::invalid},
    {"NotYet", answer(R"(,"nbf":1800000061)"), Status::invalid},
    {"SoonWithinSkew", answer(R"(,"nbf":1800000060)"), Status::valid},
    {"BearerInAnyCase", answer(R"(,"token_type":"BEARER")"), Status::valid},
    {"OtherType", answer(R"(,"token_type":"mac")"), Status::invalid},
    {"Inactive", R"({"active":false})", Status::invalid},
    {"ActiveIsNoText", R"({"active":"true","username":"you"})", Status::unavailable},
    {"NoActive", R"({"username":"you@example.org"})", Status::unavailable},
    {"OtherIssuer",
     R"({"active":true,"iss":"https://evil.example","aud":"mail","scope":"imap smtp","username":"you"})",
     Status::invalid},
    {"NoIssuer", R"({"active":true,"aud":"mail","scope":"imap smtp","username":"you"})", Status::invalid},
    {"AudienceAmongOthers",
     R"({"active":true,"iss":"https://id.example.org","aud":["web","mail"],"scope":"imap smtp","username":"you"})",
     Status::valid},
    {"OtherAudience",
     R"({"active":true,"iss":"https://id.example.org","aud":["web"],"scope":"imap smtp","username":"you"})",
     Status::invalid},
    {"ScopeMissing",
     R"({"active":true,"iss":"https://id.example.org","aud":"mail","scope":"imap","username":"you"})",
     Status::insufficient_scope},
    {"ScopeIsNoPrefix",
     R"({"active":true,"iss":"https://id.example.org","aud":"mail","scope":"imapx smtp","username":"you"})",
     Status::insufficient_scope},
    {"EndsIsText", answer(R"(,"exp":"1800000001")"), Status::invalid},
    {"EndsIsNull", answer(R"(,"exp":null)"), Status::invalid},
    {"EndedBeforeTheCalendar", answer(R"(,"exp":-1)"), Status::invalid},
    {"EndsBeyondTheCalendar", answer(R"(,"exp":1e300)"), Status::valid},
    {"BeginsIsText", answer(R"(,"nbf":"1900000000")"), Status::invalid},
    {"BeginsBeyondTheCalendar", answer(R"(,"nbf":1e300)"), Status::invalid},
    {"TypeIsNoText", answer(R"(,"token_type":["Bearer"])"), Status::invalid},
    {"AudienceHasNoTextAmongOthers",
     R"({"active":true,"iss":"https://id.example.org","aud":["mail",1],"scope":"imap smtp","username":"you"})",
     Status::invalid},
    {"ScopeIsAList",
     R"({"active":true,"iss":"https://id.example.org","aud":"mail","scope":["imap","smtp"],"username":"you"})",
     Status::invalid},
    {"WhatIsNotAskedForMayBeAnything", answer(R"(,"iat":"x","jti":7,"email":null,"email_verified":0)"),
     Status::valid},
    {"Nobody", R"({"active":true,"iss":"https://id.example.org","aud":"mail","scope":"imap smtp"})",
     Status::not_authorized},
    {"NotJson", "<html>", Status::unavailable},
    {"NotAnObject", "[true]", Status::unavailable},
    {"TooDeep", std::string(5000, '['), Status::unavailable},
    {"Empty", "", Status::unavailable},
};
class Introspection : public testing::TestWithParam<Case> {};
TEST_P(Introspection, IsJudged_Rfc7662_2_2) {
    EXPECT_EQ(read_introspection(GetParam().body, demands(), kNow).status, GetParam().status);
}
INSTANTIATE_TEST_SUITE_P(Cases, Introspection, testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(each.param.name); });

std::string account_of(const std::string& claims, const std::string& claim = "") {
    settings::OAuth oauth;
    oauth.account_claim = claim;
    return read_introspection("{\"active\":true," + claims + "}", oauth, kNow).account;
}

TEST(IntrospectionAccount, TheFirstClaimThatIsThereDecides) {
    const std::string all = R"("username":"u","email":"e","sub":"s")";
    EXPECT_EQ(account_of(all), "u");
    EXPECT_EQ(account_of(R"("email":"e","sub":"s")"), "e");
    EXPECT_EQ(account_of(R"("sub":"s")"), "s");
    EXPECT_EQ(account_of(all, "email"), "e");
    EXPECT_EQ(account_of(all, "upn"), "");
    EXPECT_EQ(account_of(R"("username":5,"sub":"s")"), "");
}

TEST(IntrospectionAccount, AnAddressThatNobodyVerifiedNamesNobody) {
    EXPECT_EQ(account_of(R"("email":"e","email_verified":false,"sub":"s")"), "");
    EXPECT_EQ(account_of(R"("email":"e","email_verified":true)"), "e");
    EXPECT_EQ(account_of(R"("email":"e")"), "e") << "the issuer does not say";
    for (const char* what : {R"("false")", R"("true")", "0", "1", "null", "[]", "{}"}) {
        const auto facts =
            read_introspection(R"({"active":true,"email":"e","email_verified":)" + std::string(what) + "}",
                               settings::OAuth(), kNow);
        EXPECT_EQ(facts.status, Status::invalid) << what;
        EXPECT_EQ(facts.account, "") << what;
    }
}

TEST(IntrospectionRequest, EncodesWhatAFormWouldEat_Rfc7662_2_1) {
    EXPECT_EQ(introspection_form(Secret("a+b/c=&d")).reveal(),
              "token=a%2Bb%2Fc%3D%26d&token_type_hint=access_token");
    EXPECT_EQ(basic_credentials("my id", Secret("p:w")).reveal(), "Basic " + base64_encode("my%20id:p%3Aw"));
}

TokenFacts good(std::string account, std::optional<Time> ends = std::nullopt) {
    return {Status::valid, std::move(account), ends, {}};
}
std::string found(TokenCache& cache, const std::string& key, Time at) {
    const auto facts = cache.find(key, at);
    if (!facts) return "nothing";
    return facts->status == Status::valid ? facts->account : "refused";
}

TEST(TokenCacheTest, ForgetsAfterAMinuteAndNeverKnowsPastTheEnd) {
    TokenCache cache;
    cache.remember("long", good("a"), kNow);
    cache.remember("short", good("b", kNow + Seconds(10)), kNow);
    cache.remember("over", good("c", kNow), kNow);
    EXPECT_EQ(found(cache, "long", kNow), "a");
    EXPECT_EQ(found(cache, "short", kNow + Seconds(9)), "b");
    EXPECT_EQ(found(cache, "short", kNow + Seconds(10)), "nothing");
    EXPECT_EQ(found(cache, "over", kNow), "nothing");
    EXPECT_EQ(found(cache, "long", kNow + Seconds(60)), "nothing");
    EXPECT_EQ(found(cache, "other", kNow), "nothing");
    EXPECT_NE(cache.key_of(Secret("long")), cache.key_of(Secret("short")));
}

TEST(TokenCacheTest, RefusalsAreRememberedForTenSecondsAndTakeNoRoomFromGoodAnswers) {
    TokenCache cache;
    cache.remember("good", good("a"), kNow);
    for (int i = 0; i < 20'000; ++i) cache.remember(std::to_string(i), {Status::invalid, {}, {}, {}}, kNow);
    EXPECT_EQ(found(cache, "good", kNow), "a");
    EXPECT_EQ(found(cache, "19999", kNow + Seconds(9)), "refused");
    EXPECT_EQ(found(cache, "19999", kNow + Seconds(10)), "nothing");
    EXPECT_EQ(found(cache, "0", kNow), "nothing") << "bounded";
}

TEST(TokenCacheTest, WhatNobodyCouldSayIsNotRemembered) {
    TokenCache cache;
    cache.remember("t", {Status::unavailable, {}, {}, {}}, kNow);
    EXPECT_EQ(found(cache, "t", kNow), "nothing");
}

TEST(IssuerHealthTest, ThreeSilencesAndItIsAskedNowAndThenUntilItAnswers) {
    IssuerHealth health;
    IssuerHealth::Clock::time_point at{};
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(health.may_ask(at));
        health.failed(at);
    }
    EXPECT_FALSE(health.may_ask(at));
    at += std::chrono::seconds(1);
    EXPECT_TRUE(health.may_ask(at));
    EXPECT_FALSE(health.may_ask(at)) << "one alone tries";
    health.failed(at);
    EXPECT_FALSE(health.may_ask(at + std::chrono::seconds(1))) << "the pauses grow";
    EXPECT_TRUE(health.may_ask(at + std::chrono::seconds(2)));
    for (int i = 0; i < 50; ++i) health.failed(at);
    EXPECT_TRUE(health.may_ask(at + std::chrono::seconds(30))) << "but not for ever";
    health.answered();
    EXPECT_TRUE(health.may_ask(at));
    EXPECT_TRUE(health.may_ask(at));
}

TEST(HttpsUrlTest, TakesHttpsAlone) {
    const auto url = net::HttpsUrl::parse("https://ID.example.org:8443/a/b?c=d").value();
    EXPECT_EQ(url.host, "id.example.org");
    EXPECT_EQ(url.port, 8443);
    EXPECT_EQ(url.target, "/a/b?c=d");
    EXPECT_EQ(net::HttpsUrl::parse("https://example.org").value().target, "/");
    EXPECT_EQ(net::HttpsUrl::parse("https://example.org?x").value().target, "/?x");
    EXPECT_EQ(net::HttpsUrl::parse("https://[::1]:1/").value().host, "::1");
    for (const char* bad :
         {"http://example.org/", "https://", "https://u@example.org/", "https://a b/", "https://a/#f",
          "https://a:0/", "https://a:99999/", "https://[::1", "https://a/\r\nX: y", "https://a:/"})
        EXPECT_FALSE(net::HttpsUrl::parse(bad)) << bad;
}

}  // namespace
}  // namespace mailstead::deliver
