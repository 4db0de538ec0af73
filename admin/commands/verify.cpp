// `mailstead verify`: whether everything that belongs together is there.
#include <algorithm>
#include <set>
#include <sys/stat.h>

#include "admin/deliver_link.h"
#include "admin/output.h"
#include "admin/progress.h"
#include "admin/workspace.h"
#include "common/base/text.h"
#include "common/commit/engine.h"
#include "common/ledger/ledger.h"
#include "common/queue/reader.h"
#include "common/runtime/ownership.h"
#include "common/store/rebuild.h"
#include "common/store/store.h"

namespace mailstead::admin {
namespace {

using directory::Account;

class Verification {
public:
    Verification(const settings::Settings& settings, ProgressLine& line) : settings_(settings), line_(line) {}

    void found(std::string where, std::string what) { rows_.push_back({std::move(where), std::move(what)}); }
    // The index against its own counts, and each message against its file.
    Outcome<> account(const Account& account, store::Reader& reader);
    void folders(const std::vector<Account>& accounts, const std::vector<directory::RemovedAccount>& removed);
    Outcome<> queue();
    void ledger();
    // While deliver does not run. What can be accepted.
    Outcome<commit::JournalState> journal();

    std::vector<std::vector<Cell>>& rows() { return rows_; }
    // Accounts whose index is of no use.
    const std::set<AccountId>& to_rebuild() const { return to_rebuild_; }

private:
    Outcome<> mailbox(const Account& account, const store::Snapshot& snapshot, const store::MailboxInfo& box);
    Outcome<> tell();

