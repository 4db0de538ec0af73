// SPF (RFC 7208): may this client send for this domain? Pure: asks for lookups as values (inquiry.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/address/address.h"
#include "common/base/clock.h"
#include "common/mailauth/inquiry.h"

namespace mailstead::mailauth {

// RFC 7208, 2.6
enum class SpfVerdict : std::uint8_t { none, neutral, pass, fail, softfail, temperror, permerror };
std::string_view to_string(SpfVerdict verdict);

enum class SpfIdentity : std::uint8_t { mail_from, helo };

struct SpfInput {
    dns::IpAddress client;  // ::ffff:a.b.c.d is taken as IPv4
    std::string helo;       // as the client said it
    ReversePath mail_from;  // null: postmaster at the HELO name is checked instead (RFC 7208, 2.4)
    std::string receiver;   // our host name, for the macro %{r}
    Time now{};             // for the macro %{t}
};

struct SpfResult {
    SpfVerdict verdict = SpfVerdict::none;
    SpfIdentity identity = SpfIdentity::mail_from;  // which of the two was checked
    std::string domain;  // whose policy was asked for: what DMARC aligns; empty if there was no usable name
    std::string sender;  // `local@domain` as checked
    std::string mechanism;  // the term that decided, as it is written: `ip4:192.0.2.0/24`, `-all`; `default`
                            // if none did
    std::string policy_domain;  // the domain whose record holds that term (after include and redirect)
    std::string reason;         // one line for people
    std::string
        explanation;  // the domain's own words on a fail (RFC 7208, 6.2): printable ASCII, a stranger's text
    unsigned lookups = 0;  // counted against the ten (RFC 7208, 4.6.4)
};

// Limits: 10 terms that look up, 2 void lookups, 10 MX and 10 PTR names per term (RFC 7208, 4.6.4), records
// of 16 KiB. At most about 115 questions altogether.
class SpfEvaluation {
public:
    // Of the MAIL FROM identity, or of HELO if `identity` says so (or the reverse-path is null).
    explicit SpfEvaluation(SpfInput input, SpfIdentity identity = SpfIdentity::mail_from);
    ~SpfEvaluation();
    SpfEvaluation(SpfEvaluation&&) noexcept;
    SpfEvaluation& operator=(SpfEvaluation&&) noexcept;

    const Questions& questions() const;
    void answer(Answers answers);
    // Final when there are no more questions; temperror until then.
    const SpfResult& result() const;

private:
    class Machine;
    std::unique_ptr<Machine> machine_;
};

}  // namespace mailstead::mailauth
