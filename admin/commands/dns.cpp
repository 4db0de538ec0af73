// `mailstead dns`.
#include "admin/dns_facts.h"
#include "admin/json.h"
#include "admin/output.h"
#include "admin/workspace.h"

namespace mailstead::admin {
namespace {

std::string to_json(const std::vector<mailauth::PublishedRecord>& records) {
    JsonWriter json;
    json.array_begin();
    for (const mailauth::PublishedRecord& record : records) {
        json.object_begin()
            .member("name", record.name)
            .member("type", dns::to_string(record.type))
            .member("ttl", static_cast<std::uint64_t>(record.ttl.count()))
            .member("value", mailauth::value_text(record.value))
            .member("zone_value", mailauth::zone_value(record.value))
            .member("severity", mailauth::to_string(record.severity))
            .member("purpose", mailauth::to_string(record.purpose))
            .member("why", record.why)
            .object_end();
    }
    json.array_end();
    return json.text() + '\n';
}

Outcome<> run_records(const Arguments& arguments) {
    const std::string& format = arguments.one("--format");
    if (!format.empty() && format != "table" && format != "zone" && format != "json") {
        return Failure(EX_USAGE, "--format is table, zone or json, not \"" + format + '"');
    }
    TRY(settings, load_settings(arguments));
    TRY(domain, parse_domain(arguments.one("DOMAIN")));
    TRY(editor, open_editor(settings));
    TRY(is_ours, editor->has_domain(domain));
    if (!is_ours) {
        return Failure(EX_DATAERR, "there is no domain " + domain.unicode() +
                                       " here; `mailstead domain add " + domain.unicode() + "` adds it");
    }
    TRY(credentials, open_credentials_editor(settings));
    TRY(records, records_of(settings, *credentials, domain));
    if (format == "json") {
        print(to_json(records));
    } else {
        print(format == "zone" ? mailauth::render_zone(records) : mailauth::render_table(records));
    }
    return {};
}

}  // namespace

CommandGroup dns_commands() {
    return {"dns",
            "DNS records",
            {{"dns records",
              "What to publish for a domain",
              {{"DOMAIN", Takes::one, "The domain: example.org"},
               {"--format", Takes::option, "table (default), zone or json"}},
              &run_records}}};
}

}  // namespace mailstead::admin
