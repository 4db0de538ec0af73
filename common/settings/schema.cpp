#include "common/settings/schema.h"

#include <algorithm>
#include <array>

#include "common/base/text.h"
#include "common/settings/units.h"

namespace mailstead::settings {
namespace {

using Wrong = std::optional<std::string>;
constexpr std::uint64_t kMebi = 1024 * 1024;
constexpr std::uint64_t kGibi = 1024 * kMebi;

const std::string& text_of(const Value& value) {
    return std::get<std::string>(value);
}
std::uint64_t number_of(const Value& value) {
    return std::get<std::uint64_t>(value);
}
std::uint32_t number32_of(const Value& value) {
    return static_cast<std::uint32_t>(number_of(value));
}
std::uint16_t port_of(const Value& value) {
    return static_cast<std::uint16_t>(number_of(value));
}
const std::vector<std::string>& texts_of(const Value& value) {
    return std::get<std::vector<std::string>>(value);
}

std::vector<std::string> upper_case(const std::vector<std::string>& names) {
    std::vector<std::string> out;
    out.reserve(names.size());
    for (const std::string& name : names) out.push_back(text::upper(name));
    return out;
}

template <class Enum>
struct Choice {
    std::string_view name;
    Enum value;
};

template <class Enum, std::size_t N>
Wrong choose(const std::array<Choice<Enum>, N>& choices, const std::string& name, Enum& out) {
    std::string known;
    for (const auto& choice : choices) {
        if (choice.name == name) {
            out = choice.value;
            return std::nullopt;
        }
        known += (known.empty() ? "\"" : ", \"") + std::string(choice.name) + '"';
    }
    return "one of " + known;
}

constexpr std::array<Choice<Service>, 5> kServices = {{{"smtp", Service::smtp},
                                                       {"submission", Service::submission},
                                                       {"imap", Service::imap},
                                                       {"pop3", Service::pop3},
                                                       {"web", Service::web}}};
constexpr std::array<Choice<TlsMode>, 3> kTlsModes = {
    {{"implicit", TlsMode::implicit}, {"starttls", TlsMode::starttls}, {"none", TlsMode::none}}};
constexpr std::array<Choice<LogLevel>, 4> kLogLevels = {{{"debug", LogLevel::debug},
                                                         {"info", LogLevel::info},
                                                         {"warning", LogLevel::warning},
                                                         {"error", LogLevel::error}}};

Wrong set_smarthost(SmarthostDraft& draft, const std::string& url) {
    if (url.empty()) return std::nullopt;
    auto server = Smarthost::parse(url);
    if (!server)
        return "\"smtps://user@host:465\" or \"smtp://user@host:587\" (" + std::string(server.error().what) +
               ")";
    draft.server = *std::move(server);
    return std::nullopt;
}

Wrong set_source_addresses(Draft& draft, const Value& value) {
    bool seen_v4 = false;
    bool seen_v6 = false;
    for (const std::string& ip : texts_of(value)) {
        const auto endpoint = Endpoint::parse(ip, 1);
        if (!endpoint || endpoint->port != 1) return "IP addresses, such as \"192.0.2.1\"";
        bool& seen = endpoint->ip.find(':') == std::string::npos ? seen_v4 : seen_v6;
        if (seen) return "at most one IPv4 and one IPv6 address";
        seen = true;
        draft.settings.relay.source_addresses.push_back(endpoint->ip);
    }
    return std::nullopt;
}

Wrong set_dns_servers(Draft& draft, const Value& value) {
    constexpr std::uint16_t kDnsPort = 53;
    for (const std::string& server : texts_of(value)) {
        auto endpoint = Endpoint::parse(server, kDnsPort);
        if (!endpoint) return "\"address\" or \"address:port\", such as \"127.0.0.1:53\"";
        draft.settings.dns.servers.push_back(*std::move(endpoint));
    }
    return std::nullopt;
}

constexpr Row kTopRows[] = {
    {.key = "hostname",
     .type = Type::text,
     .default_toml = "",
     .readers = "all daemons",
     .help = "The full name of this machine, as its PTR record says it: in greetings, HELO, Received and "
             "Message-ID.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         auto domain = Domain::parse(text_of(value));
         if (!domain || domain->is_literal()) return "a host name, such as \"mail.example.org\"";
         draft.settings.hostname = *std::move(domain);
         return std::nullopt;
     }},
    {.key = "data_dir",
     .type = Type::text,
     .default_toml = "\"/var/lib/mailstead\"",
     .readers = "all",
     .help = "The folder for mail, queue and directory. One file system, with room for all mail.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         if (text_of(value).empty()) return "a folder";
         draft.settings.data_dir = draft.resolve(text_of(value));
         return std::nullopt;
     }},
    {.key = "user",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "all daemons",
     .help = "The user that a daemon becomes when root starts it; empty: it stays who it is.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.user = text_of(value);
         return std::nullopt;
     }},
    {.key = "workers",
     .type = Type::number,
     .default_toml = "0",
     .maximum = 256,
     .readers = "all daemons",
     .help = "Threads that serve connections, in each daemon; 0: one per core.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.workers = number32_of(value);
         return std::nullopt;
     }},
};

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

