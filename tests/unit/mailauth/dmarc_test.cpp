#include "common/mailauth/dmarc.h"

#include "tests/unit/mailauth/zone.h"

namespace mailstead::mailauth {
namespace {

DmarcInput input(const std::vector<std::string>& authors, const std::string& spf = "",
                 std::vector<std::string> dkim = {}) {
    DmarcInput in;
    for (const std::string& author : authors) in.authors.domains.push_back(Domain::parse(author).value());
    in.spf = spf.empty() ? SpfVerdict::fail : SpfVerdict::pass;
    in.spf_domain = spf;
    in.dkim_domains = std::move(dkim);
    return in;
}

DmarcResult evaluate(const DmarcInput& in, const dns::FakeResolver& resolver) {
    DmarcEvaluation evaluation(in);
    drive_with(evaluation, resolver);
    return evaluation.result();
}

struct Case {
    const char* name;
    const char* author;
    const char* spf;   // domain that passed
    const char* dkim;  // likewise
    DmarcVerdict verdict;
    DmarcPolicy apply;
    const char* policy_domain;
};

constexpr auto kNone = DmarcPolicy::none;
constexpr auto kQuarantine = DmarcPolicy::quarantine;
constexpr auto kReject = DmarcPolicy::reject;

const char* const kZone = R"(
    _dmarc.example.com TXT "v=DMARC1; p=reject; sp=quarantine; np=reject"
    sub.example.com A 192.0.2.1
    strict.com A 192.0.2.1
    _dmarc.strict.com TXT "v=DMARC1; p=quarantine; adkim=s; aspf=s"
    _dmarc.testing.com TXT "v=DMARC1; p=reject; t=y"
    _dmarc.testing2.com TXT "v=DMARC1; p=quarantine; t=y"
    _dmarc.none.com TXT "v=DMARC1; p=none"
    _dmarc.own.example.com TXT "v=DMARC1; p=none"
    _dmarc.unit.big.com TXT "v=DMARC1; p=reject; psd=n"
    _dmarc.big.com TXT "v=DMARC1; p=none; sp=quarantine"
    _dmarc.suffix TXT "v=DMARC1; p=none; sp=quarantine; np=reject; psd=y"
    shop.suffix A 192.0.2.1
    _dmarc.registered.suffix TXT "v=DMARC1; p=reject"
    _dmarc.two.com TXT "v=DMARC1; p=reject"
    _dmarc.two.com TXT "v=DMARC1; p=none"
    _dmarc.text.com TXT "some text"
    _dmarc.text.com TXT "v=DMARC1; p=reject"
    _dmarc.bad.com TXT "v=DMARC1; p=drop"
    _dmarc.dead.com FAIL
    _dmarc.i.j.k.example.com TXT "v=DMARC1; p=none"
)";

const Case kCases[] = {
    {"SPF of the author domain", "example.com", "example.com", "", DmarcVerdict::pass, kNone, "example.com"},
    {"DKIM of the author domain", "example.com", "", "example.com", DmarcVerdict::pass, kNone, "example.com"},
    {"DKIM of a subdomain, relaxed", "example.com", "", "mail.example.com", DmarcVerdict::pass, kNone,
     "example.com"},
    {"DKIM of the parent, relaxed", "sub.example.com", "", "example.com", DmarcVerdict::pass, kNone,
     "example.com"},
    {"SPF of a sibling, relaxed", "sub.example.com", "bounce.example.com", "", DmarcVerdict::pass, kNone,
     "example.com"},
    {"SPF of a stranger", "example.com", "evil.net", "", DmarcVerdict::fail, kReject, "example.com"},
    {"names that only end alike", "example.com", "badexample.com", "", DmarcVerdict::fail, kReject,
     "example.com"},
    {"nothing passed", "example.com", "", "", DmarcVerdict::fail, kReject, "example.com"},
    {"sp for a subdomain that exists", "sub.example.com", "", "", DmarcVerdict::fail, kQuarantine,
     "example.com"},
    {"np for one that does not", "ghost.example.com", "", "", DmarcVerdict::fail, kReject, "example.com"},
    {"record of the subdomain itself", "own.example.com", "", "", DmarcVerdict::fail, kNone,
     "own.example.com"},
    {"records on the way are not the policy", "h.i.j.k.example.com", "", "", DmarcVerdict::fail, kReject,
     "example.com"},
    {"strict refuses a subdomain", "strict.com", "", "mail.strict.com", DmarcVerdict::fail, kQuarantine,
     "strict.com"},
    {"strict takes the domain", "strict.com", "strict.com", "", DmarcVerdict::pass, kNone, "strict.com"},
    {"t=y lowers reject", "testing.com", "", "", DmarcVerdict::fail, kQuarantine, "testing.com"},
    {"t=y lowers quarantine", "testing2.com", "", "", DmarcVerdict::fail, kNone, "testing2.com"},
    {"p=none", "none.com", "", "", DmarcVerdict::fail, kNone, "none.com"},
    {"no record", "nothing.net", "nothing.net", "", DmarcVerdict::none, kNone, ""},
    {"psd=n ends the organization", "unit.big.com", "", "big.com", DmarcVerdict::fail, kReject,
     "unit.big.com"},
    {"psd=n holds within", "a.unit.big.com", "", "b.unit.big.com", DmarcVerdict::pass, kNone, "unit.big.com"},
    {"psd=n is not passed from above", "big.com", "", "unit.big.com", DmarcVerdict::fail, kNone, "big.com"},
    {"psd=y: policy for a name without record", "shop.suffix", "", "", DmarcVerdict::fail, kQuarantine,
     "suffix"},
    {"psd=y: a name that does not exist", "ghost.suffix", "", "", DmarcVerdict::fail, kReject, "suffix"},
    {"psd=y: organization is one label below", "a.shop.suffix", "", "b.shop.suffix", DmarcVerdict::pass,
     kNone, "suffix"},
    {"psd=y: two names below it are strangers", "shop.suffix", "", "other.suffix", DmarcVerdict::fail,
     kQuarantine, "suffix"},
    {"psd=y: a registered name has its own", "registered.suffix", "", "", DmarcVerdict::fail, kReject,
     "registered.suffix"},
    {"psd=y: its subdomain uses that", "x.registered.suffix", "", "", DmarcVerdict::fail, kReject,
     "registered.suffix"},
    {"psd=y itself", "suffix", "suffix", "", DmarcVerdict::pass, kNone, "suffix"},
    {"two records are none", "two.com", "", "", DmarcVerdict::none, kNone, ""},
    {"other texts are skipped", "text.com", "", "", DmarcVerdict::fail, kReject, "text.com"},
    {"wrong record is none", "bad.com", "", "", DmarcVerdict::none, kNone, ""},
    {"DNS failure", "dead.com", "", "", DmarcVerdict::temperror, kNone, ""},
    {"DNS failure above", "x.dead.com", "", "", DmarcVerdict::temperror, kNone, ""},
};

TEST(Dmarc, EachCaseGivesItsResult) {
    const auto resolver = zone(kZone);
    for (const Case& c : kCases) {
        SCOPED_TRACE(c.name);
        std::vector<std::string> dkim;
        if (*c.dkim != '\0') dkim.emplace_back(c.dkim);
        const auto result = evaluate(input({c.author}, c.spf, dkim), resolver);
        EXPECT_EQ(to_string(result.verdict), to_string(c.verdict)) << result.reason;
        EXPECT_EQ(to_string(result.apply), to_string(c.apply)) << result.reason;
        EXPECT_EQ(result.policy_domain, c.policy_domain);
        EXPECT_EQ(result.domain, c.author);
    }
}

TEST(Dmarc, UsualCaseTakesOneQuestion) {
    const auto resolver = zone(kZone);
    evaluate(input({"example.com"}, "example.com", {"example.com"}), resolver);
    ASSERT_EQ(resolver.asked().size(), 1U);
    EXPECT_EQ(resolver.asked()[0].name, "_dmarc.example.com");
}

TEST(Dmarc, StrangersAreNotWalked) {
    const auto resolver = zone(kZone);
    evaluate(input({"example.com"}, "a.b.evil.net", {"c.d.evil.org"}), resolver);
    for (const auto& question : resolver.asked()) EXPECT_EQ(question.name.find("evil"), std::string::npos);
}

TEST(Dmarc, SignaturesAreBounded) {
    const auto resolver = zone(kZone);
    std::vector<std::string> dkim;
    for (int i = 0; i < 100; ++i) dkim.push_back("s" + std::to_string(i) + ".unit.example.com");
    EXPECT_EQ(evaluate(input({"sub.example.com"}, "", dkim), resolver).verdict, DmarcVerdict::pass);
    EXPECT_LT(resolver.asked().size(), 30U);
}

TEST(Dmarc, WorstOfSeveralAuthorsCounts_Rfc9989_5_3_1) {
    const auto resolver = zone(kZone);
    const auto result = evaluate(input({"none.com", "example.com", "nothing.net"}, "none.com"), resolver);
    EXPECT_EQ(result.verdict, DmarcVerdict::fail);
    EXPECT_EQ(result.apply, kReject);
    EXPECT_EQ(result.domain, "example.com");
    const auto good = evaluate(input({"none.com", "example.com"}, "none.com", {"example.com"}), resolver);
    EXPECT_EQ(good.verdict, DmarcVerdict::pass);
}

TEST(Dmarc, NoAuthorOrTooMany) {
    const auto resolver = zone(kZone);
    EXPECT_EQ(evaluate(input({}), resolver).verdict, DmarcVerdict::permerror);
    EXPECT_EQ(evaluate(input({}), resolver).apply, kQuarantine);
    const auto many = evaluate(input({"a.com", "b.com", "c.com", "d.com"}), resolver);
    EXPECT_EQ(many.verdict, DmarcVerdict::permerror);
    EXPECT_EQ(many.apply, kQuarantine);
    EXPECT_TRUE(resolver.asked().empty());
}

TEST(Dmarc, AuthorThatCannotBeReadIsNoPass) {
    const auto resolver = zone(kZone);
    DmarcInput in = input({"example.com"}, "example.com");
    in.authors.complete = false;
    const auto result = evaluate(in, resolver);
    EXPECT_EQ(result.verdict, DmarcVerdict::permerror);
    EXPECT_EQ(result.apply, kQuarantine);
    in.spf = SpfVerdict::fail;
    EXPECT_EQ(evaluate(in, resolver).verdict, DmarcVerdict::fail);
    EXPECT_EQ(evaluate(in, resolver).apply, kReject);
}

TEST(Dmarc, IsTemperrorUntilItHasItsAnswers) {
    DmarcEvaluation evaluation(input({"example.com"}));
    EXPECT_EQ(evaluation.result().verdict, DmarcVerdict::temperror);
}

// What the next try may settle is not refused for good.
TEST(Dmarc, UnsettledSignatureOfTheAuthorIsTemperror) {
    const auto resolver = zone(kZone);
    DmarcInput in = input({"example.com"});
    in.unsettled_domains = {"mail.example.com"};
    EXPECT_EQ(evaluate(in, resolver).verdict, DmarcVerdict::temperror);
    in.unsettled_domains = {"evil.net"};
    EXPECT_EQ(evaluate(in, resolver).verdict, DmarcVerdict::fail);
    in.unsettled_domains = {"mail.example.com"};
    in.dkim_domains = {"evil.net"};
    EXPECT_EQ(evaluate(in, resolver).verdict, DmarcVerdict::temperror);
}

TEST(Dmarc, InputTakesWhatPassed) {
    SpfResult spf;
    spf.verdict = SpfVerdict::temperror;
    spf.domain = "bounce.example";
    std::vector<DkimResult> dkim(3);
    dkim[0].verdict = DkimVerdict::pass;
    dkim[0].domain = "good.example";
    dkim[1].verdict = DkimVerdict::temperror;
    dkim[1].domain = "slow.example";
    dkim[2].verdict = DkimVerdict::policy;
    dkim[2].domain = "tail.example";
    const auto in = DmarcInput::of({}, spf, dkim);
    EXPECT_EQ(in.dkim_domains, std::vector<std::string>{"good.example"});
    EXPECT_EQ(in.unsettled_domains, (std::vector<std::string>{"bounce.example", "slow.example"}));
}

TEST(Dmarc, EndsWhicheverLookupFails) {
    const auto resolver = zone(kZone);
    const auto in =
        input({"ghost.example.com"}, "a.sub.example.com", {"b.own.example.com", "x.y.z.w.example.net"});
    evaluate(in, resolver);
    const std::size_t questions = resolver.asked().size();
    ASSERT_GT(questions, 4U);
    for (std::size_t failing = 0; failing < questions; ++failing) {
        DmarcEvaluation evaluation(in);
        std::size_t asked = 0;
        drive(evaluation, [&](const dns::Question& question) {
            return asked++ == failing ? dns::AnyAnswer::failure("test") : resolver.answer(question);
        });
        EXPECT_TRUE(evaluation.questions().empty());
    }
}

}  // namespace
}  // namespace mailstead::mailauth
