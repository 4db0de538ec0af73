#include "common/settings/tables/tables.h"
#include "common/settings/tables/values.h"

namespace mailstead::settings::tables {
namespace {

constexpr Row kSmtpRows[] = {
    {.key = "enforce_dmarc",
     .type = Type::boolean,
     .default_toml = "true",
     .readers = "smtpd",
     .help = "Whether to do what a sender's domain asks for when its DMARC check fails: refuse the mail, or "
             "file it under Junk.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.smtp.enforce_dmarc = std::get<bool>(value);
         return std::nullopt;
     }},
    {.key = "hidden_capabilities",
     .type = Type::texts,
     .default_toml = "[\"AUTH SCRAM-SHA-256-PLUS\"]",
     .readers = "smtpd",
     .help =
         "EHLO keywords that no client is offered. Debian's mutt chooses that mechanism, cannot bind it to "
         "TLS 1.3, and gives up without trying another one.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.smtp.hidden_capabilities = upper_case(texts_of(value));
         return std::nullopt;
     }},
};

}  // namespace

Table smtp() {
    return {.name = "smtp", .kind = TableKind::single, .help = "", .rows = kSmtpRows};
}

}  // namespace mailstead::settings::tables