constexpr Row kDnsRows[] = {
    {.key = "servers",
     .type = Type::texts,
     .default_toml = "[]",
     .readers = "smtpd, deliver",
     .help = "Resolvers to ask, \"address\" or \"address:port\"; none: those of /etc/resolv.conf.",
     .apply = set_dns_servers},
    {.key = "trusted",
     .type = Type::boolean,
     .default_toml = "false",
     .readers = "smtpd, deliver",
     .help = "Whether these resolvers check DNSSEC and the way to them is safe (one on this machine): needed "
             "for DANE.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.dns.trusted = std::get<bool>(value);
         return std::nullopt;
     }},
};

constexpr Row kRelayRows[] = {
    {.key = "port",
     .type = Type::number,
     .default_toml = "25",
     .minimum = 1,
     .maximum = 65535,
     .readers = "deliver",
     .help = "The port dialled on an MX.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.relay.port = port_of(value);
         return std::nullopt;
     }},
    {.key = "smarthost",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "\"smtps://user@host:465\" or \"smtp://user@host:587\" sends everything through a provider, for "
             "machines whose port 25 is\n"
             "closed; empty: to the recipients' MX.",
     .apply = [](Draft& draft,
                 const Value& value) { return set_smarthost(draft.smarthost, text_of(value)); }},
    {.key = "smarthost_password_file",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "The file whose first line is the smarthost's password.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.smarthost.password_file = draft.resolve(text_of(value));
         return std::nullopt;
     }},
    {.key = "ca_file",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "PEM file with roots beside the system's, for the certificates of MX, MTA-STS and smarthost.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.relay.ca_file = draft.resolve(text_of(value));
         return std::nullopt;
     }},
    {.key = "source_addresses",
     .type = Type::texts,
     .default_toml = "[]",
     .readers = "deliver",
     .help = "Addresses of this machine to send from, one of each family; none: the system's choice.",
     .apply = set_source_addresses},
    {.key = "retry_lifetime",
     .type = Type::duration,
     .default_toml = "\"5 days\"",
     .minimum = 60,
     .maximum = 30 * 86400,
     .readers = "deliver",
     .help =
         "How long a message is tried before it comes back (RFC 5321, 4.5.4.1 asks for four to five days).",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.relay.retry_lifetime = Seconds(number_of(value));
         return std::nullopt;
     }},
    {.key = "delay_notice",
     .type = Type::duration,
     .default_toml = "\"4 hours\"",
     .minimum = 60,
     .maximum = 30 * 86400,
     .readers = "deliver",
     .help = "When the sender of a message that still waits first hears of it.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.relay.delay_notice = Seconds(number_of(value));
         return std::nullopt;
     }},
    {.key = "connections",
     .type = Type::number,
     .default_toml = "200",
     .minimum = 1,
     .maximum = 10000,
     .readers = "deliver",
     .help = "Connections to other servers at one time.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.relay.connections = number32_of(value);
         return std::nullopt;
     }},
    {.key = "connections_per_destination",
     .type = Type::number,
     .default_toml = "10",
     .minimum = 1,
     .maximum = 1000,
     .readers = "deliver",
     .help = "Connections to one destination at one time.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.relay.connections_per_destination = number32_of(value);
         return std::nullopt;
     }},
};

