// What authenticating a message costs: DKIM signing and verifying by size, SPF and DMARC evaluation without
// the network.
#include <benchmark/benchmark.h>

#include "common/mailauth/dkim.h"
#include "common/mailauth/dmarc.h"
#include "common/mailauth/spf.h"

namespace {

using namespace mailstead;
using namespace mailstead::mailauth;

const std::string kHeader =
    "From: Ann <ann@example.org>\r\nTo: Bob <bob@example.net>\r\nSubject: Dinner\r\n"
    "Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n";

std::string body_of(std::size_t size) {
    std::string body;
    while (body.size() < size)
        body += "The quick brown fox jumps over the lazy dog and comes back home again.\r\n";
    return body;
}

std::shared_ptr<const DkimKey> key_of(std::int64_t kind) {
    auto key = DkimKey::generate(kind == 0 ? DkimAlgorithm::rsa_sha256 : DkimAlgorithm::ed25519_sha256);
    return std::make_shared<const DkimKey>(std::move(*key));
}

std::string sign(const std::shared_ptr<const DkimKey>& key, const std::string& body) {
    DkimSignOptions options;
    options.domain = "example.org";
    DkimSigner signer(options, {{"s", key}}, Time(Seconds{1795000000}));
    signer.headers(kHeader);
    signer.body(body);
    return *signer.finish();
}

// Arguments: 0 for RSA-2048 or 1 for Ed25519; octets of the body.
void dkim_sign(benchmark::State& state) {
    const auto key = key_of(state.range(0));
    const std::string body = body_of(static_cast<std::size_t>(state.range(1)));
    for (auto _ : state) benchmark::DoNotOptimize(sign(key, body));
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(dkim_sign)->ArgsProduct({{0, 1}, {4 << 10, 1 << 20}});

void dkim_verify(benchmark::State& state) {
    const auto key = key_of(state.range(0));
    const std::string body = body_of(static_cast<std::size_t>(state.range(1)));
    const std::string header = sign(key, body) + kHeader;
    const dns::AnyAnswer record = dns::AnyAnswer::of({dns::Txt{key->public_record()}});
    for (auto _ : state) {
        DkimVerifier verifier{Time(Seconds{1795000000})};
        verifier.headers(header);
        verifier.body(body);
        verifier.end_of_body();
        drive(verifier, [&](const dns::Question&) { return record; });
        if (verifier.results().at(0).verdict != DkimVerdict::pass)
            state.SkipWithError("signature does not verify");
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(dkim_verify)->ArgsProduct({{0, 1}, {4 << 10, 1 << 20}});

void spf_evaluate(benchmark::State& state) {
    const dns::AnyAnswer outer = dns::AnyAnswer::of({dns::Txt{"v=spf1 include:_spf.example.net mx -all"}});
    const dns::AnyAnswer inner = dns::AnyAnswer::of(
        {dns::Txt{"v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 ip6:2001:db8::/32 ip4:192.0.2.0/24 ~all"}});
    SpfInput input;
    input.client = *dns::IpAddress::parse("192.0.2.7");
    input.helo = "mail.example.org";
    input.mail_from = *Address::parse("ann@example.org");
    for (auto _ : state) {
        SpfEvaluation evaluation(input);
        drive(evaluation,
              [&](const dns::Question& question) { return question.name == "example.org" ? outer : inner; });
        if (evaluation.result().verdict != SpfVerdict::pass) state.SkipWithError("no pass");
    }
}
BENCHMARK(spf_evaluate);

void dmarc_evaluate(benchmark::State& state) {
    const dns::AnyAnswer record =
        dns::AnyAnswer::of({dns::Txt{"v=DMARC1; p=reject; rua=mailto:a@example.org"}});
    for (auto _ : state) {
        DmarcInput input;
        input.authors.domains.push_back(*Domain::parse("example.org"));
        input.dkim_domains = {"example.org"};
        DmarcEvaluation evaluation(std::move(input));
        drive(evaluation, [&](const dns::Question&) { return record; });
        benchmark::DoNotOptimize(evaluation.result());
    }
}
BENCHMARK(dmarc_evaluate);

}  // namespace
