#include <gtest/gtest.h>

#include "common/mime/headers.h"
#include "smtpd/policy/header.h"
#include "smtpd/policy/rate.h"
#include "smtpd/policy/submission.h"
#include "smtpd/policy/trace_fields.h"
#include "smtpd/policy/verdict.h"

namespace mailstead::smtpd {
namespace {

std::string without_cuts(std::string_view header, const HeaderFacts& facts) {
    std::string out;
    std::size_t at = 0;
    for (const Cut& cut : facts.cuts) {
        out += header.substr(at, cut.offset - at);
        at = cut.offset + cut.size;
    }
    return out + std::string(header.substr(at));
}

TEST(SmtpHeaderPolicy, DropsResultsForgedInOurNameAndReturnPath_Rfc8601_5) {
    const std::string_view header =
        "Return-Path: <x@y.example>\r\nAuthentication-Results: MX.example.org;\r\n spf=pass\r\n"
        "Authentication-Results: other.example; spf=pass\r\nBcc: b@example.org\r\nFrom: a@b.example\r\n\r\n";
    const HeaderFacts facts = examine_header(header, Service::exchange, "mx.example.org");
    EXPECT_EQ(
        without_cuts(header, facts),
        "Authentication-Results: other.example; spf=pass\r\nBcc: b@example.org\r\nFrom: a@b.example\r\n\r\n");
}

TEST(SmtpHeaderPolicy, DropsBccOfOurUsers_Rfc5322_3_6_3) {
    const std::string_view header =
        "From: a@b.example\r\nbcc: x@y.example,\r\n z@y.example\r\nResent-Bcc:\r\nTo: c@d.example\r\n\r\n";
    const HeaderFacts facts = examine_header(header, Service::submission, "mx.example.org");
    EXPECT_EQ(without_cuts(header, facts), "From: a@b.example\r\nTo: c@d.example\r\n\r\n");
}

TEST(SmtpHeaderPolicy, CountsHopsAndFindsWhatIsMissing) {
    const HeaderFacts facts =
        examine_header("Received: a\r\nRECEIVED: b\r\nMessage-ID: <m@x>\r\nFrom: a\r\nFrom: b\r\n\r\n",
                       Service::exchange, "mx.example.org");
    EXPECT_EQ(facts.hops, 2u);
    EXPECT_TRUE(facts.has_message_id);
    EXPECT_EQ(facts.message_id, "<m@x>");
    EXPECT_FALSE(facts.has_date);
    EXPECT_EQ(facts.from, (std::vector<std::string>{"a", "b"}));
}

struct AuthorCase {
    const char* name;
    const char* header;
    int code;  // 0: allowed
};
class SmtpAuthors : public testing::TestWithParam<AuthorCase> {};

TEST_P(SmtpAuthors, MustBelongToTheAccount) {
    const std::string header = std::string(GetParam().header) + "\r\n";
    const HeaderFacts facts = examine_header(header, Service::submission, "mx.example.org");
    const auto reply = check_authors(facts, [](const Address& address) -> Result<bool> {
        if (address.key() == "later@example.org") return transient_error("away");
        return address.key() == "alice@example.org";
    });
    EXPECT_EQ(reply ? reply->code : 0, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    Table, SmtpAuthors,
    testing::Values(AuthorCase{"own", "From: Alice <alice@example.org>\r\n", 0},
                    AuthorCase{"other", "From: Bob <bob@example.org>\r\n", 550},
                    AuthorCase{"hidden_second", "From: alice@example.org, ceo@example.org\r\n", 550},
                    AuthorCase{"two_fields", "From: alice@example.org\r\nFrom: ceo@example.org\r\n", 550},
                    AuthorCase{"none", "To: x@example.org\r\n", 550}, AuthorCase{"empty", "From: \r\n", 550},
                    AuthorCase{"no_address", "From: alice\r\n", 550},
                    AuthorCase{"directory_away", "From: later@example.org\r\n", 451}),
    [](const auto& c) { return c.param.name; });

TEST(SmtpSubmission, AddsDateAndMessageIdOnlyWhenMissing_Rfc6409_8) {
    const Time time{Seconds(1'800'000'000)};
    HeaderFacts facts;
    EXPECT_EQ(missing_fields(facts, "id-1", "mx.example.org", time),
              "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\nMessage-ID: <id-1@mx.example.org>\r\n");
    facts.has_date = facts.has_message_id = true;
    EXPECT_EQ(missing_fields(facts, "id-1", "mx.example.org", time), "");
}

TraceInput trace(const Greeting& greeting, const Transaction& transaction) {
    TraceInput input;
    input.hostname = "mx.example.org";
    input.client_literal = "[192.0.2.1]";
    input.client_name = "out.remote.example";
    input.greeting = &greeting;
    input.transaction = &transaction;
    input.tls_version = "TLSv1.3";
    input.tls_cipher = "TLS_AES_128_GCM_SHA256";
    input.time = Time{Seconds(1'800'000'000)};
    return input;
}

TEST(SmtpTrace, SaysWhoByWhomAndHow_Rfc5321_4_4) {
    const Greeting greeting{.hello = *smtp::parse_hello("remote.example"), .extended = true};
    Transaction transaction{.id = "abc-1", .mail = {}, .recipients = {}};
    transaction.recipients.push_back({.rcpt = *smtp::parse_rcpt("TO:<alice@example.org>"), .targets = {}});
    EXPECT_EQ(write_received(trace(greeting, transaction)),
              "Received: from remote.example (out.remote.example [192.0.2.1])\r\n"
              "\tby mx.example.org (Mailstead) with ESMTPS\r\n\t(TLSv1.3 TLS_AES_128_GCM_SHA256)\r\n"
              "\tid abc-1\r\n\tfor <alice@example.org>;\r\n\tFri, 15 Jan 2027 08:00:00 +0000\r\n");
}

TEST(SmtpTrace, ANameThatIsNoDomainDoesNotGetIntoTheField) {
    const Greeting greeting{.hello = *smtp::parse_hello("x(y);z"), .extended = true};
    const Transaction transaction{.id = "abc-1", .mail = {}, .recipients = {}};
    const std::string field = write_received(trace(greeting, transaction));
    EXPECT_EQ(field.find("x(y)"), std::string::npos);
    EXPECT_EQ(field.find("from [192.0.2.1] (out.remote.example [192.0.2.1])"), 10u);
}

TEST(SmtpTrace, OurUsersPlaceStaysPrivate) {
    const Greeting greeting{.hello = *smtp::parse_hello("laptop.home"), .extended = true};
    Transaction transaction{.id = "abc-1", .mail = {}, .recipients = {}};
    transaction.recipients.resize(2, {.rcpt = *smtp::parse_rcpt("TO:<alice@example.org>"), .targets = {}});
    TraceInput input = trace(greeting, transaction);
    input.service = Service::submission;
    input.authenticated = true;
    const std::string field = write_received(input);
    EXPECT_EQ(field.find("192.0.2.1"), std::string::npos);
    EXPECT_EQ(field.find("laptop"), std::string::npos);
    EXPECT_EQ(field.find(" for "), std::string::npos);
    EXPECT_NE(field.find("with ESMTPSA"), std::string::npos);
}

TEST(SmtpTrace, ProtocolNamesAreThoseOfRfc3848AndRfc6531) {
    Greeting greeting{.hello = *smtp::parse_hello("x.example"), .extended = false};
    Transaction transaction{.id = "abc-1", .mail = {}, .recipients = {}};
    EXPECT_EQ(protocol_name(trace(greeting, transaction)), "SMTP");
    greeting.extended = true;
    transaction.mail.smtputf8 = true;
    EXPECT_EQ(protocol_name(trace(greeting, transaction)), "UTF8SMTPS");
}

Findings failing(mailauth::DmarcPolicy policy) {
    Findings findings;
    findings.spf.verdict = mailauth::SpfVerdict::fail;
    findings.dmarc.verdict = mailauth::DmarcVerdict::fail;
    findings.dmarc.apply = policy;
    findings.dmarc.domain = "b.example";
    return findings;
}

TEST(SmtpVerdict, RefusesWhatFailsAPolicyOfReject_Rfc9989) {
    const Decision decision = decide(failing(mailauth::DmarcPolicy::reject), true);
    ASSERT_TRUE(decision.refusal);
    EXPECT_EQ(decision.refusal->code, 550);
    EXPECT_EQ(decision.refusal->enhanced, (smtp::EnhancedCode{5, 7, 1}));
}

TEST(SmtpVerdict, TemporaryErrorsNeverRefuse) {
    Findings spf = failing(mailauth::DmarcPolicy::reject);
    spf.spf.verdict = mailauth::SpfVerdict::temperror;
    Findings dkim = failing(mailauth::DmarcPolicy::reject);
    dkim.dkim.resize(1);
    dkim.dkim[0].verdict = mailauth::DkimVerdict::temperror;
    Findings dmarc = failing(mailauth::DmarcPolicy::reject);
    dmarc.dmarc.verdict = mailauth::DmarcVerdict::temperror;
    for (const Findings& findings : {spf, dkim, dmarc}) {
        EXPECT_FALSE(decide(findings, true).refusal);
        EXPECT_FALSE(decide(findings, true).junk);
    }
}

TEST(SmtpVerdict, QuarantineIsJunkAndNothingIsDoneUnlessEnforced) {
    EXPECT_TRUE(decide(failing(mailauth::DmarcPolicy::quarantine), true).junk);
    EXPECT_FALSE(decide(failing(mailauth::DmarcPolicy::quarantine), false).junk);
    EXPECT_FALSE(decide(failing(mailauth::DmarcPolicy::reject), false).refusal);
    EXPECT_FALSE(decide(failing(mailauth::DmarcPolicy::none), true).junk);
}

TEST(SmtpRate, TheBucketFillsSteadily) {
    RecipientRate rate(2);
    const auto start = RecipientRate::Clock::time_point{} + std::chrono::hours(1);
    EXPECT_TRUE(rate.take(AccountId(1), start));
    EXPECT_TRUE(rate.take(AccountId(1), start));
    EXPECT_FALSE(rate.take(AccountId(1), start));
    EXPECT_TRUE(rate.take(AccountId(2), start));
    EXPECT_FALSE(rate.take(AccountId(1), start + std::chrono::minutes(29)));
    EXPECT_TRUE(rate.take(AccountId(1), start + std::chrono::minutes(31)));
}

}  // namespace
}  // namespace mailstead::smtpd