constexpr Row kRouteRows[] = {
    {.key = "domain",
     .type = Type::text,
     .default_toml = "",
     .readers = "deliver",
     .help = "The recipients' domain; \".example.org\" is all below it, too.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         std::string_view name = text_of(value);
         RouteDraft& route = draft.routes.back();
         route.with_subdomains = name.starts_with('.');
         if (route.with_subdomains) name.remove_prefix(1);
         auto domain = Domain::parse(name);
         if (!domain) return "a domain, such as \"example.org\" or \".example.org\"";
         route.domain = *std::move(domain);
         return std::nullopt;
     }},
    {.key = "smarthost",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "As relay.smarthost; empty: to the domain's MX, although there is a general smarthost.",
     .apply =
         [](Draft& draft, const Value& value) {
             return set_smarthost(draft.routes.back().smarthost, text_of(value));
         }},
    {.key = "smarthost_password_file",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "The file whose first line is this smarthost's password.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.routes.back().smarthost.password_file = draft.resolve(text_of(value));
         return std::nullopt;
     }},
};

constexpr Row kLimitRows[] = {
    {.key = "message_size",
     .type = Type::size,
     .default_toml = "\"50 MiB\"",
     .minimum = 64 * 1024,
     .maximum = 2 * kGibi,
     .readers = "smtpd, imapd",
     .help = "The largest message, by SMTP and by IMAP APPEND.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.message_size = number_of(value);
         return std::nullopt;
     }},
    {.key = "recipients",
     .type = Type::number,
     .default_toml = "1000",
     .minimum = 100,  // RFC 5321, 4.5.3.1.8
     .maximum = 50000,
     .readers = "smtpd",
     .help = "Recipients of one message.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.recipients = number32_of(value);
         return std::nullopt;
     }},
    {.key = "connections",
     .type = Type::number,
     .default_toml = "5000",
     .minimum = 10,
     .maximum = 1000000,
     .readers = "smtpd, imapd",
     .help = "Open connections of each daemon.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.connections = number32_of(value);
         return std::nullopt;
     }},
    {.key = "connections_per_address",
     .type = Type::number,
     .default_toml = "100",
     .minimum = 1,
     .maximum = 1000000,
     .readers = "smtpd, imapd",
     .help = "Open connections of one client address (of one /64 with IPv6). A household behind one address "
             "has many.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.connections_per_address = number32_of(value);
         return std::nullopt;
     }},
    {.key = "sessions_per_account",
     .type = Type::number,
     .default_toml = "200",
     .minimum = 5,
     .maximum = 100000,
     .readers = "imapd",
     .help = "Logged-in sessions of one account. Thunderbird alone opens five.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.sessions_per_account = number32_of(value);
         return std::nullopt;
     }},
    {.key = "memory",
     .type = Type::size,
     .default_toml = "\"64 MiB\"",
     .minimum = 8 * kMebi,
     .maximum = 64 * kGibi,
     .readers = "smtpd",
     .help = "What one daemon spends on message bodies and command buffers; beyond it messages go to disk, "
             "clients wait.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.memory = number_of(value);
         return std::nullopt;
     }},
    {.key = "recipients_per_hour",
     .type = Type::number,
     .default_toml = "2000",
     .minimum = 1,
     .maximum = 100000000,
     .readers = "smtpd",
     .help =
         "Recipients that one account may write to in an hour, so that a stolen password does limited harm.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.recipients_per_hour = number32_of(value);
         return std::nullopt;
     }},
    {.key = "queue_messages",
     .type = Type::number,
     .default_toml = "100000",
     .minimum = 100,
     .maximum = 100000000,
     .readers = "deliver",
     .help = "Messages waiting in the outbound queue; above, mail is answered with \"later\".",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.queue_messages = number32_of(value);
         return std::nullopt;
     }},
    {.key = "free_space",
     .type = Type::size,
     .default_toml = "\"128 MiB\"",
     .minimum = 1 * kMebi,
     .maximum = 1024 * kGibi,
     .readers = "smtpd, deliver",
     .help = "Space that stays free on the data folder's disk; below, mail is answered with \"later\".",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.limits.free_space = number_of(value);
         return std::nullopt;
     }},
};

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

