#include "smtpd/policy/trace_fields.h"

#include "common/base/text.h"
#include "common/mime/date_time.h"

namespace mailstead::smtpd {
namespace {

// From-domain = "FROM" FWS Extended-Domain; Extended-Domain = Domain / ( Domain FWS "(" TCP-info ")" ) / ...
// (RFC 5321, 4.4)
std::string from_clause(const TraceInput& input) {
    const smtp::Hello& hello = input.greeting->hello;
    std::string out = "from ";
    out += hello.domain ? std::string_view(hello.domain->ascii()) : input.client_literal;
    out += " (";
    if (!input.client_name.empty()) out.append(input.client_name).append(" ");
    out.append(input.client_literal).append(")\r\n\t");
    return out;
}

}  // namespace

std::string protocol_name(const TraceInput& input) {
    std::string name = input.transaction->mail.smtputf8 ? "UTF8SMTP"
                       : input.greeting->extended       ? "ESMTP"
                                                        : "SMTP";
    if (!input.greeting->extended) return name;
    if (!input.tls_version.empty()) name += 'S';
    if (input.authenticated) name += 'A';
    return name;
}

std::string write_return_path(const ReversePath& path) {
    return "Return-Path: <" + to_string(path) + ">\r\n";
}

// Time-stamp-line = "Received:" FWS Stamp CRLF
std::string write_received(const TraceInput& input) {
    std::string out = "Received: ";
    if (input.service == Service::exchange) out += from_clause(input);
    out.append("by ").append(input.hostname).append(" (Mailstead) with ").append(protocol_name(input));
    if (!input.tls_version.empty()) {
        out.append("\r\n\t(").append(input.tls_version).append(" ").append(input.tls_cipher).append(")");
    }
    out.append("\r\n\tid ").append(input.transaction->id);
    // For = "FOR" FWS ( Path / Mailbox ): only one, so that no recipient learns of another (RFC 5321, 7.2).
    const auto& recipients = input.transaction->recipients;
    if (recipients.size() == 1 && recipients[0].rcpt.to) {
        out.append("\r\n\tfor <").append(recipients[0].rcpt.to->to_string()).append(">");
    }
    out += ";\r\n\t";
    out += mime::write_message_date({.utc = std::chrono::floor<Seconds>(input.time), .offset = {}});
    out += "\r\n";
    return out;
}

}  // namespace mailstead::smtpd
