// The fields that a message gets on top when it comes in. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "smtpd/core/profile.h"
#include "smtpd/core/transaction.h"

namespace mailstead::smtpd {

struct TraceInput {
    Service service = Service::exchange;
    std::string_view hostname;
    std::string_view client_literal;  // `[192.0.2.1]`, `[IPv6:2001:db8::1]`
    std::string_view client_name;     // a name that leads back to the client's address; may be empty
    const Greeting* greeting = nullptr;
    const Transaction* transaction = nullptr;
    bool authenticated = false;
    std::string_view tls_version;  // empty: no TLS
    std::string_view tls_cipher;
    Time time{};
};

// `Return-Path: <...>` with CRLF (RFC 5321, 4.4).
std::string write_return_path(const ReversePath& path);

// The Received field with CRLF (RFC 5321, 4.4). For a message from one of our users it says neither from
// which address nor under which name they connected: where people are is nobody's business.
std::string write_received(const TraceInput& input);

// `ESMTPS`: the protocol as RFC 3848 and RFC 6531, 4.3 name it.
std::string protocol_name(const TraceInput& input);

}  // namespace mailstead::smtpd
