#include "admin/commands/restore_account.h"

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/deliver_link.h"
#include "admin/progress.h"
#include "admin/workspace.h"
#include "common/backup/files.h"
#include "common/backup/restore.h"
#include "common/store/change.h"
#include "common/store/store.h"

namespace mailstead::admin {
namespace {

using backup::Entry;
using backup::Snapshot;

constexpr std::size_t kMessagesAtOnce = 32;
constexpr std::uint64_t kBytesAtOnce = std::uint64_t{16} << 20;

Failure of_store(const store::Failure& failure) {
    return Failure(failure.is_transient() ? EX_TEMPFAIL : EX_DATAERR, failure.what);
}

// A backup may be root's alone, and the data folder is touched as its owner alone: root works as the owner,
// and is itself only for as long as it opens a file of the backup. Anyone else is himself throughout.
class OwnersRights {
public:
    static Outcome<> take(const std::filesystem::path& data_dir) {
        struct stat info {};
        if (::geteuid() != 0 || ::stat(data_dir.c_str(), &info) != 0) return {};
        if (::setegid(info.st_gid) != 0 || ::seteuid(info.st_uid) != 0)
            return Failure(EX_OSERR, "cannot become the owner of " + data_dir.string());
        return {};
    }
    // Root again, for as long as it lives.
    class Pause {
    public:
        Pause() : user_(::geteuid()) {
            if (::getuid() == 0) changed_ = ::seteuid(0) == 0;
        }
        ~Pause() {
            // Going on as root would be worse than not going on.
            if (changed_ && ::seteuid(user_) != 0) std::abort();
        }
        Pause(const Pause&) = delete;
        Pause& operator=(const Pause&) = delete;

