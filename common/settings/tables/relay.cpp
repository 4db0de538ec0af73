#include "common/settings/tables/tables.h"
#include "common/settings/tables/values.h"

namespace mailstead::settings::tables {
namespace {

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

}  // namespace

Table relay() {
    return {.name = "relay", .kind = TableKind::single, .help = "Mail to other servers.", .rows = kRelayRows};
}

Table routes() {
    return {.name = "relay.route",
            .kind = TableKind::array,
            .help = "Domains whose mail goes another way.",
            .rows = kRouteRows,
            .begin = [](Draft& draft) { draft.routes.emplace_back(); },
            .sample =
                "[[relay.route]]\ndomain = \"example.net\"\nsmarthost = \"smtps://you@smtp.example.net\"\n"
                "smarthost_password_file = \"smarthost.password\"\n"};
}

}  // namespace mailstead::settings::tables
