#include "smtpd/policy/header.h"

#include "common/base/text.h"
#include "common/mailauth/results.h"
#include "common/mime/headers.h"

namespace mailstead::smtpd {
namespace {

bool leave_out(const mime::HeaderField& field, Service service, std::string_view authserv_id) {
    if (field.is("Return-Path")) return true;
    if (field.is("Authentication-Results")) return mailauth::pretends_to_be(field.body, authserv_id);
    return service == Service::submission && (field.is("Bcc") || field.is("Resent-Bcc"));
}

}  // namespace

HeaderFacts examine_header(std::string_view header, Service service, std::string_view authserv_id) {
    HeaderFacts facts;
    mime::HeaderReader reader(header);
    while (const auto field = reader.next()) {
        if (field->is("Received")) ++facts.hops;
        if (field->is("Date")) facts.has_date = true;
        if (field->is("From")) facts.from.push_back(field->value());
        if (field->is("Message-ID")) {
            if (!facts.has_message_id) facts.message_id = field->value();
            facts.has_message_id = true;
        }
        if (!leave_out(*field, service, authserv_id)) continue;
        facts.cuts.push_back({.offset = static_cast<std::size_t>(field->raw.data() - header.data()),
                              .size = field->raw.size()});
    }
    return facts;
}

}  // namespace mailstead::smtpd
