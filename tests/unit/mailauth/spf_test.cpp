#include "common/mailauth/spf.h"

#include <algorithm>

#include "common/base/text.h"
#include "tests/unit/mailauth/zone.h"

namespace mailstead::mailauth {
namespace {

struct SpfCase {
    std::string name, client, helo, sender, verdicts, mechanism, explanation;
};

struct SpfTable {
    dns::FakeResolver resolver;
    std::vector<SpfCase> cases;
};

std::vector<std::string> columns(std::string_view line) {
    std::vector<std::string> out;
    while (!line.empty()) out.emplace_back(text::trim(text::next_field(line, '|')));
    out.resize(7);
    return out;
}

std::vector<SpfTable> read_tables(const std::string& file) {
    std::vector<SpfTable> tables;
    const std::string text = read_data("spf/" + file);
    std::string_view rest = text;
    std::string zone_lines;
    bool in_zone = false;
    while (!rest.empty()) {
        const std::string_view line = text::next_field(rest, '\n');
        if (line == "== zone") {
            in_zone = true;
            zone_lines.clear();
        } else if (line == "== cases") {
            in_zone = false;
            tables.push_back({zone(zone_lines), {}});
        } else if (in_zone) {
            zone_lines += std::string(line) + "\n";
        } else if (!line.empty() && line.front() != '#') {
            const auto c = columns(line);
            tables.back().cases.push_back({c[0], c[1], c[2], c[3], c[4], c[5], c[6]});
        }
    }
    return tables;
}

SpfInput input(const std::string& client, const std::string& helo, const std::string& sender) {
    SpfInput in;
    in.client = dns::IpAddress::parse(client).value();
    in.helo = helo;
    in.receiver = "mx.receiver.example";
    in.now = at(1700000000);
    if (sender != "<>") in.mail_from = Address::parse(sender).value();
    return in;
}

class SpfTables : public testing::TestWithParam<const char*> {};

TEST_P(SpfTables, EachCaseGivesItsVerdict) {
    std::size_t count = 0;
    for (const SpfTable& table : read_tables(GetParam())) {
        for (const SpfCase& c : table.cases) {
            SCOPED_TRACE(c.name);
            ++count;
            SpfEvaluation evaluation(input(c.client, c.helo, c.sender));
            drive_with(evaluation, table.resolver);
            const SpfResult& result = evaluation.result();
            const std::string verdict(to_string(result.verdict));
            EXPECT_NE(("/" + c.verdicts + "/").find("/" + verdict + "/"), std::string::npos)
                << verdict << " instead of " << c.verdicts << ": " << result.reason;
            if (!c.mechanism.empty()) {
                EXPECT_EQ(result.mechanism, c.mechanism);
            }
            if (!c.explanation.empty()) {
                EXPECT_EQ(result.explanation, c.explanation == "-" ? "" : c.explanation);
            }
        }
    }
    EXPECT_GT(count, 5U);
}

INSTANTIATE_TEST_SUITE_P(All, SpfTables,
                         testing::Values("records.txt", "identities.txt", "syntax.txt", "mechanisms.txt",
                                         "include_redirect.txt", "macros.txt", "limits.txt"),
                         [](const auto& tested) {
                             const std::string name = tested.param;
                             return name.substr(0, name.find('.'));
                         });

TEST(Spf, NamesTheRecordThatDecided) {
    const auto resolver = zone(R"(
        example.org TXT "v=spf1 include:_spf.provider.example ~all"
        _spf.provider.example TXT "v=spf1 ip4:192.0.2.0/24 -all")");
    SpfEvaluation evaluation(input("192.0.2.9", "h.example", "u@example.org"));
    drive_with(evaluation, resolver);
    EXPECT_EQ(evaluation.result().domain, "example.org");
    EXPECT_EQ(evaluation.result().policy_domain, "_spf.provider.example");
    EXPECT_EQ(evaluation.result().reason,
              "192.0.2.9 is allowed by ip4:192.0.2.0/24 of _spf.provider.example");
    EXPECT_EQ(evaluation.result().lookups, 1U);
}

TEST(Spf, HeloCanBeCheckedBesideTheSender) {
    const auto resolver =
        zone("mail.example TXT \"v=spf1 ip4:192.0.2.1 -all\"\nexample.org TXT \"v=spf1 -all\"");
    SpfEvaluation evaluation(input("192.0.2.1", "mail.example", "u@example.org"), SpfIdentity::helo);
    drive_with(evaluation, resolver);
    EXPECT_EQ(evaluation.result().verdict, SpfVerdict::pass);
    EXPECT_EQ(evaluation.result().identity, SpfIdentity::helo);
    EXPECT_EQ(evaluation.result().domain, "mail.example");
}

TEST(Spf, AsksForAllMxHostsInOneRound) {
    const auto resolver = zone(R"(
        example.org TXT "v=spf1 mx -all"
        example.org MX 10 a.example.org
        example.org MX 10 b.example.org
        b.example.org A 192.0.2.1)");
    SpfEvaluation evaluation(input("192.0.2.1", "h.example", "u@example.org"));
    std::vector<std::size_t> rounds;
    while (!evaluation.questions().empty()) {
        rounds.push_back(evaluation.questions().size());
        Answers answers;
        for (const auto& question : evaluation.questions()) answers.push_back(resolver.answer(question));
        evaluation.answer(std::move(answers));
    }
    EXPECT_EQ(rounds, (std::vector<std::size_t>{1, 1, 2}));
    EXPECT_EQ(evaluation.result().verdict, SpfVerdict::pass);
}

TEST(Spf, MatchBesideAFailingMxHostStillPasses) {
    const auto resolver = zone(R"(
        example.org TXT "v=spf1 mx -all"
        example.org MX 10 a.example.org
        example.org MX 10 b.example.org
        a.example.org FAIL
        b.example.org A 192.0.2.1)");
    SpfEvaluation evaluation(input("192.0.2.1", "h.example", "u@example.org"));
    drive_with(evaluation, resolver);
    EXPECT_EQ(evaluation.result().verdict, SpfVerdict::pass);
}

// Whatever question fails, the evaluation ends, and never with a fail that a working DNS would not have
// given.
TEST(Spf, EndsWhicheverLookupFails) {
    const auto resolver = zone(R"(
        example.org TXT "v=spf1 include:in.example mx ptr exists:%{p}.x.example redirect=re.example"
        example.org MX 10 mail.example.org
        mail.example.org A 192.0.2.7
        in.example TXT "v=spf1 a:mail.example.org -all"
        re.example TXT "v=spf1 -all exp=why.example"
        why.example TXT "because"
        1.2.0.192.in-addr.arpa PTR h.other.example
        h.other.example A 192.0.2.1)");
    SpfEvaluation whole(input("192.0.2.1", "h.example", "u@example.org"));
    drive_with(whole, resolver);
    ASSERT_EQ(whole.result().verdict, SpfVerdict::fail);
    ASSERT_EQ(whole.result().explanation, "because");
    const std::size_t questions = resolver.asked().size();
    for (std::size_t failing = 0; failing < questions; ++failing) {
        SpfEvaluation evaluation(input("192.0.2.1", "h.example", "u@example.org"));
        std::size_t asked = 0;
        drive(evaluation, [&](const dns::Question& question) {
            return asked++ == failing ? dns::AnyAnswer::failure("test") : resolver.answer(question);
        });
        EXPECT_TRUE(evaluation.result().verdict == SpfVerdict::temperror ||
                    evaluation.result().verdict == SpfVerdict::fail)
            << failing;
    }
}

TEST(Spf, IgnoresAnswersThatNobodyAskedFor) {
    SpfEvaluation evaluation(input("192.0.2.1", "localhost", "<>"));
    EXPECT_TRUE(evaluation.questions().empty());
    evaluation.answer({dns::AnyAnswer::no_name()});
    EXPECT_EQ(evaluation.result().verdict, SpfVerdict::none);
    SpfEvaluation asking(input("192.0.2.1", "h.example", "u@example.org"));
    asking.answer({});
    EXPECT_EQ(asking.questions().size(), 1U);
    EXPECT_EQ(asking.result().verdict, SpfVerdict::temperror);
}

}  // namespace
}  // namespace mailstead::mailauth
