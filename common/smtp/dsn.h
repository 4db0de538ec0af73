// Delivery status notifications as messages (RFC 3461, 6; RFC 3464; RFC 6522; RFC 6533). Values in, text out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address/address.h"
#include "common/base/clock.h"
#include "common/smtp/parameters.h"
#include "common/smtp/reply.h"

namespace mailstead::smtp {

// RFC 3464, 2.3.3
enum class DsnAction : std::uint8_t { failed, delayed, delivered, relayed, expanded };
std::string_view to_string(DsnAction action);

struct DsnRecipient {
    Address final_recipient;
    std::optional<OriginalRecipient> original;  // ORCPT, as it came
    DsnAction action = DsnAction::failed;
    EnhancedCode status;      // 5.1.1, 4.4.1, 2.0.0; the class is made to fit the action
    std::string remote_mta;   // name of the host that answered; empty: none was reached
    std::string diagnostic;   // the remote's own words, `550 5.1.1 ...`; empty: none. Type `smtp`.
    std::string explanation;  // for people, one sentence; empty: made from the status
    std::optional<Time> last_attempt;
    std::optional<Time> will_retry_until;  // with `delayed`
};

struct DsnReport {
    Address reporter;           // From: `MAILER-DAEMON@mail.example.org` or the like; display name added
    Address sender;             // To: the reverse-path of the original; never the null path
    std::string reporting_mta;  // our host name
    std::string message_id;     // without angle brackets, for this report
    std::string
        boundary;  // unique token of 1-60 letters and digits; the caller has randomness, this code has none
    Time date;
    Time arrival;                            // when the original arrived
    std::optional<std::string> envelope_id;  // decoded ENVID
    std::vector<DsnRecipient> recipients;    // at least one

    // What goes back of the original: all of it, or its header section (RFC 3461, 6.2). `original` may be the
    // whole message in both cases; only what is wanted is used. CRLF line endings.
    DsnReturn ret = DsnReturn::headers;
    std::string_view original;
    std::string_view original_message_id;  // `<...>` for References; may be empty
    // Whether the sender can take internationalized reports: SMTPUTF8 was used by the original (RFC 6533).
    // Otherwise everything is ASCII, with addresses in utf-8-addr-xtext.
    bool smtputf8 = false;
};

// The whole report, with CRLF line endings, ready for the queue or for delivery with the null reverse-path.
// Reports about `failed` ones never return more than the header of an original over `kDsnFullLimit` octets.
inline constexpr std::size_t kDsnFullLimit = 256u << 10;
std::string compose_dsn(const DsnReport& report);

// One sentence for people about a status such as 5.1.1; empty when there is nothing better than the code.
std::string_view explain_status(EnhancedCode status);

}  // namespace mailstead::smtp
