// From what SPF, DKIM and DMARC found to what is done with the message. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dkim.h"
#include "common/mailauth/dmarc.h"
#include "common/mailauth/iprev.h"
#include "common/mailauth/spf.h"
#include "common/smtp/reply.h"

namespace mailstead::smtpd {

struct Findings {
    mailauth::SpfResult spf;
    mailauth::IprevResult iprev;
    std::vector<mailauth::DkimResult> dkim;
    mailauth::DmarcResult dmarc;
};

struct Decision {
    std::optional<smtp::Reply> refusal;
    bool junk = false;
};

// Refuses only when a policy of p=reject definitively failed and `enforce` is set; what the DNS did not tell
// never refuses. A policy of quarantine files into junk.
Decision decide(const Findings& findings, bool enforce);

// `spf=pass dkim=pass dmarc=none`, for the log and the ledger.
std::string summarize(const Findings& findings);

// The Authentication-Results field with CRLF.
std::string write_results(const Findings& findings, std::string_view hostname, const dns::IpAddress& client);

}  // namespace mailstead::smtpd
