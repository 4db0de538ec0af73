// SPF, DKIM and DMARC of one message, asked of the DNS now: `mailstead check`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/failure.h"
#include "common/dns/records.h"
#include "common/mailauth/dkim.h"
#include "common/mailauth/dmarc.h"
#include "common/mailauth/spf.h"
#include "common/settings/settings.h"

namespace mailstead::admin {

// Where to ask; no servers: /etc/resolv.conf.
struct DnsChoice {
    std::vector<settings::Endpoint> servers;
};

struct DmarcCheck {
    mailauth::SpfResult spf;
    std::vector<mailauth::DkimResult> dkim;
    mailauth::DmarcResult dmarc;
};

Outcome<mailauth::SpfResult> check_spf(const DnsChoice& dns, mailauth::SpfInput input);
// `message` with CRLF or LF.
Outcome<std::vector<mailauth::DkimResult>> check_dkim(const DnsChoice& dns, std::string_view message);
Outcome<DmarcCheck> check_dmarc(const DnsChoice& dns, mailauth::SpfInput input, std::string_view message);

}  // namespace mailstead::admin
