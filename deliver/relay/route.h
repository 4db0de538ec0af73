// Which hosts take a domain's mail, in the order to try them (RFC 5321, 5.1). Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/address/domain.h"
#include "common/dns/records.h"
#include "common/smtp/reply.h"

namespace mailstead::deliver {

// Names to look up and dial, best first; at least one.
struct MxHosts {
    std::vector<std::string> names;
    bool authenticated = false;  // the MX answer was DNSSEC-validated by a resolver we trust
};
// No attempt makes sense: now (transient) or ever.
struct NoRoute {
    smtp::EnhancedCode status;
    std::string reason;
    bool permanent = false;
};
using Route = std::variant<MxHosts, NoRoute>;

// Puts hosts of equal preference into an order of its choice; identity in tests.
using Shuffle = std::function<void(std::vector<std::string>&)>;

inline constexpr std::size_t kMaxMxHosts = 20;

// From the answer to the MX question. `own_name`: our host name; when it is among the hosts, those that are
// not better than us are left out, so that mail does not run in a circle.
Route route_by_mx(const Domain& destination, const dns::Answer<dns::Mx>& answer, std::string_view own_name,
                  const Shuffle& shuffle);

}  // namespace mailstead::deliver
