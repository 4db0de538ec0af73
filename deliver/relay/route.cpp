#include "deliver/relay/route.h"

#include <algorithm>
#include <map>

#include "common/base/text.h"

namespace mailstead::deliver {
namespace {

NoRoute never(smtp::EnhancedCode status, std::string reason) {
    return NoRoute{status, std::move(reason), true};
}

bool is_null_mx(const std::vector<dns::Mx>& records) {
    return records.size() == 1 && records.front().exchange.empty();
}

std::map<std::uint16_t, std::vector<std::string>> by_preference(const std::vector<dns::Mx>& records) {
    std::map<std::uint16_t, std::vector<std::string>> hosts;
    for (const auto& record : records) {
        const auto name = Domain::parse(record.exchange);
        if (name && !name->is_literal()) hosts[record.preference].push_back(name->ascii());
    }
    return hosts;
}

}  // namespace

Route route_by_mx(const Domain& destination, const dns::Answer<dns::Mx>& answer, std::string_view own_name,
                  const Shuffle& shuffle) {
    if (answer.failed())
        return NoRoute{
            {4, 4, 3}, "DNS does not answer for " + destination.ascii() + ": " + answer.error, false};
    if (answer.outcome == dns::Outcome::no_such_name) {
        return never({5, 1, 2}, "the domain " + destination.ascii() + " does not exist");
    }
    MxHosts hosts;
    hosts.authenticated = answer.authenticated;
    if (answer.outcome == dns::Outcome::no_such_record) {
        // The implicit MX (RFC 5321, 5.1).
        hosts.names.push_back(destination.ascii());
        return hosts;
    }
    // RFC 7505, 4.1: a null MX says that the domain takes no mail.
    if (is_null_mx(answer.records))
        return never({5, 1, 10}, "the domain " + destination.ascii() + " takes no mail (null MX)");

    auto preferences = by_preference(answer.records);
    if (preferences.empty())
        return never({5, 1, 2}, "the MX records of " + destination.ascii() + " name no valid host");
    for (auto& [preference, names] : preferences) {
        const bool ours = std::any_of(names.begin(), names.end(),
                                      [&](const auto& name) { return text::iequals(name, own_name); });
        if (ours) break;  // RFC 5321, 5.1: this and all less preferred ones are left out
        if (shuffle) shuffle(names);
        for (auto& name : names) {
            if (hosts.names.size() < kMaxMxHosts) hosts.names.push_back(std::move(name));
        }
    }
    if (hosts.names.empty()) {
        return never({5, 4, 6}, "the MX of " + destination.ascii() +
                                    " is this host, which does not know the domain: a mail loop");
    }
    return hosts;
}

}  // namespace mailstead::deliver
