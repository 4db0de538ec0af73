// A message with DKIM-Signature fields and the key records for it, all from a stranger. Input: key record, a
// line end, then the message.
#include <cstdlib>
#include <string_view>

#include "common/base/text.h"
#include "common/mailauth/dkim.h"
#include "common/mailauth/dkim_signature.h"

using namespace mailstead;

namespace {

std::vector<mailauth::DkimResult> verify(std::string_view header, std::string_view body,
                                         std::string_view record, std::size_t cut) {
    mailauth::DkimVerifier verifier{Time(Seconds{1795000000})};
    verifier.headers(header);
    mailauth::drive(verifier, [&](const dns::Question& question) {
        if (!dns::is_askable(question.name)) std::abort();
        return dns::AnyAnswer::of({dns::Txt{std::string(record)}});
    });
    verifier.body(body.substr(0, cut));
    verifier.body(body.substr(cut));
    verifier.end_of_body();
    return verifier.results();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view message(reinterpret_cast<const char*>(data), size);
    const std::string_view record = text::next_field(message, '\n');
    (void)mailauth::parse_dkim_key_record(record);
    (void)mailauth::read_dkim_signature(record);

    const std::size_t end = message.find("\r\n\r\n");
    const std::string_view header = message.substr(0, end);
    const std::string_view body = end == message.npos ? std::string_view() : message.substr(end + 4);
    const auto whole = verify(header, body, record, body.size());
    if (whole.size() > 8) std::abort();
    // Wherever the body is cut, the verdicts are the same.
    const auto cut = verify(header, body, record, body.size() / 2);
    for (std::size_t i = 0; i < whole.size(); ++i) {
        if (whole[i].verdict != cut[i].verdict || whole[i].reason != cut[i].reason) std::abort();
    }
    return 0;
}
