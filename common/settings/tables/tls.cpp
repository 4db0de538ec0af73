#include "common/settings/tables/tables.h"
#include "common/settings/tables/values.h"

namespace mailstead::settings::tables {
namespace {

constexpr Row kTlsRows[] = {
    {.key = "certificate",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "smtpd, imapd",
     .help = "PEM file with the certificate for the host name, followed by its chain. Read again when it "
             "changes.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.main_certificate.certificate = draft.resolve(text_of(value));
         return std::nullopt;
     }},
    {.key = "key",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "smtpd, imapd",
     .help = "PEM file with the certificate's private key.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.main_certificate.key = draft.resolve(text_of(value));
         return std::nullopt;
     }},
    {.key = "session_tickets",
     .type = Type::boolean,
     .default_toml = "true",
     .readers = "smtpd, imapd",
     .help = "Whether clients may resume TLS sessions by ticket. To switch off if a large sender stumbles "
             "over them.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.tls.session_tickets = std::get<bool>(value);
         return std::nullopt;
     }},
};

constexpr Row kMoreCertificatesRows[] = {
    {.key = "certificate",
     .type = Type::text,
     .default_toml = "",
     .readers = "smtpd, imapd",
     .help = "PEM file with a certificate and its chain.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         if (text_of(value).empty()) return "a file";
         draft.more_certificates.back().certificate = draft.resolve(text_of(value));
         return std::nullopt;
     }},
    {.key = "key",
     .type = Type::text,
     .default_toml = "",
     .readers = "smtpd, imapd",
     .help = "PEM file with its private key.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         if (text_of(value).empty()) return "a file";
         draft.more_certificates.back().key = draft.resolve(text_of(value));
         return std::nullopt;
     }},
};

}  // namespace

Table tls() {
    return {.name = "tls", .kind = TableKind::single, .help = "", .rows = kTlsRows};
}

Table more_certificates() {
    return {
        .name = "tls.more",
        .kind = TableKind::array,
        .help = "Certificates for further host names, chosen by the name that the client asks for (SNI).",
        .rows = kMoreCertificatesRows,
        .begin = [](Draft& draft) { draft.more_certificates.emplace_back(); },
        .sample = "[[tls.more]]\ncertificate = \"mail.example.net.pem\"\nkey = \"mail.example.net.key\"\n"};
}

}  // namespace mailstead::settings::tables
