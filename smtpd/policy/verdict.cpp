#include "smtpd/policy/verdict.h"

#include <algorithm>

#include "common/mailauth/results.h"

namespace mailstead::smtpd {
namespace {

using mailauth::DkimVerdict;
using mailauth::DmarcPolicy;
using mailauth::DmarcVerdict;
using mailauth::SpfVerdict;

// Another answer of the DNS might have made it pass.
bool inconclusive(const Findings& findings) {
    return findings.spf.verdict == SpfVerdict::temperror ||
           std::any_of(findings.dkim.begin(), findings.dkim.end(),
                       [](const auto& signature) { return signature.verdict == DkimVerdict::temperror; });
}

std::string_view best_dkim(const Findings& findings) {
    if (findings.dkim.empty()) return "none";
    for (const auto& signature : findings.dkim) {
        if (signature.verdict == DkimVerdict::pass) return "pass";
    }
    return to_string(findings.dkim.front().verdict);
}

}  // namespace

Decision decide(const Findings& findings, bool enforce) {
    const mailauth::DmarcResult& dmarc = findings.dmarc;
    if (!enforce || dmarc.verdict == DmarcVerdict::temperror || dmarc.verdict == DmarcVerdict::pass)
        return {};
    Decision decision;
    if (dmarc.apply == DmarcPolicy::none || inconclusive(findings)) return decision;
    if (dmarc.apply == DmarcPolicy::reject && dmarc.verdict == DmarcVerdict::fail) {
        decision.refusal = smtp::Reply(
            550, smtp::EnhancedCode{5, 7, 1},
            "The DMARC policy of " + dmarc.domain + " asks to refuse this message: " + dmarc.reason);
        return decision;
    }
    decision.junk = true;
    return decision;
}

std::string summarize(const Findings& findings) {
    std::string out = "spf=";
    out += to_string(findings.spf.verdict);
    out += " dkim=";
    out += best_dkim(findings);
    out += " dmarc=";
    out += to_string(findings.dmarc.verdict);
    return out;
}

std::string write_results(const Findings& findings, std::string_view hostname, const dns::IpAddress& client) {
    std::vector<mailauth::MethodResult> results;
    results.reserve(findings.dkim.size() + 3);
    results.push_back(mailauth::method_result(findings.spf));
    for (const auto& signature : findings.dkim) results.push_back(mailauth::method_result(signature));
    // RFC 8601, 2.7.1: "none" says that it was looked for.
    if (findings.dkim.empty()) results.push_back({"dkim", "none", "", {}});
    results.push_back(mailauth::method_result(findings.dmarc));
    results.push_back(mailauth::method_result(findings.iprev, client));
    return mailauth::write_authentication_results(hostname, results);
}

}  // namespace mailstead::smtpd