    private:
        uid_t user_;
        bool changed_ = false;
    };
};

// Goes with all that is in it.
class WorkFolder {
public:
    static Outcome<std::unique_ptr<WorkFolder>> make() {
        std::string name = "/var/tmp/mailstead-restore-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr)
            return Failure(EX_CANTCREAT,
                           "cannot make a folder in /var/tmp: " + std::string(std::strerror(errno)));
        return std::unique_ptr<WorkFolder>(new WorkFolder(name));
    }
    ~WorkFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    WorkFolder(const WorkFolder&) = delete;
    WorkFolder& operator=(const WorkFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    // All of it to whoever owns the data folder.
    Outcome<> give_to_owner(const std::filesystem::path& data_dir) const {
        struct stat info {};
        if (::geteuid() != 0 || ::stat(data_dir.c_str(), &info) != 0) return {};
        std::error_code error;
        std::vector<std::filesystem::path> all = {path_};
        for (const auto& entry : std::filesystem::recursive_directory_iterator(path_, error))
            all.push_back(entry.path());
        for (const auto& each : all) {
            if (::lchown(each.c_str(), info.st_uid, info.st_gid) != 0)
                return Failure(backup::file_error("give away", each));
        }
        return {};
    }

private:
    explicit WorkFolder(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
};

// LMDB writes beside what it opens, and a backup is not written to: its data files are opened as copies.
Outcome<> copy_environment(const Snapshot& snapshot, const std::string& name,
                           const std::filesystem::path& to) {
    const Entry* entry = snapshot.find("data/" + name + "/data.mdb");
    if (entry == nullptr) return Failure(EX_DATAERR, "the snapshot has no " + name);
    TRY_VOID(backup::make_folders(to / name));
    TRY(whole, backup::restore_file(snapshot, *entry, to / name / "data.mdb"));
    if (!whole) return Failure(EX_DATAERR, name + " is damaged in the backup");
    if (::chmod((to / name / "data.mdb").c_str(), 0600) != 0)
        return Failure(backup::file_error("set the mode of", to / name / "data.mdb"));
    return {};
}

// Files of the snapshot's messages, which bear the message's number in their names.
class MessageFiles {
public:
    MessageFiles(const Snapshot& snapshot, AccountId account) : folder_(snapshot.folder) {
        const std::string prefix = "data/accounts/" + std::to_string(account.value) + "/mail/";
        for (const Entry& entry : snapshot.entries) {
            if (entry.is_folder || !entry.path.starts_with(prefix)) continue;
            const std::size_t end = entry.path.rfind(".mailstead,");
            const std::size_t mark = entry.path.rfind('M', end);
            if (end == std::string::npos || mark == std::string::npos) continue;
            by_message_.emplace(entry.path.substr(mark + 1, end - mark - 1), &entry);
        }
    }
    const Entry* find(MessageId message) const {
        const auto found = by_message_.find(std::to_string(message.value));
        return found == by_message_.end() ? nullptr : found->second;
    }
    Result<FileDescriptor> open(const Entry& entry) const {
        const OwnersRights::Pause as_root;
        const FileDescriptor root(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!root) return backup::file_error("open", folder_);
        return backup::open_below(root.get(), entry.path, O_RDONLY);
    }

private:
    std::filesystem::path folder_;
    std::map<std::string, const Entry*, std::less<>> by_message_;
};

// What a mailbox holds by now, by content. Only messages of a size that comes up are read.
class Present {
public:
    Present(const store::Snapshot* snapshot, const MailboxName& name) : snapshot_(snapshot) {
        if (snapshot_ == nullptr) return;
        const auto mailbox = snapshot_->find(name);
        if (!mailbox) return;
        mailbox_ = mailbox->id;
        const auto uids = snapshot_->uids(mailbox->id);
        if (!uids) return;
        static_cast<void>(snapshot_->messages(mailbox->id, *uids, [&](const store::MessageInfo& message) {
            by_size_[message.size].push_back(message);
            return true;
        }));
    }
    Outcome<bool> has(std::uint64_t size, const std::string& checksum) {
        if (const auto waiting = by_size_.find(size); waiting != by_size_.end()) {
            for (const store::MessageInfo& message : waiting->second) {
                const auto file = snapshot_->open_message(mailbox_, message);
                if (!file) continue;  // its body is lost: all the better
                std::uint64_t read = 0;
                TRY(sum, backup::copy_bytes(file->descriptor.get(), -1, read));
                checksums_.insert(std::move(sum));
            }
            by_size_.erase(waiting);
        }
        return checksums_.contains(checksum);
    }
    void add(const std::string& checksum) { checksums_.insert(checksum); }

private:
    const store::Snapshot* snapshot_;
    MailboxId mailbox_;
    std::map<std::uint64_t, std::vector<store::MessageInfo>> by_size_;
    std::set<std::string> checksums_;
};

struct Counts {
    std::uint64_t restored = 0;
    std::uint64_t present = 0;
    std::uint64_t damaged = 0;
    std::uint64_t seen = 0;
    std::uint64_t bytes = 0;
};

class AccountRestore {
public:
    AccountRestore(const settings::Settings& settings, AccountId into, const MessageFiles& files,
                   const store::Snapshot& from, const store::Snapshot* present, ProgressLine& line)
        : settings_(settings), into_(into), files_(files), from_(from), present_(present), line_(line) {}

    Outcome<> mailbox(const store::MailboxInfo& mailbox);
    const Counts& counts() const { return counts_; }
    std::uint64_t of = 0;

private:
    Outcome<> message(const store::MailboxInfo& mailbox, const store::MessageInfo& message, Present& present);
    Outcome<> make(const store::MailboxInfo& mailbox);
    Outcome<> flush(const store::MailboxInfo& mailbox);

    const settings::Settings& settings_;
    AccountId into_;
    const MessageFiles& files_;
    const store::Snapshot& from_;
    const store::Snapshot* present_;
    ProgressLine& line_;
    Counts counts_;
    std::vector<std::string> keywords_;
    std::vector<store::NewMessage> waiting_;
    std::vector<FileDescriptor> waiting_files_;
    std::uint64_t waiting_bytes_ = 0;
};

Outcome<> AccountRestore::make(const store::MailboxInfo& mailbox) {
    if (mailbox.name.is_inbox()) return {};
    store::CreateMailbox create;
    create.name = mailbox.name;
    create.subscribe = mailbox.subscribed;
    const auto made = apply_change(settings_, into_, {now(), create}, {});
    if (!made && made.error().exit_code != EX_CANTCREAT) return made.error();
    return {};
}

Outcome<> AccountRestore::mailbox(const store::MailboxInfo& mailbox) {
    const auto keywords = from_.keywords();
    if (!keywords) return of_store(keywords.error());
    keywords_ = *keywords;
    const bool there = present_ != nullptr && present_->find(mailbox.name);
    if (!there) TRY_VOID(make(mailbox));
    Present present(present_, mailbox.name);
    const auto uids = from_.uids(mailbox.id);
    if (!uids) return of_store(uids.error());
    std::vector<store::MessageInfo> messages;
    const auto walked = from_.messages(mailbox.id, *uids, [&](const store::MessageInfo& message) {
        messages.push_back(message);
        return true;
    });
    if (!walked) return of_store(walked.error());
    for (const store::MessageInfo& each : messages) TRY_VOID(message(mailbox, each, present));
    return flush(mailbox);
}

Outcome<> AccountRestore::message(const store::MailboxInfo& mailbox, const store::MessageInfo& message,
                                  Present& present) {
    ++counts_.seen;
    line_.show(counts_.seen, of, counts_.bytes);
    if (ProgressLine::was_interrupted())
        return Failure(EX_TEMPFAIL, "interrupted: the same command brings back the rest");
    const Entry* entry = files_.find(message.message);
    auto file = entry != nullptr ? files_.open(*entry) : Result<FileDescriptor>(permanent_error("missing"));
    std::uint64_t size = 0;
    const auto sum = file ? backup::copy_bytes(file->get(), -1, size) : Result<std::string>(file.error());
    if (!sum || *sum != entry->checksum) {
        ++counts_.damaged;
        return {};
    }
    TRY(there, present.has(size, *sum));
    if (there) {
        ++counts_.present;
        return {};
    }
    present.add(*sum);
    store::NewMessage fresh;
    fresh.flags.system = message.flags.system;
    message.flags.keywords.each([&](std::size_t n) {
        if (n < keywords_.size()) fresh.flags.keywords.push_back(keywords_[n]);
    });
    fresh.internal_date = message.internal_date;
    fresh.size = size;
    fresh.file = static_cast<std::uint32_t>(waiting_.size());
    waiting_files_.push_back(*std::move(file));  // deliver copies it
    waiting_.push_back(std::move(fresh));
    waiting_bytes_ += size;
    counts_.bytes += size;
    if (waiting_.size() < kMessagesAtOnce && waiting_bytes_ < kBytesAtOnce) return {};
    return flush(mailbox);
}

Outcome<> AccountRestore::flush(const store::MailboxInfo& mailbox) {
    if (waiting_.empty()) return {};
    store::Append append;
    append.to.name = mailbox.name;
    append.to.create = true;
    append.messages = std::exchange(waiting_, {});
    const std::size_t count = append.messages.size();
    waiting_bytes_ = 0;
    TRY_VOID(apply_change(settings_, into_, {now(), std::move(append)}, std::exchange(waiting_files_, {})));
    counts_.restored += count;
    return {};
}

Outcome<std::vector<store::MailboxInfo>> wanted_mailboxes(const store::Snapshot& from,
                                                          const std::vector<std::string>& names) {
    auto all = from.mailboxes();
    if (!all) return of_store(all.error());
    if (names.empty()) return *std::move(all);
    std::vector<store::MailboxInfo> wanted;
    for (const std::string& name : names) {
        const auto parsed = MailboxName::parse(name);
        const auto found = std::find_if(all->begin(), all->end(), [&](const store::MailboxInfo& mailbox) {
            return parsed && mailbox.name == *parsed;
        });
        if (found == all->end())
            return Failure(EX_DATAERR, "the snapshot has no mailbox \"" + name + "\" of this account");
        wanted.push_back(*found);
    }
    return wanted;
}

}  // namespace

Outcome<> restore_account(const Snapshot& snapshot, const Arguments& arguments, Format format) {
    TRY(settings, load_settings(arguments));
    const std::string& login = arguments.one("--account");
    TRY(work, WorkFolder::make());
    TRY_VOID(copy_environment(snapshot, "directory", work->path()));
    std::optional<directory::Account> source;
    {
        TRY(then, directory::open_directory(work->path()));
        TRY(found, then->find_by_login(login));
        source = std::move(found);
    }
    if (!source) return Failure(EX_NOUSER, "there was no account " + login + " when the snapshot was made");
    const std::string index = "accounts/" + std::to_string(source->id.value) + "/index";
    TRY_VOID(copy_environment(snapshot, index, work->path()));
    TRY_VOID(work->give_to_owner(settings.data_dir));
    TRY_VOID(OwnersRights::take(settings.data_dir));
    TRY(editor, open_editor(settings));
    TRY(target, find_account(*editor, arguments.has("--into") ? arguments.one("--into") : login));
    store::ReaderOptions old_options;
    old_options.root = work->path();
    store::Reader old_reader(old_options);
    const auto old_account = old_reader.open(source->id);
    if (!old_account) return of_store(old_account.error());
    const auto from = old_account->snapshot();
    if (!from) return of_store(from.error());
    store::ReaderOptions options;
    options.root = settings.data_dir;
    store::Reader reader(options);
    std::optional<store::Snapshot> present;
    if (const auto account = reader.open(target.id)) {
        auto opened = account->snapshot();
        if (!opened) return of_store(opened.error());
        present = *std::move(opened);
    }
    TRY(mailboxes, wanted_mailboxes(*from, arguments.all("--mailbox")));
    const MessageFiles files(snapshot, source->id);
    Counts counts;
    {
        ProgressLine line("restore");
        AccountRestore restore(settings, target.id, files, *from, present ? &*present : nullptr, line);
        for (const store::MailboxInfo& mailbox : mailboxes) restore.of += mailbox.messages;
        for (const store::MailboxInfo& mailbox : mailboxes) TRY_VOID(restore.mailbox(mailbox));
        counts = restore.counts();
    }
    print_record({{"snapshot", snapshot.folder.string()},
                  {"account", target.login.unicode()},
                  {"restored", counts.restored},
                  {"there_already", counts.present},
                  {"damaged_in_the_backup", counts.damaged}},
                 format);
    if (counts.damaged == 0) return {};
    return Failure(EX_DATAERR, "the rest is restored, but the backup is damaged");
}

}  // namespace mailstead::admin
