// Files and folders that other programs put into a Maildir.
#include "common/store/adopt.h"

#include <cerrno>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>

#include "common/store/beneath.h"
#include "common/store/follower_state.h"

namespace mailstead::store {
namespace {

// Changes within the file system's granularity leave the modification time as it was.
constexpr std::int64_t kTimeGranularity = 2'000'000'000;  // nanoseconds
constexpr int kScanShare = 100;  // at most one part in so many of the time goes into reading folders

std::int64_t modified_of(int directory) {
    struct stat status {};
    if (::fstat(directory, &status) != 0) return -1;
    return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

// The names in a directory that are of no message of this mailbox.
std::vector<std::string> foreign_names(int directory, AccountId account, std::uint32_t mailbox,
                                       std::size_t limit) {
    std::vector<std::string> names;
    maildir::list_directory(directory, [&](std::string_view name) {
        if (name.front() == '.') return true;
        const auto own = maildir::parse_name(name);
        if (own && own->account == account && own->name.mailbox == mailbox) return true;
        names.emplace_back(name);
        return names.size() < limit;
    });
    return names;
}

struct Known {
    MailboxId mailbox;
    std::string folder;
};

// nullopt while tasks are left: files that they are about to move would look foreign.
Outcome<std::optional<std::vector<Known>>> known_folders(const AccountReader& opened) {
    std::vector<Known> folders;
    TRY(snapshot, opened.snapshot());
    TRY(tasks, snapshot.state().txn.count(snapshot.state().index->db.tasks));
    if (tasks != 0) return std::optional<std::vector<Known>>();
    TRY(mailboxes, snapshot.mailboxes());
    for (const MailboxInfo& mailbox : mailboxes) {
        TRY(record, snapshot.state().mailbox(mailbox.id));
        folders.push_back({mailbox.id, record.folder});
    }
    return std::optional(std::move(folders));
}

}  // namespace

FileDescriptor Follower::State::open_to_scan(AccountId account, int mail, const std::string& path) {
    FileDescriptor opened = open_beneath(mail, path, O_RDONLY | O_DIRECTORY);
    if (opened || (errno != ELOOP && errno != ENOTDIR)) return opened;
    bool is_new = false;
    {
        const std::lock_guard lock(mutex);
        is_new = !std::exchange(directories[{account, path}].is_refused, true);
    }
    if (is_new && log)
        log("account " + std::to_string(account.value) + ": " + path +
            " is no folder but a link, and is not read");
    return opened;
}

bool Follower::State::is_due(AccountId account, const std::string& path, std::int64_t modified, Time now) {
    const std::lock_guard lock(mutex);
    const Directory& last = directories[{account, path}];
    return modified != last.modified && now >= last.look_again;
}

// What cannot be taken in (no room, no message) is looked at again and again: that has to stay cheap, too.
void Follower::State::note_scan(AccountId account, const std::string& path, const Scan& scan) {
    const std::lock_guard lock(mutex);
    Directory& last = directories[{account, path}];
    const std::int64_t clock = scan.now.time_since_epoch().count() * 1'000'000;
    if (scan.is_clean && clock - scan.modified > kTimeGranularity) last.modified = scan.modified;
    const auto took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - scan.begun);
    if (!scan.took_any) last.look_again = scan.now + took * kScanShare;
}

// A folder with a Maildir's directories that is of no mailbox becomes one.
Outcome<bool> Follower::State::adopt_folders(AccountId account, int mail, Time now,
                                             const std::set<std::string>& known) {
    Scan scan{now, modified_of(mail), std::chrono::steady_clock::now()};
    if (!is_due(account, "", scan.modified, now)) return false;
    std::vector<std::string> names;
    maildir::list_directory(mail, [&](std::string_view name) {
        const bool is_folder = name.front() == '.' && maildir::mailbox_of(name);
        if (is_folder && !known.contains(std::string(name))) names.emplace_back(name);
        return true;
    });
    scan.is_clean = true;
    for (const std::string& name : names) {
        const auto mailbox = maildir::mailbox_of(name);
        // Another spelling of a name would get a folder of its own, and this one be foreign for ever.
        if (!mailbox || maildir::folder_of(*mailbox) != name) continue;
        if (!open_to_scan(account, mail, name + "/cur") && !open_to_scan(account, mail, name + "/new")) {
            scan.is_clean = false;  // not yet complete
            continue;
        }
        CreateMailbox create;
        create.name = *mailbox;
        create.subscribe = true;
        if (auto made = say(account, now, std::move(create))) {
            scan.took_any = true;
            break;
        } else if (made.error().is_transient()) {
            return made.error();
        }
    }
    note_scan(account, "", scan);
    return scan.took_any;
}

Outcome<bool> Follower::State::adopt_files(AccountId account, int mail, Time now, MailboxId mailbox,
                                           const std::string& path, std::size_t limit) {
    const FileDescriptor directory = open_to_scan(account, mail, path);
    if (!directory) return false;
    Scan scan{now, modified_of(directory.get()), std::chrono::steady_clock::now()};
    if (!is_due(account, path, scan.modified, now)) return false;
    const std::vector<std::string> names = foreign_names(directory.get(), account, mailbox.value, limit);
    scan.is_clean = names.empty();
    for (const std::string& name : names) {
        auto message = take_foreign_file(*files, mail, path + '/' + name);
        if (!message) continue;
        AdoptFile adoption;
        adoption.mailbox = mailbox;
        adoption.path = path + '/' + name;
        adoption.message = *std::move(message);
        if (auto done = say(account, now, std::move(adoption))) {
            scan.took_any = true;
        } else if (done.error().fault != Fault::over_quota) {
            return done.error();
        }
    }
    note_scan(account, path, scan);
    return scan.took_any;
}

Outcome<Follower::Progress> Follower::adopt(AccountId account, Time now, std::size_t limit) {
    auto opened = state_->reader->open(account);
    if (!opened) {
        if (opened.error().fault == Fault::non_existent) return Progress::nothing_left;
        return opened.error();
    }
    TRY(folders, known_folders(*opened));
    if (!folders) return Progress::more_to_do;
    const FileDescriptor mail = open_folder((state_->root / maildir::mail_path(account)).string());
    if (!mail) return Progress::nothing_left;
    std::set<std::string> known;
    for (const Known& folder : *folders) known.insert(folder.folder);
    TRY(made, state_->adopt_folders(account, mail.get(), now, known));
    if (made) return Progress::more_to_do;
    for (const Known& folder : *folders) {
        for (const char* name : {"new", "cur"}) {
            const std::string path = (folder.folder.empty() ? "" : folder.folder + '/') + name;
            TRY(took, state_->adopt_files(account, mail.get(), now, folder.mailbox, path, limit));
            // The names must be ours before anything is looked at again.
            if (took) return Progress::more_to_do;
        }
    }
    return Progress::nothing_left;
}

}  // namespace mailstead::store
