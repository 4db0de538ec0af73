// A stranger's SASL messages, cut into steps: no exchange may succeed without the password, and no
// exchange may go on for ever.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/unit/sasl/fake_source.h"

namespace {

using namespace mailstead::sasl;

// Steps are divided by this, which PLAIN does not need twice in a row.
constexpr std::string_view kCut("\0\0\0", 3);

void converse(std::string_view mechanism, std::string_view bytes) {
    FakeSource source;
    source.iterations = 1;
    source.passwords.clear();  // SCRAM: no proof can hold
    ChannelBindings bindings;
    bindings.tls_exporter = "exported";
    const OAuthFacts oauth{"mail", "https://id.example.org/"};
    const auto exchange = start_exchange(mechanism, source, bindings, &oauth);
    constexpr int kMoreThanAnyMechanismHas = 8;
    for (int step = 0; step < kMoreThanAnyMechanismHas; ++step) {
        const std::size_t end = std::min(bytes.find(kCut), bytes.size());
        const std::string_view message = bytes.substr(0, end);
        const bool hashes = exchange->look_ahead(message).work == Ahead::Work::hash;
        if (hashes && !mechanism.starts_with("PLAIN") && mechanism != "LOGIN") std::abort();
        Outcome outcome = exchange->step(message);
        if (const auto* question = std::get_if<CheckToken>(&outcome)) {
            if (question->token.empty() || message.find(question->token.reveal()) == std::string_view::npos)
                std::abort();
            outcome = exchange->on_token({TokenVerdict::Status::invalid, mailstead::AccountId(), {}});
        }
        const bool knows_password = source.seen_password == "pencil";
        if (std::holds_alternative<Success>(outcome) && !knows_password) std::abort();
        if (!std::holds_alternative<Challenge>(outcome)) return;
        bytes.remove_prefix(std::min(end + kCut.size(), bytes.size()));
    }
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    constexpr std::string_view kMechanisms[] = {
        "PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "OAUTHBEARER", "XOAUTH2"};
    converse(kMechanisms[data[0] % 6], {reinterpret_cast<const char*>(data) + 1, size - 1});
    return 0;
}
