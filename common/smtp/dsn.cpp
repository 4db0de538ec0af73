#include "common/smtp/dsn.h"

#include <algorithm>
#include <chrono>

#include "common/base/text.h"
#include "common/mime/date_time.h"
#include "common/smtp/xtext.h"

namespace mailstead::smtp {
namespace {

constexpr std::size_t kMaxField = 900;  // fields stay on one line below the 998 of RFC 5322, 2.1.1

std::string date_time(Time time) {
    return mime::write_message_date({.utc = std::chrono::floor<Seconds>(time), .offset = {}});
}

// What stands in the report: text from elsewhere on one line, and in ASCII when the reader cannot take more.
std::string clean(std::string_view text, bool utf8, std::size_t limit = kMaxField) {
    const bool keep_high = utf8 && text::is_utf8(text);
    std::size_t size = std::min(text.size(), limit);
    while (keep_high && size < text.size() && size > 0 &&
           (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) {
        --size;
    }
    std::string out(text.substr(0, size));
    for (char& c : out) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F) c = ' ';
        if (byte >= 0x80 && !keep_high) c = '?';
    }
    return out;
}

// The header section of a message, its empty line included when it is there.
std::string_view header_section(std::string_view message) {
    if (message.substr(0, 2) == "\r\n") return message.substr(0, 2);
    const std::size_t end = message.find("\r\n\r\n");
    return end == std::string_view::npos ? message : message.substr(0, end + 4);
}

EnhancedCode fitting(EnhancedCode status, DsnAction action) {
    // RFC 3464, 2.3.4: the first digit agrees with the action.
    status.kind = action == DsnAction::failed ? 5 : action == DsnAction::delayed ? 4 : 2;
    return status;
}

class Composer {
public:
    explicit Composer(const DsnReport& report)
        : report_(report), header_(header_section(report.original)), utf8_(needs_utf8()) {
        full_ = report.ret == DsnReturn::full && has(DsnAction::failed) &&
                report.original.size() <= kDsnFullLimit;
    }

    std::string compose() {
        out_.reserve(2048 + (full_ ? report_.original.size() : header_.size()));
        write_header();
        write_explanation();
        write_status();
        write_original();
        out_.append("--").append(report_.boundary).append("--\r\n");
        return std::move(out_);
    }

private:
    bool needs_utf8() const {
        // RFC 6533, 4: the new media types only where the old ones cannot hold it.
        if (!report_.smtputf8) return false;
        if (!report_.sender.is_ascii() || !text::is_ascii(header_)) return true;
        return std::any_of(report_.recipients.begin(), report_.recipients.end(),
                           [](const DsnRecipient& r) { return !r.final_recipient.is_ascii(); });
    }
    bool has(DsnAction action) const {
        return std::any_of(report_.recipients.begin(), report_.recipients.end(),
                           [action](const DsnRecipient& r) { return r.action == action; });
    }

    void field(std::string_view name, std::string_view value) {
        out_.append(name).append(": ").append(clean(value, utf8_)).append("\r\n");
    }
    void part(std::string_view type) {
        out_.append("--").append(report_.boundary).append("\r\nContent-Type: ").append(type).append("\r\n");
    }
    std::string shown(const Address& address) const {
        return utf8_ ? address.unicode() : ascii_form(address);
    }
    static std::string ascii_form(const Address& address) {
        return address.is_ascii() ? address.to_string() : encode_utf8_address(address.to_string());
    }

    std::string_view subject() const {
        if (has(DsnAction::failed)) return "Your message could not be delivered";
        if (has(DsnAction::delayed)) return "Your message is delayed";
        return "Your message was delivered";
    }

