#include "common/base/text.h"
#include "common/smtp/command.h"
#include "common/smtp/xtext.h"

namespace mailstead::smtp {
namespace {

// Words that we chose ourselves are clean; a host name from settings is checked once more, since a CR here
// would be a command of its own.
void append_word(std::string_view word, std::string& out) {
    for (const char c : word) {
        if (static_cast<unsigned char>(c) > 0x20 && c != 0x7F) out += c;
    }
}

void append_path(std::string_view address, std::string& out) {
    out += '<';
    // A quoted local part may hold spaces; control characters never pass LocalPart.
    out += address;
    out += '>';
}

}  // namespace

void write_hello(Verb helo_or_ehlo, std::string_view name, std::string& out) {
    out += to_string(helo_or_ehlo);
    out += ' ';
    append_word(name, out);
    out += "\r\n";
}

void write_mail(const Mail& mail, std::string& out) {
    out += "MAIL FROM:";
    append_path(to_string(mail.from), out);
    if (mail.size) out.append(" SIZE=").append(std::to_string(*mail.size));
    if (mail.body) out.append(" BODY=").append(to_string(*mail.body));
    if (mail.smtputf8) out += " SMTPUTF8";
    if (mail.require_tls) out += " REQUIRETLS";
    if (mail.ret) out.append(" RET=").append(to_string(*mail.ret));
    if (mail.envid && !mail.envid->empty()) out.append(" ENVID=").append(encode_xtext(*mail.envid));
    if (mail.auth) out.append(" AUTH=").append(mail.auth->empty() ? "<>" : encode_xtext(*mail.auth));
    out += "\r\n";
}

void write_rcpt(const Rcpt& rcpt, std::string& out) {
    out += "RCPT TO:";
    append_path(rcpt.to ? rcpt.to->to_string() : "postmaster", out);
    if (rcpt.notify) out.append(" NOTIFY=").append(to_string(*rcpt.notify));
    if (rcpt.orcpt) out.append(" ORCPT=").append(to_string(*rcpt.orcpt));
    out += "\r\n";
}

void write_bdat(const Bdat& bdat, std::string& out) {
    out.append("BDAT ").append(std::to_string(bdat.octets));
    if (bdat.last) out += " LAST";
    out += "\r\n";
}

void write_auth(std::string_view mechanism, const std::optional<std::string>& initial_response_base64,
                std::string& out) {
    out += "AUTH ";
    append_word(mechanism, out);
    if (initial_response_base64) {
        out += ' ';
        // RFC 4954, 4: "=" is an empty initial response.
        append_word(initial_response_base64->empty() ? "=" : std::string_view(*initial_response_base64), out);
    }
    out += "\r\n";
}

void write_plain(Verb verb, std::string& out) {
    out.append(to_string(verb)).append("\r\n");
}

}  // namespace mailstead::smtp
