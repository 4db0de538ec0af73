// RCPT.
#include "smtpd/core/server_core.h"

namespace mailstead::smtpd {

using smtp::EnhancedCode;

// RFC 5321, 4.1.1.3
Action ServerCore::rcpt(std::string_view arguments) {
    auto rcpt = smtp::parse_rcpt(arguments);
    if (!rcpt) {
        ++refused_recipients_in_message_;
        return refuse(rcpt.error(), EnhancedCode{5, 1, 3});
    }
    if (transaction_.recipients.size() >= profile_.limits.recipients) {
        if (++refused_recipients_in_message_ > 10 * profile_.limits.recipients) {
            return give_up(421, EnhancedCode{4, 5, 3}, "Far too many recipients for one message");
        }
        // RFC 5321, 4.5.3.1.10: those accepted so far stay, the client sends the rest in another message.
        say(452, EnhancedCode{4, 5, 3}, "Too many recipients for one message, send the others separately");
        return next_command();
    }
    if (rcpt->to && !rcpt->to->is_ascii() && !transaction_.mail.smtputf8) {
        ++refused_recipients_in_message_;
        return refuse(553, EnhancedCode{5, 6, 7}, "An address beyond ASCII needs SMTPUTF8");  // RFC 6531, 3.5
    }
    pending_rcpt_ = *std::move(rcpt);
    return ResolveRecipient{pending_rcpt_->to};
}

Action ServerCore::on_recipient(RecipientVerdict verdict) {
    switch (verdict.status) {
        case RecipientStatus::accepted:
            return accept_recipient(std::move(verdict));
        case RecipientStatus::not_ours:
            // Only who has logged in sends to the world: this line keeps us from being an open relay.
            if (identity_ && profile_.service == Service::submission)
                return accept_recipient(std::move(verdict));
            return refuse_recipient(550, EnhancedCode{5, 7, 1},
                                    "Relaying denied: that domain has no mail here");
        case RecipientStatus::unknown_user:
            return refuse_recipient(550, EnhancedCode{5, 1, 1}, "No such user here");
        case RecipientStatus::over_quota:
            return refuse_recipient(452, EnhancedCode{4, 2, 2}, "The mailbox is full, try again later");
        case RecipientStatus::too_many:
            return refuse_recipient(452, EnhancedCode{4, 7, 1},
                                    "Too many recipients lately, try again in an hour");
        case RecipientStatus::message_full:
            return refuse_recipient(452, EnhancedCode{4, 5, 3},
                                    "Too many recipients for one message, send the others separately");
        case RecipientStatus::unavailable:
            break;
    }
    return refuse_recipient(451, EnhancedCode{4, 3, 0}, "The directory cannot be read, try again soon");
}

Action ServerCore::accept_recipient(RecipientVerdict verdict) {
    pending_rcpt_->to = std::move(verdict.to);
    transaction_.recipients.push_back(
        {.rcpt = *std::move(pending_rcpt_), .targets = std::move(verdict.targets)});
    pending_rcpt_.reset();
    phase_ = Phase::recipients;
    say(250, EnhancedCode{2, 1, 5}, "Recipient OK");
    return next_command();
}

Action ServerCore::refuse_recipient(int code, EnhancedCode enhanced, std::string_view text) {
    pending_rcpt_.reset();
    ++refused_recipients_in_message_;
    say(code, enhanced, text);
    // Who tries one name after another learns no more here.
    if (code >= 500 && ++refused_recipients_ > profile_.limits.refused_recipients) {
        return give_up(421, EnhancedCode{4, 7, 0}, "Too many refused recipients");
    }
    return next_command();
}

}  // namespace mailstead::smtpd