    void write_header() {
        field("From", "Mail delivery <" + shown(report_.reporter) + ">");
        field("To", "<" + report_.sender.to_string() + ">");
        field("Subject", subject());
        field("Date", date_time(report_.date));
        field("Message-ID", "<" + report_.message_id + ">");
        if (!report_.original_message_id.empty()) {
            field("In-Reply-To", report_.original_message_id);
            field("References", report_.original_message_id);
        }
        // RFC 3834, 5: nobody shall answer this by itself.
        field("Auto-Submitted", "auto-replied");
        field("MIME-Version", "1.0");
        // RFC 6522, 3
        out_.append("Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"");
        out_.append(report_.boundary).append("\"\r\n");
        if (utf8_ || !text::is_ascii(returned())) out_ += "Content-Transfer-Encoding: 8bit\r\n";
        out_ += "\r\n";
    }

    // For people.
    void write_explanation() {
        part(utf8_ ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii");
        if (utf8_) out_ += "Content-Transfer-Encoding: 8bit\r\n";
        out_.append("\r\nThis is the mail server at ").append(clean(report_.reporting_mta, utf8_));
        out_ += ".\r\n";
        introduce(DsnAction::failed, "Your message could not be delivered to:");
        introduce(DsnAction::delayed,
                  "Your message has not been delivered yet; there is nothing you need to do.\r\n"
                  "Delivery will be tried again to:");
        introduce(DsnAction::delivered, "Your message was delivered to:");
        introduce(DsnAction::relayed,
                  "Your message was passed on, to a server that sends no reports of delivery, for:");
        introduce(DsnAction::expanded, "Your message was passed on to the members of:");
        out_ += "\r\n";
    }
    void introduce(DsnAction action, std::string_view sentence) {
        if (!has(action)) return;
        out_.append("\r\n").append(sentence).append("\r\n");
        for (const DsnRecipient& recipient : report_.recipients) {
            if (recipient.action == action) explain(recipient);
        }
    }
    void explain(const DsnRecipient& recipient) {
        out_.append("\r\n  <").append(clean(shown(recipient.final_recipient), utf8_)).append(">\r\n");
        const std::string_view why = recipient.explanation.empty() ? explain_status(recipient.status)
                                                                   : std::string_view(recipient.explanation);
        if (!why.empty()) out_.append("    ").append(clean(why, utf8_)).append("\r\n");
        if (!recipient.diagnostic.empty()) {
            const std::string host =
                recipient.remote_mta.empty() ? "The server" : clean(recipient.remote_mta, utf8_, 255);
            out_.append("    ").append(host).append(" said: ");
            out_.append(clean(recipient.diagnostic, utf8_)).append("\r\n");
        }
        if (recipient.will_retry_until) {
            out_.append("    It will be tried until ")
                .append(date_time(*recipient.will_retry_until))
                .append(".\r\n");
        }
    }

    // per-message-fields, then for each recipient CRLF per-recipient-fields   (RFC 3464, 2.1)
    void write_status() {
        part(utf8_ ? "message/global-delivery-status" : "message/delivery-status");
        if (utf8_) out_ += "Content-Transfer-Encoding: 8bit\r\n";
        out_ += "\r\n";
        if (report_.envelope_id) field("Original-Envelope-Id", *report_.envelope_id);  // RFC 3464, 2.2.1
        field("Reporting-MTA", "dns; " + report_.reporting_mta);                       // RFC 3464, 2.2.2
        field("Arrival-Date", date_time(report_.arrival));                             // RFC 3464, 2.2.5
        for (const DsnRecipient& recipient : report_.recipients) write_recipient(recipient);
        out_ += "\r\n";
    }
    void write_recipient(const DsnRecipient& recipient) {
        out_ += "\r\n";
        if (recipient.original) field("Original-Recipient", original(*recipient.original));
        field("Final-Recipient", (recipient.final_recipient.is_ascii() ? "rfc822; " : "utf-8; ") +
                                     shown(recipient.final_recipient));
        field("Action", to_string(recipient.action));
        field("Status", fitting(recipient.status, recipient.action).to_string());
        if (!recipient.remote_mta.empty()) field("Remote-MTA", "dns; " + recipient.remote_mta);
        if (!recipient.diagnostic.empty()) field("Diagnostic-Code", "smtp; " + recipient.diagnostic);
        if (recipient.last_attempt) field("Last-Attempt-Date", date_time(*recipient.last_attempt));
        if (recipient.will_retry_until) field("Will-Retry-Until", date_time(*recipient.will_retry_until));
    }
    std::string original(const OriginalRecipient& recipient) const {
        // RFC 6533, 3: the 7-bit form unless the report itself is UTF-8.
        const bool escape = recipient.type == "utf-8" && !utf8_;
        return recipient.type + ";" + (escape ? encode_utf8_address(recipient.address) : recipient.address);
    }

    std::string_view returned() const { return full_ ? report_.original : header_; }
    void write_original() {
        if (full_) {
            part(utf8_ ? "message/global" : "message/rfc822");
        } else {
            part(utf8_ ? "message/global-headers" : "text/rfc822-headers");
        }
        if (!text::is_ascii(returned())) out_ += "Content-Transfer-Encoding: 8bit\r\n";
        out_.append("\r\n").append(returned());
        if (returned().size() < 2 || returned().substr(returned().size() - 2) != "\r\n") out_ += "\r\n";
        // The CRLF before a boundary belongs to the boundary (RFC 2046, 5.1.1).
        out_ += "\r\n";
    }

    const DsnReport& report_;
    std::string_view header_;
    bool utf8_;
    bool full_ = false;
    std::string out_;
};

}  // namespace

std::string_view to_string(DsnAction action) {
    switch (action) {
        case DsnAction::failed:
            return "failed";
        case DsnAction::delayed:
            return "delayed";
        case DsnAction::delivered:
            return "delivered";
        case DsnAction::relayed:
            return "relayed";
        case DsnAction::expanded:
            return "expanded";
    }
    return "failed";
}

std::string compose_dsn(const DsnReport& report) {
    return Composer(report).compose();
}

// RFC 3463, 3; RFC 7505 and RFC 7372 for the later ones.
std::string_view explain_status(EnhancedCode status) {
    struct Row {
        int subject;
        int detail;
        std::string_view text;
    };
    static constexpr Row kRows[] = {
        {1, 0, "The address was refused."},
        {1, 1, "There is no such mailbox at that domain. Check the address for typing errors."},
        {1, 2,
         "The domain of the address does not exist or takes no mail. Check the address for typing errors."},
        {1, 3, "The address is not written correctly."},
        {1, 6, "The mailbox has moved and left no new address."},
        {1, 7, "The other server did not accept the address of the sender."},
        {1, 8, "The other server did not accept the domain of the sender."},
        {1, 10, "The domain of the address says that it takes no mail."},
        {2, 0, "There is a problem with the mailbox of the recipient."},
        {2, 1, "The mailbox of the recipient is switched off."},
        {2, 2, "The mailbox of the recipient is full."},
        {2, 3, "The message is larger than the recipient takes."},
        {2, 4, "The mailing list could not be expanded."},
        {3, 1, "The other server has no room left."},
        {3, 4, "The message is larger than the other server takes."},
        {4, 1, "The server of the recipient does not answer."},
        {4, 2, "The connection to the server of the recipient broke off."},
        {4, 3, "Names could not be looked up."},
        {4, 4, "No way to the server of the recipient was found."},
        {4, 6, "The message goes round in circles between servers."},
        {4, 7, "The message could not be delivered in time."},
        {6, 0, "The other server did not accept the content of the message."},
        {6, 7, "The other server does not take addresses beyond ASCII."},
        {7, 0, "The message was refused for reasons of policy."},
        {7, 1, "The other server does not allow this message."},
        {7, 5, "The security that the recipient's domain demands could not be had."},
        {7, 20, "No DKIM signature was found that the other server accepts."},
        {7, 23, "The other server says that we may not send for this domain (SPF)."},
        {7, 25, "The other server found no matching name for our address in the DNS."},
        {7, 26, "The other server found the message unauthenticated (SPF, DKIM or DMARC)."},
        {7, 30, "The connection could not be made as secure as the sender demands."},
    };
    for (const Row& row : kRows) {
        if (row.subject == status.subject && row.detail == status.detail) return row.text;
    }
    return {};
}

}  // namespace mailstead::smtp