constexpr Row kImapRows[] = {
    {.key = "hidden_capabilities",
     .type = Type::texts,
     .default_toml = "[\"UIDONLY\"]",
     .readers = "imapd",
     .help = "Capabilities that no client is offered. A cloud proxy of Outlook enables UIDONLY and then "
             "breaks its rules.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.imap.hidden_capabilities = upper_case(texts_of(value));
         return std::nullopt;
     }},
    {.key = "fulltext",
     .type = Type::boolean,
     .default_toml = "true",
     .readers = "imapd, deliver",
     .help = "Keep an index of the words in every message, in data/accounts/*/fulltext, so that searches in texts take "
             "milliseconds instead of seconds. It is made in the background and takes disk space, mostly less than "
             "a fifth of the mail's. Answers are the same without it.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.imap.fulltext = std::get<bool>(value);
         return std::nullopt;
     }},
    {.key = "message_limit",
     .type = Type::number,
     .default_toml = "0",
     .minimum = 0,
     .maximum = 4000000000,
     .readers = "imapd",
     .help = "Messages that one command works on, the newest ones (RFC 9738); a client asks again for the others. "
             "0: any number. Mailstead needs no limit; below 1000 clients may fare badly.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.imap.message_limit = number32_of(value);
         return std::nullopt;
     }},
    {.key = "save_limit",
     .type = Type::number,
     .default_toml = "0",
     .minimum = 0,
     .maximum = 4000000000,
     .readers = "imapd",
     .help = "Messages that one COPY or APPEND stores (RFC 9738), where message_limit is 0. 0: any number.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.imap.save_limit = number32_of(value);
         return std::nullopt;
     }},
};

// What goes into JSON that clients are sent, and into HTTP: printable ASCII without quotes and backslashes.
bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return c >= ' ' && c < '\x7f' && c != '"' && c != '\\'; });
}

bool is_https(std::string_view url) {
    return url.empty() ||
           (url.starts_with("https://") && url.find(' ') == std::string_view::npos && is_plain(url));
}

constexpr Row kOAuthRows[] = {
    {.key = "introspection_url",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "all daemons",
     .help = "Where the issuer says whether a token holds (RFC 7662), such as\n"
             "\"https://id.example.org/oauth2/introspect\"; empty: no logins with tokens.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         if (!is_https(text_of(value))) return "an https URL";
         draft.settings.oauth.introspection_url = text_of(value);
         return std::nullopt;
     }},
    {.key = "client_id",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "The name under which this server is registered with the issuer; empty: it asks without one.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.oauth.client_id = text_of(value);
         return std::nullopt;
     }},
    {.key = "client_secret_file",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "The file whose first line is the secret that goes with client_id.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.oauth.client_secret_file = draft.resolve(text_of(value));
         return std::nullopt;
     }},
    {.key = "issuer",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "The issuer that a token must name (\"iss\"); empty: any.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.oauth.issuer = text_of(value);
         return std::nullopt;
     }},
    {.key = "audience",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "The audience that a token must be for (\"aud\"); empty: any.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.oauth.audience = text_of(value);
         return std::nullopt;
     }},
    {.key = "scope",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "The scopes that a token must have, separated by spaces; empty: any.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         if (!is_plain(text_of(value))) return "scopes, such as \"mail\"";
         draft.settings.oauth.scope = text_of(value);
         return std::nullopt;
     }},
    {.key = "account_claim",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "The claim that names the account, by its address or login name; empty: the first of username, "
             "email, sub that the\nissuer gives.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.oauth.account_claim = text_of(value);
         return std::nullopt;
     }},
    {.key = "discovery_url",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "The issuer's metadata, which clients are pointed to when their token is refused, such as\n"
             "\"https://id.example.org/.well-known/openid-configuration\"; empty: they are not.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         if (!is_https(text_of(value))) return "an https URL";
         draft.settings.oauth.discovery_url = text_of(value);
         return std::nullopt;
     }},
    {.key = "ca_file",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "deliver",
     .help = "PEM file with roots beside the system's, for the issuer's certificate.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.oauth.ca_file = draft.resolve(text_of(value));
         return std::nullopt;
     }},
};

constexpr Row kLogRows[] = {
    {.key = "level",
     .type = Type::text,
     .default_toml = "\"info\"",
     .readers = "all daemons",
     .help = "debug, info, warning or error.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         return choose(kLogLevels, text_of(value), draft.settings.log.level);
     }},
    {.key = "file",
     .type = Type::text,
     .default_toml = "\"\"",
     .readers = "all daemons",
     .help = "A file to append to; empty: standard error, which is the journal under systemd.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.log.file = draft.resolve(text_of(value));
         return std::nullopt;
     }},
};

