// What a server announced in its answer to EHLO (RFC 5321, 4.1.1.1), as the relay needs it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/smtp/reply.h"

namespace mailstead::smtp {

struct Capabilities {
    bool size = false;                            // RFC 1870
    std::optional<std::uint64_t> size_limit;      // octets; nullopt: none announced (a limit of 0 means none)
    bool pipelining = false;                      // RFC 2920
    bool starttls = false;                        // RFC 3207
    bool eight_bit_mime = false;                  // RFC 6152
    bool smtputf8 = false;                        // RFC 6531
    bool dsn = false;                             // RFC 3461
    bool chunking = false;                        // RFC 3030
    bool binary_mime = false;                     // RFC 3030
    bool enhanced_status_codes = false;           // RFC 2034
    bool require_tls = false;                     // RFC 8689
    std::vector<std::string> auth;                // RFC 4954; mechanisms in capitals
    std::optional<std::uint32_t> limit_rcpt_max;  // RFC 9422
    std::optional<std::uint32_t> limit_mail_max;  // RFC 9422
    std::optional<std::uint32_t> limit_rcpt_domain_max;  // RFC 9422

    // Whether `mechanism` (in capitals) is offered.
    bool offers_auth(std::string_view mechanism) const;
};

// From a 250 reply to EHLO; its first line is the server's name. Unknown keywords and malformed values are
// passed over; `AUTH=LOGIN` with an equals sign, as old Exchange servers write it, counts as well. Never
// fails.
Capabilities parse_capabilities(const Reply& reply);

}  // namespace mailstead::smtp
