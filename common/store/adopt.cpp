// Files that other programs dropped into a Maildir.
#include "common/store/adopt.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/mime/message.h"
#include "common/mime/transfer_encoding.h"
#include "common/store/follower_state.h"

namespace mailstead::store {

std::optional<ForeignFile> read_foreign_file(commit::FileLayer& files, const std::string& path) {
    FileDescriptor descriptor;
    if (files.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0, descriptor) != 0)
        return std::nullopt;
    struct stat status {};
    if (::fstat(descriptor.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size == 0 || size > kMaxForeignFile) return std::nullopt;
    ForeignFile file;
    if (files.read(descriptor.get(), 0, size, file.bytes) != 0 || file.bytes.size() != size)
        return std::nullopt;
    file.modified = Time(Seconds(status.st_mtim.tv_sec));
    // Whoever wrote it may not have made it durable; from now on it counts as kept.
    if (files.flush(descriptor.get()) != 0) return std::nullopt;
    return file;
}

Outcome<void> make_crlf(commit::FileLayer& files, const std::string& path, ForeignFile& file) {
    file.bytes = mime::to_crlf(file.bytes);
    const std::string folder = path.substr(0, path.rfind('/', path.rfind('/') - 1));
    const std::string copy = folder + "/tmp/" + path.substr(path.rfind('/') + 1) + ".crlf";
    int code = commit::make_directories(files, folder + "/tmp");
    FileDescriptor descriptor;
    if (code == 0) code = files.open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600, descriptor);
    if (code == 0) code = files.write(descriptor.get(), file.bytes, 0);
    const timespec time{static_cast<time_t>(file.modified.time_since_epoch() / Seconds(1)), 0};
    const timespec times[2] = {time, time};
    if (code == 0) ::futimens(descriptor.get(), times);
    if (code == 0) code = files.flush(descriptor.get());
    if (code == 0) code = files.rename(copy, path);
    if (code != 0) return Failure(Fault::unavailable, "convert " + path + ": " + commit::errno_text(code));
    return {};
}

Outcome<NewMessage> take_foreign_file(commit::FileLayer& files, const std::string& path) {
    auto file = read_foreign_file(files, path);
    if (!file) return Failure(Fault::non_existent, path);
    auto message = mime::Message::parse(file->bytes);
    if (message.has_bare_lf()) {
        TRY_VOID(make_crlf(files, path, *file));
        message = mime::Message::parse(file->bytes);
    }
    NewMessage taken;
    taken.flags.system = maildir::flags_of(path.substr(path.rfind('/') + 1));
    taken.internal_date = file->modified;
    taken.size = file->bytes.size();
    taken.cache = build_fetch_cache(message);
    return taken;
}

namespace {

// Changes within the file system's granularity leave the modification time as it was.
constexpr std::int64_t kTimeGranularity = 2'000'000'000;  // nanoseconds
constexpr int kScanShare = 100;  // at most one part in so many of the time goes into reading folders

std::int64_t modified_of(const std::string& directory) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) return -1;
    return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

// The names in a directory that are of no message of this mailbox.
std::vector<std::string> foreign_names(const std::string& directory, AccountId account, std::uint32_t mailbox,
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

}  // namespace

Outcome<Follower::Progress> Follower::adopt(AccountId account, Time now, std::size_t limit) {
    auto opened = state_->reader->open(account);
    if (!opened) {
        if (opened.error().fault == Fault::non_existent) return Progress::nothing_left;
        return opened.error();
    }
    struct Folder {
        MailboxId mailbox;
        std::string folder;
    };
    std::vector<Folder> folders;
    {
        TRY(snapshot, opened->snapshot());
        // Files that tasks are about to move would look foreign.
        TRY(tasks, snapshot.state().txn.count(snapshot.state().index->db.tasks));
        if (tasks != 0) return Progress::more_to_do;
        TRY(mailboxes, snapshot.mailboxes());
        for (const MailboxInfo& mailbox : mailboxes) {
            TRY(record, snapshot.state().mailbox(mailbox.id));
            folders.push_back({mailbox.id, record.folder});
        }
    }
    for (const Folder& folder : folders) {
        for (const char* name : {"/new", "/cur"}) {
            const std::string relative = maildir::folder_path(account, folder.folder) + name;
            const std::string directory = (state_->root / relative).string();
            const std::int64_t modified = modified_of(directory);
            {
                const std::lock_guard lock(state_->mutex);
                const State::Directory& last = state_->directories[{account, relative}];
                if (modified == last.modified || now < last.look_again) continue;
            }
            const auto begun = std::chrono::steady_clock::now();
            const std::vector<std::string> names =
                foreign_names(directory, account, folder.mailbox.value, limit);
            bool took_any = false;
            for (const std::string& file : names) {
                auto message = take_foreign_file(*state_->files, directory + '/' + file);
                if (!message) continue;
                AdoptFile adoption;
                adoption.mailbox = folder.mailbox;
                adoption.path = relative.substr(maildir::mail_path(account).size() + 1) + '/' + file;
                adoption.message = *std::move(message);
                if (auto done = state_->say(account, now, std::move(adoption))) {
                    took_any = true;
                } else if (done.error().fault != Fault::over_quota) {
                    return done.error();
                }
            }
            // What cannot be taken in (no room, no message) is looked at again and again: that has to stay
            // cheap, too.
            const auto took =
                std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begun);
            {
                const std::lock_guard lock(state_->mutex);
                State::Directory& last = state_->directories[{account, relative}];
                const std::int64_t clock = now.time_since_epoch().count() * 1'000'000;
                if (names.empty() && clock - modified > kTimeGranularity) last.modified = modified;
                if (!took_any) last.look_again = now + took * kScanShare;
            }
            // The names must be ours before anything is looked at again.
            if (took_any) return Progress::more_to_do;
        }
    }
    return Progress::nothing_left;
}

}  // namespace mailstead::store
