// `mailstead who` and `mailstead kick`.
#include <algorithm>

#include "admin/deliver_link.h"
#include "admin/output.h"
#include "admin/workspace.h"
#include "common/base/text.h"

namespace mailstead::admin {
namespace {

std::string credential_of(const Credential& credential) {
    switch (credential.kind) {
        case Credential::Kind::password:
            return "password";
        case Credential::Kind::app_password:
            return "app password " + credential.name;
        case Credential::Kind::token:
            break;
    }
    return "token";
}

Cell or_nothing(const std::string& text) {
    return text.empty() ? Cell() : Cell(text);
}

std::vector<Cell> row_of(const ipc::SessionFacts& session) {
    return {session.id,
            session.login,
            std::string(ipc::to_string(session.service)),
            or_nothing(session.client),
            session.peer.to_string(),
            or_nothing(session.tls),
            credential_of(session.credential),
            to_rfc3339(session.since),
            to_rfc3339(session.last_time),
            or_nothing(session.last_command),
            or_nothing(session.mailbox)};
}

Outcome<> run_who(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    if (arguments.all("ACCOUNT").size() > 1) return Failure(EX_USAGE, "one ACCOUNT is enough");
    TRY(settings, load_settings(arguments));
    AccountId account;
    if (arguments.has("ACCOUNT")) {
        TRY(editor, open_editor(settings));
        TRY(found, find_account(*editor, arguments.one("ACCOUNT")));
        account = found.id;
    }
    TRY(answer, ask_who(settings, account));
    std::sort(answer.sessions.begin(), answer.sessions.end(), [](const auto& a, const auto& b) {
        return std::tie(a.login, a.since, a.id) < std::tie(b.login, b.since, b.id);
    });
    std::vector<std::vector<Cell>> rows;
    for (const ipc::SessionFacts& session : answer.sessions) rows.push_back(row_of(session));
    print_rows({"session", "account", "protocol", "client", "address", "tls", "credential", "since",
                "last_time", "last_command", "mailbox"},
               rows, format, "nobody is logged in");
    if (answer.more) return Failure(EX_DATAERR, "there are more sessions than an answer holds");
    if (answer.silent != 0) return Failure(EX_TEMPFAIL, "a daemon did not answer in time: some are missing");
    return {};
}

// An account by its address or login, or a session by its id.
Outcome<ipc::SessionSelector> read_selector(const directory::Directory& directory, const std::string& which) {
    auto account = find_account(directory, which);
    if (account) return ipc::SessionSelector(ipc::SessionsOf{account->id});
    if (account.error().exit_code != EX_NOUSER || which.find('@') != std::string::npos)
        return account.error();
    return ipc::SessionSelector(ipc::SessionNamed{which});
}

Outcome<std::vector<ipc::SessionSelector>> read_selectors(const Arguments& arguments,
                                                          const settings::Settings& settings) {
    std::vector<ipc::SessionSelector> selectors;
    for (const std::string& text : arguments.all("--address")) {
        const auto address = net::parse_ip(text);
        if (!address)
            return Failure(EX_DATAERR, "\"" + text::quote_for_log(text) + "\" is not an IP address");
        selectors.emplace_back(ipc::SessionsFrom{*address});
    }
    if (!arguments.has("WHICH")) return selectors;
    TRY(editor, open_editor(settings));
    for (const std::string& which : arguments.all("WHICH")) {
        TRY(selector, read_selector(*editor, which));
        selectors.push_back(std::move(selector));
    }
    return selectors;
}

Outcome<> run_kick(const Arguments& arguments) {
    if (!arguments.has("WHICH") && !arguments.has("--address"))
        return Failure(EX_USAGE,
                       "whom? `mailstead kick ACCOUNT`, a session of `mailstead who`, or --address");
    TRY(settings, load_settings(arguments));
    TRY(selectors, read_selectors(arguments, settings));
    std::uint64_t ended = 0;
    for (const ipc::SessionSelector& selector : selectors) {
        TRY(count, kick(settings, selector));
        ended += count;
        const auto* named = std::get_if<ipc::SessionNamed>(&selector);
        if (named != nullptr && count == 0)
            return Failure(EX_DATAERR, "there is no account or session " + text::quote_for_log(named->id) +
                                           "; `mailstead who` shows the sessions");
    }
    print("Sessions ended: " + std::to_string(ended) + '\n');
    return {};
}

}  // namespace

CommandGroup session_commands() {
    return {
        "",
        "Who is logged in",
        {{"who", "List who is logged in", {{"ACCOUNT", Takes::any, "Only this account"}, kFormat}, &run_who},
         {"kick",
          "End sessions; they may log in again",
          {{"WHICH", Takes::any, "Accounts, or sessions as `who` shows them"},
           {"--address", Takes::options, "All sessions from this IP address"}},
          &run_kick}}};
}

}  // namespace mailstead::admin
