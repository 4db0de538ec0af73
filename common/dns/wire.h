// DNS messages (RFC 1035, 4). Pure. Private to common/dns, and to its fuzz target.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/dns/records.h"

namespace mailstead::dns {

// The bytes a server or a client offers to take in one datagram (RFC 6891, 6.2.5): below what fragments
// anywhere.
inline constexpr std::uint16_t kUdpPayload = 1232;

// A query with RD, AD (RFC 6840, 5.7: "tell me whether it was validated") and an OPT record. The name must be
// is_askable.
std::string write_query(const Question& question, std::uint16_t id);

// The answer to `question` in a response, CNAMEs followed. An error means that the response is of no use;
// SERVFAIL and other failures of the server come as transient_failure. `trust_ad` is whether the server's AD
// bit counts.
Parsed<AnyAnswer> read_response(std::string_view message, const Question& question, bool trust_ad);

}  // namespace mailstead::dns
