#include "smtpd/policy/submission.h"

#include "common/mime/address_list.h"
#include "common/mime/date_time.h"

namespace mailstead::smtpd {

using smtp::EnhancedCode;

std::optional<smtp::Reply> check_authors(const HeaderFacts& facts, const MaySendAs& may_send_as) {
    // RFC 5322, 3.6: exactly one.
    if (facts.from.size() != 1) {
        return smtp::Reply(550, EnhancedCode{5, 6, 0},
                           facts.from.empty() ? "The message has no From field"
                                              : "The message has more than one From field");
    }
    const auto authors = mime::parse_mailboxes(facts.from[0]);
    if (authors.empty()) return smtp::Reply(550, EnhancedCode{5, 6, 0}, "The From field names nobody");
    for (const mime::ListedAddress& author : authors) {
        const auto address = author.address();
        if (!address)
            return smtp::Reply(550, EnhancedCode{5, 6, 0},
                               "The From field holds something that is no address");
        const auto allowed = may_send_as(*address);
        if (!allowed)
            return smtp::Reply(451, EnhancedCode{4, 3, 0}, "The directory cannot be read, try again soon");
        if (!*allowed) {
            return smtp::Reply(
                550, EnhancedCode{5, 7, 1},
                "<" + address->to_string() + "> in the From field is no address of your account");
        }
    }
    return std::nullopt;
}

std::string missing_fields(const HeaderFacts& facts, std::string_view message_id, std::string_view hostname,
                           Time now) {
    std::string out;
    if (!facts.has_date) {
        out += "Date: " + mime::write_message_date({.utc = std::chrono::floor<Seconds>(now), .offset = {}}) +
               "\r\n";
    }
    if (!facts.has_message_id) {
        out.append("Message-ID: <").append(message_id).append("@").append(hostname).append(">\r\n");
    }
    return out;
}

}  // namespace mailstead::smtpd
