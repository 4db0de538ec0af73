// MAIL.
#include "smtpd/core/server_core.h"

namespace mailstead::smtpd {

using smtp::EnhancedCode;

// RFC 5321, 4.1.1.2
Action ServerCore::mail(std::string_view arguments) {
    auto mail = smtp::parse_mail(arguments);
    if (!mail) return refuse(mail.error(), EnhancedCode{5, 1, 7});
    if (auto refused = refuse_mail(*mail)) return *std::move(refused);
    if (++transactions_ > profile_.limits.transactions) {
        return give_up(421, EnhancedCode{4, 7, 0},
                       "Enough messages for one session, connect again");  // RFC 9422
    }
    transaction_.id = session_id_ + "-" + std::to_string(transactions_);
    transaction_.mail = *std::move(mail);
    idle_commands_ = 0;
    if (identity_ && transaction_.mail.from) return CheckSender{*transaction_.mail.from};
    return accept_sender();
}

// nullopt: nothing against it.
std::optional<Action> ServerCore::refuse_mail(const smtp::Mail& mail) {
    // What was not announced is not known (RFC 5321, 4.1.1.11).
    if (mail.require_tls) return refuse(555, EnhancedCode{5, 5, 4}, "REQUIRETLS is not offered");
    if (mail.body == smtp::BodyType::binary_mime)
        return refuse(555, EnhancedCode{5, 5, 4}, "BINARYMIME is not offered");
    // RFC 1870, 6.1
    if (mail.size && *mail.size > profile_.limits.body.message_octets) {
        return refuse(
            552, EnhancedCode{5, 3, 4},
            "The message is larger than " + std::to_string(profile_.limits.body.message_octets) + " octets");
    }
    // RFC 6531, 3.5
    if (mail.from && !mail.from->is_ascii() && !mail.smtputf8) {
        return refuse(553, EnhancedCode{5, 6, 7}, "An address beyond ASCII needs SMTPUTF8");
    }
    return std::nullopt;
}

Action ServerCore::on_sender(SenderVerdict verdict) {
    switch (verdict) {
        case SenderVerdict::allowed:
            return accept_sender();
        case SenderVerdict::unavailable:
            say(451, EnhancedCode{4, 3, 0}, "The directory cannot be read, try again soon");
            return end_transaction();
        case SenderVerdict::not_yours:
            break;
    }
    const std::string address = to_string(transaction_.mail.from);
    transaction_ = {};
    return refuse(553, EnhancedCode{5, 7, 1}, "<" + address + "> is no address of " + identity_->login);
}

Action ServerCore::accept_sender() {
    phase_ = Phase::mail;
    // Refusals count for the message they were said in when DATA is answered.
    refused_recipients_in_message_ = 0;
    say(250, EnhancedCode{2, 1, 0}, "Sender OK");
    return next_command();
}

}  // namespace mailstead::smtpd
