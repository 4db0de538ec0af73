#include "admin/commands/account_removal.h"

#include <algorithm>
#include <ctime>
#include <optional>

#include "admin/deliver_link.h"
#include "admin/output.h"
#include "admin/progress.h"
#include "admin/workspace.h"
#include "common/base/text.h"
#include "common/settings/units.h"
#include "common/store/deleted.h"

namespace mailstead::admin {
namespace {

using directory::Account;
using directory::RemovedAccount;

constexpr std::uint64_t kLongestKept = 100 * 366 * 86'400ull;  // seconds; what a date still holds

// When mail is deleted that --delete-mail was said of.
Outcome<Time> deletion_time(const settings::Settings& settings, const Arguments& arguments) {
    if (!arguments.has("--after")) return now() + settings.limits.keep_deleted;
    const auto seconds = settings::parse_duration(arguments.one("--after"));
    if (!seconds || *seconds > kLongestKept)
        return Failure(EX_DATAERR, "\"" + text::quote_for_log(arguments.one("--after")) +
                                       "\" is not a time: write 7 days, 12 hours, or 0");
    return now() + Seconds(*seconds);
}

// By number, or by the address it had when only one that was removed had it.
Outcome<RemovedAccount> find_removed(const directory::Editor& editor, const std::string& which) {
    TRY(all, editor.removed_accounts());
    const auto number = text::parse_number<std::uint32_t>(which);
    const auto wanted = Address::parse(which);
    std::erase_if(all, [&](const RemovedAccount& removed) {
        if (number) return removed.account.id.value != *number;
        return !wanted || removed.account.login.key() != wanted->key();
    });
    if (all.empty())
        return Failure(EX_NOUSER, "no account " + text::quote_for_log(which) +
                                      " was removed; `mailstead account list --removed` shows all");
    if (all.size() > 1)
        return Failure(EX_USAGE,
                       "several accounts with that address were removed: give the number of one, as " +
                           std::string("`mailstead account list --removed` shows it"));
    return std::move(all.front());
}

bool is_removed(const directory::Editor& editor, AccountId id) {
    const auto all = editor.removed_accounts();
    return !all || std::any_of(all->begin(), all->end(),
                               [&](const RemovedAccount& each) { return each.account.id == id; });
}

Outcome<> tell_of_mail(const settings::Settings& settings, const directory::Editor& editor, AccountId id,
                       std::optional<Time> delete_at) {
    const std::string number = std::to_string(id.value);
    TRY_VOID(announce_removal(settings, id));
    if (!delete_at) {
        print("Its mail stays. `mailstead account undelete " + number +
              "` brings all back, `mailstead account " + "remove " + number + " --delete-mail` deletes it\n");
    } else if (*delete_at > now()) {
        print("Its mail is deleted after " + to_rfc3339(*delete_at) +
              "; until then `mailstead account undelete " + number + "` brings all back\n");
    } else if (is_removed(editor, id)) {
        print("Its mail is deleted when deliver has time for it, at the latest after its next start\n");
    } else {
        print("Its mail is deleted\n");
    }
    return {};
}

}  // namespace

Outcome<> run_account_remove(const Arguments& arguments) {
    const bool deletes = arguments.has("--delete-mail");
    if (arguments.has("--after") && !deletes) return Failure(EX_USAGE, "--after belongs to --delete-mail");
    std::optional<Time> delete_at;
    TRY(settings, load_settings(arguments));
    if (deletes) {
        TRY(at, deletion_time(settings, arguments));
        delete_at = at;
    }
    TRY(editor, open_editor(settings));
    auto account = find_account(*editor, arguments.one("ADDRESS"));
    if (account) {
        TRY(dangling, editor->remove_account(account->id, delete_at));
        print("Removed " + account->login.unicode() + " (account " + std::to_string(account->id.value) +
              ")\n");
        end_revoked_sessions(settings, account->id);
        for (const std::string& what : dangling)
            print("It still leads to the removed account: " + what + '\n');
        end_revoked_sessions(settings, account->id);
        return tell_of_mail(settings, *editor, account->id, delete_at);
    }
    // One that was removed before, and whose mail is not wanted any more.
    const auto removed = find_removed(*editor, arguments.one("ADDRESS"));
    if (!removed) return removed.error().exit_code == EX_NOUSER ? account.error() : removed.error();
    if (!deletes)
        return Failure(EX_DATAERR, removed->account.login.unicode() +
                                       " is removed already; with --delete-mail its mail goes, too");
    TRY_VOID(editor->set_deletion(removed->account.id, delete_at));
    return tell_of_mail(settings, *editor, removed->account.id, delete_at);
}

namespace {

// `2026-12-01`, `2026-12-01T03:00`, `2026-12-01T03:00:00`, in UTC; or how long ago: `3 hours`.
Outcome<Time> point_in_time(const std::string& text) {
    if (const auto ago = settings::parse_duration(text); ago && *ago <= kLongestKept)
        return now() - Seconds(*ago);
    std::tm parts{};
    for (const char* form : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
        parts = {};
        const char* end = ::strptime(text.c_str(), form, &parts);
        if (end != nullptr && (*end == '\0' || std::string_view(end) == "Z"))
            return Time(Seconds(::timegm(&parts)));
    }
    return Failure(EX_DATAERR,
                   "\"" + text::quote_for_log(text) +
                       "\" is no time: write 2026-12-01, 2026-12-01T03:00 (UTC), or 3 hours (ago)");
}

Outcome<> list_deleted_messages(const settings::Settings& settings, const ipc::UndeleteMessages& what,
                                Format format) {
    store::DeletedFilter filter;
    if (!what.mailbox.empty()) filter.mailbox = what.mailbox;
    filter.since = what.since;
    filter.before = what.before;
    std::vector<std::vector<Cell>> rows;
    for (const store::DeletedMessage& message :
         store::list_deleted(settings.data_dir, what.account, filter)) {
        const auto summary = store::summary_of_deleted(settings.data_dir, what.account, message);
        rows.push_back({to_rfc3339(message.deleted_at), message.mailbox,
                        summary ? Cell(summary->from) : Cell(), summary ? Cell(summary->subject) : Cell(),
                        message.size});
    }
    print_rows({"deleted", "mailbox", "from", "subject", "size"}, rows, format,
               "nothing that was deleted is kept");
    return {};
}

// What the account expunged; the account itself is there.
Outcome<> undelete_mail(const settings::Settings& settings, const Account& account,
                        const Arguments& arguments, Format format) {
    ipc::UndeleteMessages what;
    what.account = account.id;
    what.mailbox = arguments.one("--mailbox");
    what.before = now() + std::chrono::days(1);
    if (arguments.has("--since")) {
        TRY(since, point_in_time(arguments.one("--since")));
        what.since = since;
    }
    if (arguments.has("--before")) {
        TRY(before, point_in_time(arguments.one("--before")));
        what.before = before;
    }
    if (arguments.has("--list")) return list_deleted_messages(settings, what, format);
    std::uint64_t messages = 0;
    std::uint64_t missing = 0;
    {
        ProgressLine line("undelete");
        while (true) {
            TRY(answer, undelete_messages(settings, what));
            messages += answer.messages;
            missing = answer.missing;
            line.show(messages, 0, 0);
            if (answer.messages == 0) break;
            if (ProgressLine::was_interrupted())
                return Failure(EX_TEMPFAIL, "interrupted: the same command gives back the rest");
        }
    }
    print_record({{"address", account.login.unicode()}, {"messages", messages}, {"not_readable", missing}},
                 format);
    return {};
}

}  // namespace

Outcome<> run_account_undelete(const Arguments& arguments) {
    TRY(settings, load_settings(arguments));
    std::optional<Address> address;
    if (arguments.has("--as")) {
        TRY(parsed, parse_address(arguments.one("--as")));
        address = std::move(parsed);
    }
    TRY(format, format_of(arguments));
    TRY(editor, open_editor(settings));
    if (const auto there = editor->find_by_login(arguments.one("ADDRESS")); there && *there && !address)
        return undelete_mail(settings, **there, arguments, format);
    for (const char* option : {"--list", "--mailbox", "--since", "--before"}) {
        if (arguments.has(option))
            return Failure(EX_NOUSER, "there is no account " + text::quote_for_log(arguments.one("ADDRESS")) +
                                          "; `mailstead account list` shows all");
    }
    TRY(removed, find_removed(*editor, arguments.one("ADDRESS")));
    TRY(account, editor->undelete_account(removed.account.id, address));
    print(account.login.unicode() + " (account " + std::to_string(account.id.value) +
          ") is back, with its mail, limits and passwords\n");
    return {};
}

Outcome<> list_removed_accounts(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(settings, load_settings(arguments));
    TRY(editor, open_editor(settings));
    TRY(all, editor->removed_accounts());
    std::vector<std::vector<Cell>> rows;
    for (const RemovedAccount& each : all) {
        rows.push_back({std::uint64_t{each.account.id.value}, each.account.login.unicode(),
                        each.account.display_name, to_rfc3339(each.removed),
                        each.delete_at ? Cell(to_rfc3339(*each.delete_at)) : Cell()});
    }
    print_rows({"id", "address", "name", "removed", "mail_deleted_after"}, rows, format,
               "no account was removed, or the mail of all that were is deleted");
    return {};
}

}  // namespace mailstead::admin
