#include <array>

#include "common/settings/tables/tables.h"
#include "common/settings/tables/values.h"

namespace mailstead::settings::tables {
namespace {

constexpr std::array<Choice<Service>, 5> kServices = {{{"smtp", Service::smtp},
                                                       {"submission", Service::submission},
                                                       {"imap", Service::imap},
                                                       {"pop3", Service::pop3},
                                                       {"web", Service::web}}};
constexpr std::array<Choice<TlsMode>, 3> kTlsModes = {
    {{"implicit", TlsMode::implicit}, {"starttls", TlsMode::starttls}, {"none", TlsMode::none}}};

constexpr Row kListenerRows[] = {
    {.key = "service",
     .type = Type::text,
     .default_toml = "",
     .readers = "smtpd, imapd",
     .help =
         "smtp: mail from other servers. submission: mail from your users. imap: reading it. pop3: fetching "
         "it. web is reserved.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         return choose(kServices, text_of(value), draft.settings.listeners.back().service);
     }},
    {.key = "address",
     .type = Type::text,
     .default_toml = "",
     .readers = "smtpd, imapd",
     .help = "Numeric address and port. \"[::]:25\" takes IPv6 and IPv4, \"0.0.0.0:25\" IPv4 alone.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         auto endpoint = Endpoint::parse(text_of(value));
         if (!endpoint) return "\"address:port\", such as \"[::]:25\" or \"127.0.0.1:2525\"";
         draft.settings.listeners.back().address = *std::move(endpoint);
         return std::nullopt;
     }},
    {.key = "tls",
     .type = Type::text,
     .default_toml = "\"starttls\"",
     .readers = "smtpd, imapd",
     .help = "implicit: TLS from the first byte. starttls: the client asks for it (login only after that). "
             "none: never.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         return choose(kTlsModes, text_of(value), draft.settings.listeners.back().tls);
     }},
    {.key = "hidden_capabilities",
     .type = Type::texts,
     .default_toml = "[]",
     .readers = "smtpd, imapd",
     .help =
         "IMAP capabilities (\"AUTH=LOGIN\", \"IDLE\") or EHLO keywords (\"AUTH LOGIN\", \"CHUNKING\") that "
         "this listener does not offer, for clients that stumble over one.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.listeners.back().hidden_capabilities = upper_case(texts_of(value));
         return std::nullopt;
     }},
};

}  // namespace

Table listeners() {
    return {.name = "listener",
            .kind = TableKind::array,
            .help = "One for each port. Without any, these seven are served.",
            .rows = kListenerRows,
            .begin =
                [](Draft& draft) {
                    if (!draft.listeners_given) draft.settings.listeners.clear();
                    draft.listeners_given = true;
                    draft.settings.listeners.emplace_back();
                },
            .sample =
                "[[listener]]\nservice = \"smtp\"\naddress = \"[::]:25\"\ntls = "
                "\"starttls\"\nhidden_capabilities = []\n\n"
                "[[listener]]\nservice = \"submission\"\naddress = \"[::]:465\"\ntls = \"implicit\"\n\n"
                "[[listener]]\nservice = \"submission\"\naddress = \"[::]:587\"\ntls = \"starttls\"\n\n"
                "[[listener]]\nservice = \"imap\"\naddress = \"[::]:993\"\ntls = \"implicit\"\n\n"
                "[[listener]]\nservice = \"imap\"\naddress = \"[::]:143\"\ntls = \"starttls\"\n\n"
                "[[listener]]\nservice = \"pop3\"\naddress = \"[::]:995\"\ntls = \"implicit\"\n\n"
                "[[listener]]\nservice = \"pop3\"\naddress = \"[::]:110\"\ntls = \"starttls\"\n",
            .sample_is_default = true};
}

}  // namespace mailstead::settings::tables