    const settings::Settings& settings_;
    ProgressLine& line_;
    std::vector<std::vector<Cell>> rows_;
    std::set<AccountId> to_rebuild_;
    std::uint64_t files_ = 0;
    std::uint64_t bytes_ = 0;
};

Outcome<> Verification::tell() {
    line_.show(files_, 0, bytes_);
    if (ProgressLine::was_interrupted())
        return Failure(EX_TEMPFAIL, "interrupted; `mailstead verify ADDRESS` looks at one account alone");
    return {};
}

Outcome<> Verification::mailbox(const Account& account, const store::Snapshot& snapshot,
                                const store::MailboxInfo& box) {
    const std::string where = account.login.unicode() + ", " + box.name.utf8();
    const auto uids = snapshot.uids(box.id);
    const auto unseen = snapshot.unseen(box.id);
    const auto deleted = snapshot.deleted(box.id);
    if (!uids || !unseen || !deleted) {
        found(where, "its sets of messages cannot be read");
        to_rebuild_.insert(account.id);
        return {};
    }
    std::vector<store::MessageInfo> messages;
    std::uint64_t octets = 0;
    std::uint64_t without_seen = 0;
    const auto walked = snapshot.messages(box.id, *uids, [&](const store::MessageInfo& message) {
        messages.push_back(message);
        octets += message.size;
        if (!message.flags.system.has(store::SystemFlag::seen)) ++without_seen;
        return true;
    });
    const bool counts_agree = walked && messages.size() == box.messages && octets == box.octets &&
                              without_seen == box.unseen && unseen->count() == box.unseen &&
                              uids->count() == messages.size() && deleted->count() == box.deleted;
    if (!counts_agree) {
        found(where, "its counts do not agree with its messages");
        to_rebuild_.insert(account.id);
    }
    for (const store::MessageInfo& message : messages) {
        ++files_;
        bytes_ += message.size;
        const auto file = snapshot.open_message(box.id, message);
        struct stat info {};
        std::string wrong;
        if (!file) {
            if (file.error().fault == store::Fault::non_existent) continue;  // expunged meanwhile
            wrong = "its file is lost";
        } else if (::fstat(file->descriptor.get(), &info) == 0 &&
                   static_cast<std::uint64_t>(info.st_size) != message.size) {
            wrong = "its file has " + std::to_string(info.st_size) + " bytes instead of " +
                    std::to_string(message.size);
        }
        if (!wrong.empty()) found(where + ", UID " + std::to_string(message.uid.value), std::move(wrong));
        TRY_VOID(tell());
    }
    return {};
}

Outcome<> Verification::account(const Account& account, store::Reader& reader) {
    const auto opened = reader.open(account.id);
    if (!opened) {
        // Before the first message there is no index; with mail there must be one.
        std::error_code error;
        const auto folder = settings_.data_dir / "accounts" / std::to_string(account.id.value);
        const bool has_mail = std::filesystem::exists(folder / "mail", error);
        if (opened.error().fault == store::Fault::non_existent && !has_mail) return {};
        found(account.login.unicode(), "its index cannot be opened: " + opened.error().what);
        to_rebuild_.insert(account.id);
        return {};
    }
    std::vector<store::MailboxInfo> boxes;
    {
        const auto snapshot = opened->snapshot();
        auto listed = snapshot ? snapshot->mailboxes()
                               : store::Outcome<std::vector<store::MailboxInfo>>(snapshot.error());
        if (!listed) {
            found(account.login.unicode(), "its mailboxes cannot be read: " + listed.error().what);
            to_rebuild_.insert(account.id);
            return {};
        }
        boxes = *std::move(listed);
    }
    for (const store::MailboxInfo& each : boxes) {
        // One snapshot for each, so that the index can reuse its pages meanwhile.
        const auto snapshot = opened->snapshot();
        if (!snapshot) return Failure(EX_TEMPFAIL, snapshot.error().what);
        const auto box = snapshot->mailbox(each.id);
        if (box) TRY_VOID(mailbox(account, *snapshot, *box));
    }
    return {};
}

void Verification::folders(const std::vector<Account>& accounts,
                           const std::vector<directory::RemovedAccount>& removed) {
    std::set<std::string> known;
    for (const Account& account : accounts) known.insert(std::to_string(account.id.value));
    for (const auto& each : removed) known.insert(std::to_string(each.account.id.value));
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(settings_.data_dir / "accounts", error)) {
        const std::string name = entry.path().filename().string();
        if (text::parse_number<std::uint32_t>(name) && !known.contains(name))
            found(entry.path().string(), "it belongs to no account");
    }
}

Outcome<> Verification::queue() {
    const auto reader = queue::QueueReader::open(settings_.data_dir);
    if (!reader) {
        found("queue", "it cannot be read: " + reader.error().what);
        return {};
    }
    std::vector<std::pair<QueueId, std::uint64_t>> entries;
    const auto walked = (*reader)->for_each([&](const queue::QueueEntry& entry) {
        entries.emplace_back(entry.id, entry.size);
        return true;
    });
    if (!walked) {
        found("queue", "it cannot be read: " + walked.error().what);
    } else if (*walked != 0) {
        found("queue", std::to_string(*walked) + " entries cannot be read");
    }
    for (const auto& [id, size] : entries) {
        struct stat info {};
        const std::filesystem::path file = settings_.data_dir / queue::spool_path(id);
        if (::stat(file.c_str(), &info) == 0 && static_cast<std::uint64_t>(info.st_size) == size) continue;
        // It may have left meanwhile.
        const auto still = (*reader)->find(id);
        if (still && *still)
            found("queue, " + std::to_string(id.value), "its file " + file.string() + " is lost or cut");
    }
    return {};
}

void Verification::ledger() {
    const auto reader = ledger::Reader::open(settings_.data_dir);
    const auto walked = reader ? reader->newest_first([](const ipc::LedgerLine&) { return true; })
                               : Result<void>(reader.error());
    if (!walked) found("ledger", "it cannot be read: " + walked.error().what);
}

Outcome<commit::JournalState> Verification::journal() {
    TRY(state, commit::inspect_journal(settings_.data_dir));
    for (const commit::JournalDamage& damage : state.damage)
        found(damage.file.string() + " at " + std::to_string(damage.offset), damage.what);
    for (const std::string& owed : state.owed) found(owed, "is out of service, and owed changes");
    return state;
}

// The daemons stand still, and nobody starts them meanwhile.
Outcome<> repair(const settings::Settings& settings, Verification& verification,
                 const std::optional<commit::JournalState>& journal) {
    if (journal && !journal->damage.empty()) {
        TRY_VOID(commit::accept_damage(settings.data_dir, *journal));
        print("The next start goes on without what the damaged part of the journal held; it is kept aside\n");
        return {};  // the indexes are returned to their checkpoint then
    }
    for (const AccountId account : verification.to_rebuild()) {
        const auto report = store::rebuild_index(settings.data_dir, account, now());
        const std::string number = std::to_string(account.value);
        if (!report) return Failure(EX_DATAERR, "account " + number + ": " + report.error().what);
        print("Account " + number + ": " + std::to_string(report->messages) + " messages in " +
              std::to_string(report->mailboxes) + " mailboxes, from the files; the old index is " +
              report->old_index.string() + '\n');
    }
    return {};
}

Outcome<> run_verify(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(settings, load_settings(arguments));
    const bool repairs = arguments.has("--repair");
    const bool is_running = ask_status(settings).has_value();
    if (repairs && is_running)
        return Failure(EX_TEMPFAIL, "--repair wants the daemons stopped; without it nothing is changed");
    std::optional<FileDescriptor> owned;
    if (!is_running) {
        TRY(lock, runtime::own_data_folder(settings.data_dir, "verify"));
        owned = std::move(lock);
    }
    TRY(editor, open_editor(settings));
    TRY(credentials, open_credentials_editor(settings));
    TRY(accounts, editor->accounts());
    TRY(removed, editor->removed_accounts());
    const bool one = !arguments.all("ADDRESS").empty();
    if (one) {
        TRY(account, find_account(*editor, arguments.one("ADDRESS")));
        accounts = {account};
    }
    ProgressLine line("verify");
    Verification verification(settings, line);
    std::optional<commit::JournalState> journal;
    if (!is_running) {
        TRY(state, verification.journal());
        journal = std::move(state);
    }
    // Until the journal's changes are applied, indexes are allowed to be anything.
    const bool at_rest = is_running || (journal && (journal->was_clean || !journal->exists));
    if (at_rest) {
        store::ReaderOptions options;
        options.root = settings.data_dir;
        store::Reader reader(options);
        for (const Account& account : accounts) {
            TRY(found, credentials->find(account.id));
            if (!found) verification.found(account.login.unicode(), "it has no password");
            TRY_VOID(verification.account(account, reader));
        }
        if (!one) TRY_VOID(verification.queue());
        if (!one) verification.ledger();
    } else if (journal->damage.empty()) {
        verification.found("journal",
                           "the daemons did not end in order: start them, which recovers, and verify then");
    }
    if (!one) verification.folders(accounts, removed);
    print_rows({"where", "problem"}, verification.rows(), format, "all is whole");
    if (verification.rows().empty()) return {};
    if (repairs) return repair(settings, verification, journal);
    return Failure(EX_DATAERR, std::to_string(verification.rows().size()) + " findings");
}

}  // namespace

CommandGroup verify_commands() {
    return {
        "",
        "",
        {{"verify",
          "Look whether indexes, message files, queue and accounts agree; beside the running daemons, too",
          {{"ADDRESS", Takes::any, "This account alone"},
           {"--repair", Takes::flag,
            "With the daemons stopped: rebuild damaged indexes from the mail, accept a damaged journal"},
           kFormat},
          &run_verify}}};
}

}  // namespace mailstead::admin
