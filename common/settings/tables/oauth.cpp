#include <algorithm>

#include "common/settings/tables/tables.h"
#include "common/settings/tables/values.h"

namespace mailstead::settings::tables {
namespace {

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

}  // namespace

Table oauth() {
    return {.name = "oauth",
            .kind = TableKind::single,
            .help = "Logins with OAuth tokens (OAUTHBEARER, XOAUTH2), which their issuer is asked about.",
            .rows = kOAuthRows};
}

}  // namespace mailstead::settings::tables
