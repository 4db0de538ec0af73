// What is asked about a token, and what its answer means (RFC 7662). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/sasl/exchange.h"
#include "common/settings/settings.h"

namespace mailstead::deliver {

// RFC 7662, 2.1: application/x-www-form-urlencoded.
Secret introspection_form(const Secret& token);
// Basic credentials: both halves are form-encoded before (RFC 6749, 2.3.1).
Secret basic_credentials(std::string_view client_id, const Secret& client_secret);

// What the issuer says about a token, and what it means here.
struct TokenFacts {
    sasl::TokenVerdict::Status status = sasl::TokenVerdict::Status::unavailable;
    std::string account;       // what the claim that names the account holds; of valid tokens
    std::optional<Time> ends;  // of its validity, if the issuer says
    std::string reason;        // for the log, when it is not valid
};
// `body` of an answer with status 200. Never fails: what cannot be read is `unavailable`.
TokenFacts read_introspection(std::string_view body, const settings::OAuth& demands, Time now);

}  // namespace mailstead::deliver