constexpr Table kTables[] = {
    {.name = "", .kind = TableKind::single, .help = "", .rows = kTopRows},
    {.name = "listener",
     .kind = TableKind::array,
     .help = "One for each port. Without any, these seven are served.",
     .rows = kListenerRows,
     .begin =
         [](Draft& draft) {
             if (!draft.listeners_given) draft.settings.listeners.clear();
             draft.listeners_given = true;
             draft.settings.listeners.emplace_back();
         },
     .sample = "[[listener]]\nservice = \"smtp\"\naddress = \"[::]:25\"\ntls = "
               "\"starttls\"\nhidden_capabilities = []\n\n"
               "[[listener]]\nservice = \"submission\"\naddress = \"[::]:465\"\ntls = \"implicit\"\n\n"
               "[[listener]]\nservice = \"submission\"\naddress = \"[::]:587\"\ntls = \"starttls\"\n\n"
               "[[listener]]\nservice = \"imap\"\naddress = \"[::]:993\"\ntls = \"implicit\"\n\n"
               "[[listener]]\nservice = \"imap\"\naddress = \"[::]:143\"\ntls = \"starttls\"\n\n"
               "[[listener]]\nservice = \"pop3\"\naddress = \"[::]:995\"\ntls = \"implicit\"\n\n"
               "[[listener]]\nservice = \"pop3\"\naddress = \"[::]:110\"\ntls = \"starttls\"\n",
     .sample_is_default = true},
    {.name = "tls", .kind = TableKind::single, .help = "", .rows = kTlsRows},
    {.name = "tls.more",
     .kind = TableKind::array,
     .help = "Certificates for further host names, chosen by the name that the client asks for (SNI).",
     .rows = kMoreCertificatesRows,
     .begin = [](Draft& draft) { draft.more_certificates.emplace_back(); },
     .sample = "[[tls.more]]\ncertificate = \"mail.example.net.pem\"\nkey = \"mail.example.net.key\"\n"},
    {.name = "dns", .kind = TableKind::single, .help = "", .rows = kDnsRows},
    {.name = "relay", .kind = TableKind::single, .help = "Mail to other servers.", .rows = kRelayRows},
    {.name = "relay.route",
     .kind = TableKind::array,
     .help = "Domains whose mail goes another way.",
     .rows = kRouteRows,
     .begin = [](Draft& draft) { draft.routes.emplace_back(); },
     .sample = "[[relay.route]]\ndomain = \"example.net\"\nsmarthost = \"smtps://you@smtp.example.net\"\n"
               "smarthost_password_file = \"smarthost.password\"\n"},
    {.name = "limits",
     .kind = TableKind::single,
     .help = "What a peer or a user can make this machine spend.",
     .rows = kLimitRows},
    {.name = "smtp", .kind = TableKind::single, .help = "", .rows = kSmtpRows},
    {.name = "imap", .kind = TableKind::single, .help = "", .rows = kImapRows},
    {.name = "oauth",
     .kind = TableKind::single,
     .help = "Logins with OAuth tokens (OAUTHBEARER, XOAUTH2), which their issuer is asked about.",
     .rows = kOAuthRows},
    {.name = "log", .kind = TableKind::single, .help = "", .rows = kLogRows},
};

}  // namespace

std::span<const Table> schema() {
    return kTables;
}

std::filesystem::path Draft::resolve(const std::string& path) const {
    if (path.empty()) return {};
    return (folder / path).lexically_normal();
}

std::string expectation(const Row& row) {
    switch (row.type) {
        case Type::boolean:
            return "true or false is expected";
        case Type::number:
            return "a number from " + std::to_string(row.minimum) + " to " + std::to_string(row.maximum) +
                   " is expected";
        case Type::size:
            return "a size from " + write_size(row.minimum) + " to " + write_size(row.maximum) +
                   " is expected";
        case Type::duration:
            return "a time such as \"5 days\", \"4 hours\" or \"90 s\", from " + std::to_string(row.minimum) +
                   " to " + std::to_string(row.maximum) + " seconds, is expected";
        case Type::text:
            return "a text in quotes is expected";
        case Type::texts:
            return "a list of texts such as [\"A\", \"B\"] is expected";
    }
    return {};
}

}  // namespace mailstead::settings
