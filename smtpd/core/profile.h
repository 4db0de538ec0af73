// What a session is told about the place where it came in. Shared by all sessions of a listener; never
// changes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/smtp/data_decoder.h"

namespace mailstead::smtpd {

enum class Service : std::uint8_t {
    exchange,    // port 25: mail from strangers for our own domains; never offers AUTH
    submission,  // ports 465 and 587: mail from our users, who log in first
};

// Everything that a peer can drive has a bound here.
struct CoreLimits {
    smtp::BodyLimits body;
    std::size_t command_octets = 4096;  // RFC 5321, 4.5.3.1.4 asks for 512, extensions for about 2,000 more
    std::size_t auth_line_octets = 12'288;   // RFC 4954, 4.3
    std::uint32_t recipients = 1000;         // of one message; RFC 5321, 4.5.3.1.8 asks for 100
    std::uint32_t transactions = 10'000;     // of one session
    std::uint32_t errors = 20;               // commands refused for their form or order
    std::uint32_t refused_recipients = 100;  // of one session
    std::uint32_t failed_logins = 3;         // of one session
    std::uint32_t idle_commands = 100;       // that bring no mail forward, in a row
    // RFC 5321, 4.5.3.2.7: at least five minutes for the next command.
    Milliseconds command_timeout{5 * 60'000};
    Milliseconds data_timeout{3 * 60'000};      // for the next piece of a message
    Milliseconds message_timeout{60 * 60'000};  // for all of it
    Milliseconds tls_timeout{60'000};
};

struct Profile {
    Service service = Service::exchange;
    std::string hostname;             // A-labels
    bool offers_starttls = false;     // a certificate is there and the listener does not begin with TLS
    bool tokens = false;              // OAuth tokens can be checked (RFC 7628)
    std::vector<std::string> hidden;  // EHLO keywords not offered; upper case
    CoreLimits limits;

    bool offers(std::string_view keyword) const;
};

}  // namespace mailstead::smtpd
