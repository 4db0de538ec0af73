// What the policies need to know of a message's header section, found in one pass. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "smtpd/core/profile.h"
#include "smtpd/policy/cut.h"

namespace mailstead::smtpd {

// Received fields; more are taken for a loop. RFC 5321, 6.3 speaks of 100, but no honest way has 50, and each
// turn of a loop costs.
inline constexpr unsigned kMaxHops = 50;

struct HeaderFacts {
    unsigned hops = 0;  // Received fields
    bool has_date = false;
    bool has_message_id = false;
    std::vector<std::string> from;  // values of all From fields
    std::string message_id;         // value of the first Message-ID
    std::vector<Cut> cuts;          // what the final message leaves out
};

// Left out: Return-Path, which is ours to write (RFC 5321, 4.4); Authentication-Results that claim to be from
// `authserv_id` (RFC 8601, 5); from our users also Bcc and Resent-Bcc (RFC 5322, 3.6.3).
HeaderFacts examine_header(std::string_view header, Service service, std::string_view authserv_id);

}  // namespace mailstead::smtpd
