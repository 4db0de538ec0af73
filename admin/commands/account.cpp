// `mailstead account`.
#include <unistd.h>

#include "admin/commands/account_removal.h"
#include "admin/deliver_link.h"
#include "admin/output.h"
#include "admin/password.h"
#include "admin/workspace.h"
#include "common/base/text.h"
#include "common/settings/units.h"
#include "common/store/shares.h"

namespace mailstead::admin {
namespace {

using directory::Account;
using directory::AccountState;

constexpr std::size_t kMaxDisplayName = 200;

std::string folder_of(const settings::Settings& settings, AccountId id) {
    return (settings.data_dir / "accounts" / std::to_string(id.value)).string();
}

Outcome<std::string> display_name(const Arguments& arguments) {
    const std::string& name = arguments.one("--name");
    const bool has_control = name.find_first_of("\r\n\t") != std::string::npos;
    if (name.size() > kMaxDisplayName || has_control || !text::is_utf8(name)) {
        return Failure(EX_DATAERR, "--name is a line of at most 200 bytes of UTF-8");
    }
    return name;
}

// What an account command works on.
struct Desk {
    settings::Settings settings;
    std::unique_ptr<directory::Editor> editor;
    std::unique_ptr<directory::CredentialsEditor> credentials;
    Account account;
};
Outcome<Desk> open_desk(const Arguments& arguments) {
    TRY(settings, load_settings(arguments));
    TRY(editor, open_editor(settings));
    TRY(credentials, open_credentials_editor(settings));
    TRY(account, find_account(*editor, arguments.one("ADDRESS")));
    return Desk{std::move(settings), std::move(editor), std::move(credentials), std::move(account)};
}

Cell size_cell(std::uint64_t octets, Format format) {
    if (format == Format::json) return octets;
    return octets == 0 ? "none" : settings::write_size(octets);
}
Cell count_cell(std::uint64_t count, Format format) {
    if (format == Format::json) return count;
    return count == 0 ? "none" : std::to_string(count);
}

// `limits` with what the arguments say of them; `size` is the name of the one for octets.
Outcome<directory::Limits> read_limits(const Arguments& arguments, std::string_view size,
                                       directory::Limits limits) {
    if (arguments.has(size)) {
        TRY(octets, parse_quota(arguments.one(size)));
        limits.octets = octets;
    }
    if (arguments.has("--messages")) {
        TRY(messages, parse_count(arguments.one("--messages")));
        limits.messages = messages;
    }
    if (arguments.has("--mailboxes")) {
        TRY(mailboxes, parse_count(arguments.one("--mailboxes")));
        limits.mailboxes = mailboxes;
    }
    return limits;
}

Outcome<> run_add(const Arguments& arguments) {
    TRY(settings, load_settings(arguments));
    TRY(address, parse_address(arguments.one("ADDRESS")));
    TRY(name, display_name(arguments));
    TRY(limits, read_limits(arguments, "--quota", {}));
    TRY(hidden, parse_capabilities(arguments.all("--hide-capability")));
    TRY(editor, open_editor(settings));
    TRY(credentials, open_credentials_editor(settings));
    TRY(known, editor->find_by_login(address.key()));
    if (known)
        return Failure(EX_DATAERR,
                       address.unicode() + " is an account already; `account passwd` changes its password");
    TRY(password, read_new_password(arguments, address.unicode()));
    TRY(id, editor->add_account({address, name, limits, hidden}));
    if (auto set = credentials->set_password(id, password); !set) {
        // Nobody could log in, and the address would be taken.
        if (editor->remove_account(id, {})) static_cast<void>(editor->forget_removed(id));
        return Failure(set.error());
    }
    print("Added " + address.unicode() + " (account " + std::to_string(id.value) + ")\n");
    return {};
}

Outcome<> run_list(const Arguments& arguments) {
    if (arguments.has("--removed")) return list_removed_accounts(arguments);
    TRY(format, format_of(arguments));
    TRY(settings, load_settings(arguments));
    TRY(editor, open_editor(settings));
    TRY(accounts, editor->accounts());
    std::vector<std::vector<Cell>> rows;
    for (const Account& account : accounts) {
        const std::uint64_t octets = account.limits.octets;
        const Cell quota = format == Format::json ? Cell(octets)
                           : octets == 0          ? Cell()
                                                  : Cell(settings::write_size(octets));
        rows.push_back({std::uint64_t{account.id.value}, account.login.unicode(), account.display_name, quota,
                        account.state == AccountState::active});
    }
    print_rows({"id", "address", "name", "quota", "login"}, rows, format,
               "no accounts: `mailstead account add` adds one");
    return {};
}

// Addresses of accounts; nothing while deliver has not made the table of shares.
std::vector<std::string> addresses_of(const directory::Editor& editor,
                                      const Result<std::vector<AccountId>>& accounts) {
    std::vector<std::string> list;
    if (!accounts) return list;
    for (const AccountId id : *accounts) {
        if (id == store::kAnyone) list.push_back("anyone");
        const auto account = editor.find_account(id);
        if (account && *account) list.push_back((*account)->login.unicode());
    }
    return list;
}

Outcome<> run_show(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(desk, open_desk(arguments));
    const Account& account = desk.account;
    TRY(found, desk.credentials->find(account.id));
    std::vector<std::string> app_passwords;
    if (found) {
        for (const directory::AppPassword& app : found->app_passwords) app_passwords.push_back(app.name);
    }
    std::vector<std::string> led_here;
    TRY(aliases, desk.editor->aliases());
    for (const directory::Alias& alias : aliases) {
        TRY(leads_here, desk.editor->may_send_as(account.id, alias.address));
        if (leads_here) led_here.push_back(alias.address.unicode());
    }
    const store::SharesReader shares(desk.settings.data_dir);
    const auto shares_with = addresses_of(*desk.editor, shares.shared_by(account.id));
    const auto shared_by = addresses_of(*desk.editor, shares.sharers(account.id));
    print_record({{"id", std::uint64_t{account.id.value}},
                  {"address", account.login.unicode()},
                  {"name", account.display_name},
                  {"quota", size_cell(account.limits.octets, format)},
                  {"quota_messages", count_cell(account.limits.messages, format)},
                  {"quota_mailboxes", count_cell(account.limits.mailboxes, format)},
                  {"login", account.state == AccountState::active},
                  {"admin", account.is_admin},
                  {"created", to_rfc3339(account.created)},
                  {"aliases", led_here},
                  {"app_passwords", app_passwords},
                  {"shares_with", shares_with},
                  {"shared_by", shared_by},
                  {"hidden_capabilities", account.hidden_capabilities},
                  {"folder", folder_of(desk.settings, account.id)}},
                 format);
    return {};
}

Outcome<> run_passwd(const Arguments& arguments) {
    TRY(desk, open_desk(arguments));
    TRY(password, read_new_password(arguments, desk.account.login.unicode()));
    TRY_VOID(desk.credentials->set_password(desk.account.id, password));
    print("The password of " + desk.account.login.unicode() + " is changed\n");
    end_revoked_sessions(desk.settings, desk.account.id);
    return {};
}

Outcome<> run_quota(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    if (arguments.all("SIZE").size() > 1) return Failure(EX_USAGE, "one SIZE is enough");
    TRY(desk, open_desk(arguments));
    TRY(limits, read_limits(arguments, "SIZE", desk.account.limits));
    if (limits != desk.account.limits) TRY_VOID(desk.editor->set_limits(desk.account.id, limits));
    print_record({{"address", desk.account.login.unicode()},
                  {"quota", size_cell(limits.octets, format)},
                  {"quota_messages", count_cell(limits.messages, format)},
                  {"quota_mailboxes", count_cell(limits.mailboxes, format)}},
                 format);
    return {};
}

Outcome<> run_set(const Arguments& arguments) {
    TRY(name, display_name(arguments));
    TRY(hide, parse_capabilities(arguments.all("--hide-capability")));
    TRY(offer, parse_capabilities(arguments.all("--offer-capability")));
    if (arguments.has("--lock") && arguments.has("--unlock"))
        return Failure(EX_USAGE, "--lock and --unlock contradict each other");
    if (arguments.has("--admin") && arguments.has("--no-admin"))
        return Failure(EX_USAGE, "--admin and --no-admin contradict each other");
    TRY(desk, open_desk(arguments));
    Account& account = desk.account;
    if (arguments.has("--admin")) TRY_VOID(desk.editor->set_admin(account.id, true));
    if (arguments.has("--no-admin")) TRY_VOID(desk.editor->set_admin(account.id, false));
    if (arguments.has("--name")) TRY_VOID(desk.editor->set_display_name(account.id, name));
    if (arguments.has("--lock")) TRY_VOID(desk.editor->set_state(account.id, AccountState::disabled));
    if (arguments.has("--unlock")) TRY_VOID(desk.editor->set_state(account.id, AccountState::active));
    if (!hide.empty() || !offer.empty()) {
        std::vector<std::string>& hidden = account.hidden_capabilities;
        for (const std::string& capability : hide) {
            if (std::find(hidden.begin(), hidden.end(), capability) == hidden.end())
                hidden.push_back(capability);
        }
        std::erase_if(hidden, [&](const std::string& c) {
            return std::find(offer.begin(), offer.end(), c) != offer.end();
        });
        TRY_VOID(desk.editor->set_hidden_capabilities(account.id, hidden));
    }
    print("Changed " + account.login.unicode() + '\n');
    if (arguments.has("--lock")) end_revoked_sessions(desk.settings, account.id);
    return {};
}

Outcome<> list_app_passwords(const Desk& desk, Format format) {
    TRY(found, desk.credentials->find(desk.account.id));
    std::vector<std::vector<Cell>> rows;
    if (found) {
        for (const directory::AppPassword& app : found->app_passwords)
            rows.push_back({app.name, to_rfc3339(app.created),
                            app.last_used ? Cell(to_rfc3339(*app.last_used)) : Cell()});
    }
    print_rows({"name", "created", "last_used"}, rows, format, "no app passwords");
    return {};
}

Outcome<> run_app_password(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(desk, open_desk(arguments));
    const std::string& action = arguments.one("ACTION");
    const std::string name = arguments.all("NAME").empty() ? std::string() : arguments.one("NAME");
    if (action == "list") return list_app_passwords(desk, format);
    if (name.empty())
        return Failure(EX_USAGE, "which one? `mailstead account app-password ADDRESS add|remove NAME`");
    if (action == "add") {
        TRY(password, desk.credentials->add_app_password(desk.account.id, name));
        print(std::string(password.reveal()) + '\n');
        return {};
    }
    if (action != "remove")
        return Failure(EX_USAGE, "add, remove or list is expected, not \"" + action + '"');
    TRY(removed, desk.credentials->remove_app_password(desk.account.id, name));
    if (!removed)
        return Failure(EX_DATAERR, "there is no app password \"" + name +
                                       "\"; `... app-password ADDRESS list` shows all");
    print("Removed the app password \"" + name + "\"\n");
    end_revoked_sessions(desk.settings, desk.account.id);
    return {};
}

}  // namespace

CommandGroup account_commands() {
    const Parameter address{"ADDRESS", Takes::one, "The account's address"};
    const Parameter messages{"--messages", Takes::option, "At most so many messages: 100000, none"};
    const Parameter mailboxes{"--mailboxes", Takes::option, "At most so many mailboxes: 100, none"};
    const Parameter hide{"--hide-capability", Takes::options,
                         "An IMAP capability not to offer, for a client that stumbles over it"};
    return {"account",
            "People (and programs) with mail here",
            {{"account add",
              "Add an account; asks for its password",
              {address,
               {"--name", Takes::option, "The person's name"},
               {"--quota", Takes::option, "10G, 500M, none"},
               messages,
               mailboxes,
               hide,
               kPasswordStdin},
              &run_add},
             {"account list",
              "List the accounts",
              {{"--removed", Takes::flag, "Those that were removed and can come back"}, kFormat},
              &run_list},
             {"account show", "Show an account", {address, kFormat}, &run_show},
             {"account remove",
              "Remove an account; its mail stays",
              {{"ADDRESS", Takes::one, "The account's address, or the number of one that was removed"},
               {"--delete-mail", Takes::flag, "Delete its mail as well, some days later"},
               {"--after", Takes::option, "How much later: 12 hours, 0; without it limits.keep_deleted"}},
              &run_account_remove},
             {"account undelete",
              "Bring a removed account back; or what an account deleted",
              {{"ADDRESS", Takes::one,
                "The account's address; of a removed one the address it had, or its number"},
               {"--as", Takes::option,
                "A removed account's address from now on, when somebody else has the old one"},
               {"--list", Takes::flag, "Show the deleted messages that are kept"},
               {"--mailbox", Takes::option, "Only those of this mailbox and those below it"},
               {"--since", Takes::option,
                "Deleted since then: 2026-12-01, 2026-12-01T03:00 (UTC), 3 hours (ago)"},
               {"--before", Takes::option, "Deleted before that"},
               kFormat},
              &run_account_undelete},
             {"account passwd", "Change an account's password", {address, kPasswordStdin}, &run_passwd},
             {"account quota",
              "Show or set how much an account may keep",
              {address, {"SIZE", Takes::any, "10G, 500M, none"}, messages, mailboxes, kFormat},
              &run_quota},
             {"account set",
              "Change other properties of an account",
              {address,
               {"--name", Takes::option, "The person's name"},
               {"--lock", Takes::flag, "Nobody can log in; mail still comes in"},
               {"--unlock", Takes::flag, "Logging in works again"},
               {"--admin", Takes::flag, "It may set the quotas of all accounts over IMAP"},
               {"--no-admin", Takes::flag, "It may not any more"},
               hide,
               {"--offer-capability", Takes::options, "Offer a hidden capability again"}},
              &run_set},
             {"account app-password",
              "Passwords of their own for programs: add prints a new one",
              {address,
               {"ACTION", Takes::one, "add, remove or list"},
               {"NAME", Takes::any, "What it is for: phone"},
               kFormat},
              &run_app_password}}};
}

}  // namespace mailstead::admin
