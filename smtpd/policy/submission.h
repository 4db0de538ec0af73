// What a message from one of our own users must look like, and what it gets when something is missing (RFC
// 6409). Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/address/address.h"
#include "common/base/clock.h"
#include "common/smtp/reply.h"
#include "smtpd/policy/header.h"

namespace mailstead::smtpd {

// Whether the account may write in the name of an address.
using MaySendAs = std::function<Result<bool>(const Address&)>;

// nullopt: every author in From belongs to the account. Otherwise the reply.
std::optional<smtp::Reply> check_authors(const HeaderFacts& facts, const MaySendAs& may_send_as);

// Date and Message-ID when they are missing (RFC 6409, 8.2 and 8.3), each with CRLF.
std::string missing_fields(const HeaderFacts& facts, std::string_view message_id, std::string_view hostname,
                           Time now);

}  // namespace mailstead::smtpd
