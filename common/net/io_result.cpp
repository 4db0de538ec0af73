#include "common/net/io_result.h"

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

namespace mailstead::net {

namespace {

std::string tls_text(unsigned long code) {
    const char* const reason = ERR_reason_error_string(code);
    return reason != nullptr ? std::string("TLS: ") + reason : "TLS failure";
}

}  // namespace

std::string describe(const IoError& error) {
    const auto errno_text = [&] { return std::generic_category().message(static_cast<int>(error.code)); };
    switch (error.kind) {
        case IoFailure::closed:
            return "connection closed by peer";
        case IoFailure::timed_out:
            return "timed out";
        case IoFailure::cancelled:
            return "cancelled";
        case IoFailure::interrupted:
            return "interrupted";
        case IoFailure::reset:
            return "connection lost";
        case IoFailure::refused:
            return "connection refused";
        case IoFailure::unreachable:
            return error.code != 0 ? errno_text() : "unreachable";
        case IoFailure::tls:
            return tls_text(error.code);
        case IoFailure::untrusted:
            return std::string("certificate not trusted: ") +
                   X509_verify_cert_error_string(static_cast<long>(error.code));
        case IoFailure::system:
            break;
    }
    return errno_text();
}

IoError io_error_from_errno(int error_number) {
    const auto code = static_cast<unsigned long>(error_number);
    switch (error_number) {
        case ECONNRESET:
        case EPIPE:
        case ECONNABORTED:
        case ENOTCONN:
            return {IoFailure::reset, code};
        case ECONNREFUSED:
            return {IoFailure::refused, code};
        case ETIMEDOUT:
            return {IoFailure::timed_out, code};
        case ENETUNREACH:
        case EHOSTUNREACH:
        case ENETDOWN:
        case EHOSTDOWN:
        case EADDRNOTAVAIL:
        case EAFNOSUPPORT:
        case ENOENT:
            return {IoFailure::unreachable, code};
        default:
            return {IoFailure::system, code};
    }
}

void throw_exception_from_error(const IoError& error, const boost::source_location&) {
    throw std::runtime_error(describe(error));
}

}  // namespace mailstead::net
