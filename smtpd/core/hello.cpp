// HELO, EHLO, STARTTLS.
#include "common/base/text.h"
#include "smtpd/core/server_core.h"

namespace mailstead::smtpd {

using smtp::EnhancedCode;

Action ServerCore::helo(std::string_view arguments) {
    return greet(arguments, false);
}
Action ServerCore::ehlo(std::string_view arguments) {
    return greet(arguments, true);
}

// RFC 5321, 4.1.1.1. Replies to it carry no enhanced codes (RFC 2034, 3).
Action ServerCore::greet(std::string_view arguments, bool extended) {
    auto hello = smtp::parse_hello(arguments);
    if (!hello) {
        say(501, hello.error().why.what);
        if (++errors_ >= profile_.limits.errors)
            return give_up(421, EnhancedCode{4, 7, 0}, "Too many errors");
        return next_command();
    }
    greeting_ = Greeting{.hello = *std::move(hello), .extended = extended};
    if (phase_ == Phase::opened) phase_ = Phase::greeted;
    if (extended) {
        announce();
    } else {
        say(250, profile_.hostname);
    }
    // RFC 5321, 4.1.4: clears buffers like RSET.
    return end_transaction();
}

void ServerCore::announce() {
    smtp::Reply reply(250, profile_.hostname + " at your service");
    const auto offer = [&](std::string_view keyword, std::string line) {
        if (profile_.offers(keyword)) reply.lines.push_back(std::move(line));
    };
    const CoreLimits& limits = profile_.limits;
    offer("PIPELINING", "PIPELINING");                                       // RFC 2920
    offer("SIZE", "SIZE " + std::to_string(limits.body.message_octets));     // RFC 1870
    offer("8BITMIME", "8BITMIME");                                           // RFC 6152
    offer("SMTPUTF8", "SMTPUTF8");                                           // RFC 6531
    offer("CHUNKING", "CHUNKING");                                           // RFC 3030
    offer("DSN", "DSN");                                                     // RFC 3461
    offer("ENHANCEDSTATUSCODES", "ENHANCEDSTATUSCODES");                     // RFC 2034
    offer("LIMITS", "LIMITS RCPTMAX=" + std::to_string(limits.recipients) +  // RFC 9422
                        " MAILMAX=" + std::to_string(limits.transactions));
    if (profile_.offers_starttls && !tls_) offer("STARTTLS", "STARTTLS");  // RFC 3207
    // RFC 4954, 3 and 4: passwords never cross a line that is not encrypted, and strangers' mail needs none.
    if (profile_.service == Service::submission && tls_) offer("AUTH", "AUTH " + tls_->auth_mechanisms);
    offer("HELP", "HELP");
    smtp::write_reply(reply, replies_);
}

// RFC 3207, 4
Action ServerCore::starttls(std::string_view arguments) {
    if (tls_) return refuse(503, EnhancedCode{5, 5, 1}, "TLS is on already");
    if (!profile_.offers_starttls) return refuse(502, EnhancedCode{5, 5, 1}, "TLS is not offered here");
    if (!text::trim(arguments).empty())
        return refuse(501, EnhancedCode{5, 5, 4}, "STARTTLS takes no arguments");
    say(220, EnhancedCode{2, 0, 0}, "Go ahead");
    return StartTls{profile_.limits.tls_timeout};
}

// RFC 3207, 4.2: all that was learnt from the client is forgotten.
Action ServerCore::on_tls(TlsReady ready) {
    tls_ = std::move(ready);
    greeting_.reset();
    identity_.reset();
    transaction_ = {};
    phase_ = Phase::opened;
    return next_command();
}

}  // namespace mailstead::smtpd
