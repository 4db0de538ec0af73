// A DMARC record and From fields from a stranger. Input: From body, a line end, then the answers for the tree
// walk.
#include <cstdlib>
#include <string_view>

#include "common/base/text.h"
#include "common/mailauth/dmarc.h"
#include "common/mailauth/results.h"

using namespace mailstead;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view from = text::next_field(text, '\n');
    (void)mailauth::parse_dmarc_record(text);
    (void)mailauth::pretends_to_be(text, "mx.example.org");

    mailauth::DmarcInput input;
    input.authors = mailauth::read_authors({&from, 1});
    input.spf = mailauth::SpfVerdict::pass;
    input.spf_domain = "a.b.example.org";
    for (const Domain& domain : input.authors.domains) input.dkim_domains.push_back("x." + domain.ascii());
    mailauth::DmarcEvaluation evaluation(std::move(input));
    unsigned asked = 0;
    std::string_view rest = text;
    mailauth::drive(evaluation, [&](const dns::Question& question) {
        if (!dns::is_askable(question.name)) std::abort();
        if (++asked > 300) std::abort();
        if (rest.empty()) rest = text;
        const std::string_view line = text::next_field(rest, '\n');
        if (line == "fail") return dns::AnyAnswer::failure("test");
        if (line.empty()) return dns::AnyAnswer::no_name();
        return dns::AnyAnswer::of({dns::Txt{std::string(line)}});
    });

    // Whatever the texts were, the field is one field.
    const mailauth::MethodResult results[] = {
        mailauth::method_result(evaluation.result()),
        {"spf", "none", std::string(text), {{"smtp.mailfrom", std::string(from)}}},
    };
    const std::string field = mailauth::write_authentication_results("mx.example.org", results);
    for (std::size_t at = 0; at < field.size(); ++at) {
        if (field[at] == '\n' && at + 1 < field.size() && field[at + 1] != '\t') std::abort();
        if (field[at] == '\r' && field[at + 1] != '\n') std::abort();
    }
    return 0;
}
