// How a login or password is spelled before it is compared (RFC 4013).
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace mailstead::sasl {

// `stored` refuses code points that Unicode 3.2 does not assign, `query` lets them pass (RFC 3454, 7).
enum class Spelling { query, stored };

// Refuses invalid UTF-8, control characters, mixed directions, and more than 1024 bytes. ASCII comes back as
// it is.
Parsed<std::string> saslprep(std::string_view utf8, Spelling spelling);

// For a password: as saslprep() spells it, or byte for byte when that refuses it, so that no password a
// client can send is impossible.
Secret prepare_password(std::string_view password);

}  // namespace mailstead::sasl
