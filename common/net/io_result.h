// How an operation on a connection ends. What a peer does is a value, never an exception.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace mailstead::net {

enum class IoFailure : std::uint8_t {
    closed,       // the peer ended the connection in good order
    timed_out,    // nothing happened within the operation's timeout
    cancelled,    // Stream::cancel, Stream::close, or the task was asked to stop
    interrupted,  // Stream::interrupt, in wait_readable alone
    reset,        // the connection broke: reset, broken pipe, TLS cut off without close_notify
    refused,      // connect: nobody listens there
    unreachable,  // connect: no route, host or network down, no such path
    tls,          // TLS protocol or handshake failure; see `code`
    untrusted,    // TLS: the peer's certificate did not verify although that was required
    system,       // anything else; see `code`
};

// `code` is an errno value, or for `tls` an OpenSSL error code, for `untrusted` an X509_V_ERR value.
struct IoError {
    constexpr IoError() = default;
    constexpr IoError(IoFailure why, unsigned long detail) : kind(why), code(detail) {}
    IoFailure kind = IoFailure::system;
    unsigned long code = 0;
};

// `timed out`, `connection reset`, `TLS: wrong version number`: one line for logs and the ledger.
std::string describe(const IoError& error);

// From an errno value.
IoError io_error_from_errno(int error_number);

[[noreturn]] void throw_exception_from_error(const IoError& error, const boost::source_location& where);

template <class T = void>
using IoResult = boost::system::result<T, IoError>;

}  // namespace mailstead::net
