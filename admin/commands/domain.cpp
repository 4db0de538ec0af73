// `mailstead domain`.
#include "admin/dns_facts.h"
#include "admin/output.h"
#include "admin/workspace.h"

namespace mailstead::admin {
namespace {

using directory::DkimKey;
using directory::DkimState;

std::string_view to_string(DkimState state) {
    switch (state) {
        case DkimState::pending:
            return "pending";
        case DkimState::signing:
            return "signing";
        case DkimState::retired:
            return "retired";
    }
    return {};
}

Outcome<> run_add(const Arguments& arguments) {
    TRY(settings, load_settings(arguments));
    TRY(domain, parse_domain(arguments.one("DOMAIN")));
    std::optional<Domain> alias_of;
    if (arguments.has("--alias-of")) {
        TRY(original, parse_domain(arguments.one("--alias-of")));
        alias_of = std::move(original);
    }
    TRY(editor, open_editor(settings));
    TRY(credentials, open_credentials_editor(settings));
    TRY_VOID(editor->add_domain(domain, alias_of));
    TRY(keys, credentials->dkim_keys(domain));
    if (keys.empty()) {
        TRY(key, make_dkim_key(*credentials, domain, DkimState::signing));
        TRY_VOID(credentials->put_dkim_key(key));
    }
    print("Added " + domain.unicode() + ". Publish its records: `mailstead dns records " + domain.unicode() +
          "`\n");
    return {};
}

std::vector<Cell> row_of(const directory::DomainRecord& domain) {
    return {domain.name.unicode(), domain.alias_of ? Cell(domain.alias_of->unicode()) : Cell(),
            domain.catch_all ? Cell(domain.catch_all->unicode()) : Cell(), to_rfc3339(domain.created)};
}

Outcome<> run_list(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(settings, load_settings(arguments));
    TRY(editor, open_editor(settings));
    TRY(domains, editor->domains());
    std::vector<std::vector<Cell>> rows;
    for (const directory::DomainRecord& domain : domains) rows.push_back(row_of(domain));
    print_rows({"domain", "alias_of", "catch_all", "created"}, rows, format,
               "no domains: `mailstead domain add example.org` adds one");
    return {};
}

Outcome<directory::DomainRecord> our_domain(const directory::Directory& directory, const Domain& domain) {
    TRY(record, directory.find_domain(domain));
    if (!record)
        return Failure(EX_DATAERR,
                       "there is no domain " + domain.unicode() + " here; `mailstead domain list` shows all");
    return *std::move(record);
}

Outcome<> run_show(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(settings, load_settings(arguments));
    TRY(domain, parse_domain(arguments.one("DOMAIN")));
    TRY(editor, open_editor(settings));
    TRY(credentials, open_credentials_editor(settings));
    TRY(record, our_domain(*editor, domain));
    TRY(keys, credentials->dkim_keys(domain));
    TRY(accounts, editor->accounts());
    TRY(aliases, editor->aliases());
    std::vector<std::string> key_texts;
    for (const DkimKey& key : keys)
        key_texts.push_back(key.selector + ' ' + std::string(to_string(key.state)));
    const auto count = [&](const auto& all, const auto& domain_of) {
        return static_cast<std::uint64_t>(
            std::count_if(all.begin(), all.end(), [&](const auto& one) { return domain_of(one) == domain; }));
    };
    const std::vector<Cell> row = row_of(record);
    print_record({{"domain", row[0]},
                  {"alias_of", row[1]},
                  {"catch_all", row[2]},
                  {"created", row[3]},
                  {"accounts", count(accounts, [](const directory::Account& a) { return a.login.domain(); })},
                  {"aliases", count(aliases, [](const directory::Alias& a) { return a.address.domain(); })},
                  {"dkim", key_texts}},
                 format);
    return {};
}

Outcome<> run_remove(const Arguments& arguments) {
    TRY(settings, load_settings(arguments));
    TRY(domain, parse_domain(arguments.one("DOMAIN")));
    TRY(editor, open_editor(settings));
    TRY(credentials, open_credentials_editor(settings));
    TRY_VOID(editor->remove_domain(domain));
    TRY_VOID(credentials->remove_dkim_keys(domain));
    print("Removed " + domain.unicode() + ". Its DNS records may go, too.\n");
    return {};
}

// The first half: a second key whose record can be published while the first still signs.
Outcome<> prepare_rotation(const settings::Settings& settings, directory::CredentialsEditor& credentials,
                           const Domain& domain, const std::vector<DkimKey>& keys) {
    const auto pending = std::find_if(keys.begin(), keys.end(),
                                      [](const DkimKey& key) { return key.state == DkimState::pending; });
    std::string selector = pending == keys.end() ? std::string() : pending->selector;
    if (pending == keys.end()) {
        TRY(key, make_dkim_key(credentials, domain, DkimState::pending));
        selector = key.selector;
        TRY_VOID(credentials.put_dkim_key(key));
    }
    TRY(records, records_of(settings, credentials, domain));
    std::erase_if(records, [&](const mailauth::PublishedRecord& record) {
        return record.purpose != mailauth::RecordPurpose::dkim || !record.name.starts_with(selector + '.');
    });
    print("The new key waits for its record:\n\n" + mailauth::render_table(records) +
          "\nPublish it, wait until it can be seen everywhere (a day is plenty), then: mailstead domain "
          "rotate-dkim " +
          domain.unicode() + " --activate\n");
    return {};
}

// The second half: the new key signs, the old one stays published for mail on its way, older ones go.
Outcome<> finish_rotation(directory::CredentialsEditor& credentials, const Domain& domain,
                          std::vector<DkimKey>& keys) {
    const auto is_pending = [](const DkimKey& key) { return key.state == DkimState::pending; };
    if (std::none_of(keys.begin(), keys.end(), is_pending)) {
        return Failure(EX_DATAERR, "there is no new key yet: `mailstead domain rotate-dkim " +
                                       domain.unicode() + "` makes one");
    }
    for (DkimKey& key : keys) {
        if (key.state == DkimState::retired) {
            TRY_VOID(credentials.remove_dkim_key(domain, key.selector));
            print("Its record may go: " + key.selector + "._domainkey." + domain.ascii() + '\n');
            continue;
        }
        key.state = key.state == DkimState::pending ? DkimState::signing : DkimState::retired;
        TRY_VOID(credentials.put_dkim_key(key));
        print(key.selector + (key.state == DkimState::signing
                                  ? " signs now\n"
                                  : " signs no more; leave its record for a week\n"));
    }
    return {};
}

Outcome<> run_rotate(const Arguments& arguments) {
    TRY(settings, load_settings(arguments));
    TRY(domain, parse_domain(arguments.one("DOMAIN")));
    TRY(editor, open_editor(settings));
    TRY(credentials, open_credentials_editor(settings));
    TRY_VOID(our_domain(*editor, domain));
    TRY(keys, credentials->dkim_keys(domain));
    if (arguments.has("--activate")) return finish_rotation(*credentials, domain, keys);
    return prepare_rotation(settings, *credentials, domain, keys);
}

}  // namespace

CommandGroup domain_commands() {
    const Parameter domain{"DOMAIN", Takes::one, "The domain: example.org"};
    return {
        "domain",
        "Domains that have mail here",
        {{"domain add",
          "Add a domain and make its DKIM key",
          {domain, {"--alias-of", Takes::option, "Another domain here: every address of it works in both"}},
          &run_add},
         {"domain list", "List the domains", {kFormat}, &run_list},
         {"domain show", "Show a domain, its keys and counts", {domain, kFormat}, &run_show},
         {"domain remove", "Remove a domain that has no more accounts and aliases", {domain}, &run_remove},
         {"domain rotate-dkim",
          "Make a new DKIM key and print its record; with --activate sign with it",
          {domain,
           {"--activate", Takes::flag, "The record is published: sign with the new key, retire the old one"}},
          &run_rotate}}};
}

}  // namespace mailstead::admin
