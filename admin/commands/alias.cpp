// `mailstead alias`.
#include "admin/output.h"
#include "admin/workspace.h"

namespace mailstead::admin {
namespace {

// `@example.org` stands for every address of the domain that nobody has.
bool is_catch_all(std::string_view text) {
    return text.starts_with('@');
}

Outcome<std::vector<Address>> parse_targets(const Arguments& arguments) {
    std::vector<Address> targets;
    for (const std::string& text : arguments.all("TARGET")) {
        TRY(target, parse_address(text));
        targets.push_back(std::move(target));
    }
    return targets;
}

Outcome<> run_add(const Arguments& arguments) {
    TRY(settings, load_settings(arguments));
    TRY(targets, parse_targets(arguments));
    TRY(editor, open_editor(settings));
    const std::string& text = arguments.one("ADDRESS");
    if (is_catch_all(text)) {
        TRY(domain, parse_domain(std::string_view(text).substr(1)));
        if (targets.size() != 1)
            return Failure(EX_USAGE, "a catch-all has one target; make an alias with several and name that");
        TRY_VOID(editor->set_catch_all(domain, targets.front()));
    } else {
        TRY(address, parse_address(text));
        TRY_VOID(editor->add_alias(address, targets));
    }
    print("Added " + text + '\n');
    return {};
}

Outcome<> run_list(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(settings, load_settings(arguments));
    TRY(editor, open_editor(settings));
    std::vector<std::vector<Cell>> rows;
    TRY(domains, editor->domains());
    for (const directory::DomainRecord& domain : domains) {
        if (!domain.catch_all) continue;
        rows.push_back({'@' + domain.name.unicode(), std::vector<std::string>{domain.catch_all->unicode()}});
    }
    TRY(aliases, editor->aliases());
    for (const directory::Alias& alias : aliases) {
        std::vector<std::string> targets;
        for (const Address& target : alias.targets) targets.push_back(target.unicode());
        rows.push_back({alias.address.unicode(), std::move(targets)});
    }
    print_rows({"address", "targets"}, rows, format,
               "no aliases: `mailstead alias add sales@example.org you@example.org` adds one");
    return {};
}

Outcome<> remove_catch_all(directory::Editor& editor, const Domain& domain) {
    TRY(record, editor.find_domain(domain));
    if (!record || !record->catch_all) return Failure(EX_DATAERR, domain.unicode() + " has no catch-all");
    TRY_VOID(editor.set_catch_all(domain, {}));
    return {};
}

Outcome<> run_remove(const Arguments& arguments) {
    TRY(settings, load_settings(arguments));
    TRY(targets, parse_targets(arguments));
    TRY(editor, open_editor(settings));
    const std::string& text = arguments.one("ADDRESS");
    if (is_catch_all(text)) {
        TRY(domain, parse_domain(std::string_view(text).substr(1)));
        TRY_VOID(remove_catch_all(*editor, domain));
    } else {
        TRY(address, parse_address(text));
        TRY(removed, editor->remove_alias(address, targets));
        if (!removed)
            return Failure(EX_DATAERR, "there is no such alias or target; `mailstead alias list` shows all");
    }
    print("Removed " + text + '\n');
    return {};
}

}  // namespace

CommandGroup alias_commands() {
    const Parameter address{"ADDRESS", Takes::one,
                            "The alias: sales@example.org; @example.org for all that nobody has"};
    return {"alias",
            "Addresses that lead to others, here or elsewhere",
            {{"alias add", "Add an alias", {address, {"TARGET", Takes::many, "Who gets the mail"}}, &run_add},
             {"alias list", "List the aliases", {kFormat}, &run_list},
             {"alias remove",
              "Remove an alias, or some of its targets",
              {address, {"TARGET", Takes::any, "Only these targets"}},
              &run_remove}}};
}

}  // namespace mailstead::admin
