// An SPF record from a stranger: parsed, and evaluated with answers that come from the input too.
#include <cstdlib>
#include <string_view>

#include "common/base/text.h"
#include "common/mailauth/spf.h"
#include "common/mailauth/spf_record.h"

using namespace mailstead;

namespace {

// The input is lines; each answers one question, in a circle.
class Script {
public:
    explicit Script(std::string_view text) : text_(text), rest_(text) {}

    dns::AnyAnswer answer(const dns::Question& question) {
        if (!dns::is_askable(question.name)) std::abort();
        if (++asked_ > 200) std::abort();  // RFC 7208, 4.6.4 bounds what one message can cost
        if (rest_.empty()) rest_ = text_;
        const std::string_view line = text::next_field(rest_, '\n');
        if (line == "fail") return dns::AnyAnswer::failure("test");
        if (line == "none") return dns::AnyAnswer::no_name();
        switch (question.type) {
            case dns::RecordType::txt:
                return dns::AnyAnswer::of({dns::Txt{std::string(line)}});
            case dns::RecordType::mx:
                return dns::AnyAnswer::of({dns::Mx{10, std::string(line)}});
            case dns::RecordType::ptr:
                return dns::AnyAnswer::of({dns::Target{std::string(line)}});
            default:
                break;
        }
        const auto address = dns::IpAddress::parse(line);
        return address ? dns::AnyAnswer::of({*address}) : dns::AnyAnswer::no_record();
    }

private:
    std::string_view text_;
    std::string_view rest_;
    unsigned asked_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    (void)mailauth::parse_spf_record(text);
    for (const char* client : {"192.0.2.1", "2001:db8::1"}) {
        mailauth::SpfInput input;
        input.client = *dns::IpAddress::parse(client);
        input.helo = "helo.example";
        input.mail_from = Address::parse("\"a.b c\"@example.org").value();
        mailauth::SpfEvaluation evaluation(input);
        Script script(text);
        mailauth::drive(evaluation, [&](const dns::Question& question) { return script.answer(question); });
        const auto& result = evaluation.result();
        if (result.lookups > 10) std::abort();
        for (const char c : result.explanation) {
            if (c < 0x20 || c > 0x7E) std::abort();
        }
    }
    return 0;
}
