#include "common/settings/tables/tables.h"
#include "common/settings/tables/values.h"

namespace mailstead::settings::tables {
namespace {

Wrong set_dns_servers(Draft& draft, const Value& value) {
    constexpr std::uint16_t kDnsPort = 53;
    for (const std::string& server : texts_of(value)) {
        auto endpoint = Endpoint::parse(server, kDnsPort);
        if (!endpoint) return "\"address\" or \"address:port\", such as \"127.0.0.1:53\"";
        draft.settings.dns.servers.push_back(*std::move(endpoint));
    }
    return std::nullopt;
}

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
     .help = "Whether these resolvers check DNSSEC and the way to them is safe (one on this machine): then their "
             "word on it is taken.",
     .apply = [](Draft& draft, const Value& value) -> Wrong {
         draft.settings.dns.trusted = std::get<bool>(value);
         return std::nullopt;
     }},
};

}  // namespace

Table dns() {
    return {.name = "dns", .kind = TableKind::single, .help = "", .rows = kDnsRows};
}

}  // namespace mailstead::settings::tables
