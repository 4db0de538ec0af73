// Finding the file of a message while the follower may be renaming it.
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/store/index.h"

namespace mailstead::store {
namespace {

constexpr int kMaxChain = 32;  // tasks that wait for one another
constexpr int kFreshSnapshots = 3;

constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

enum class Patience : std::uint8_t { wait, none };

// Linux 5.12: fails with EAGAIN rather than wait for a disk. Older kernels wait.
FileDescriptor open_in_memory(int directory, const std::string& path, int flags) {
    static std::atomic<bool> is_known{true};
    if (is_known.load(std::memory_order_relaxed)) {
        open_how how{};
        how.flags = static_cast<std::uint64_t>(flags);
        how.resolve = RESOLVE_CACHED;
        const long fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
        if (fd >= 0 || (errno != ENOSYS && errno != EINVAL && errno != EPERM))
            return FileDescriptor(static_cast<int>(fd));
        is_known.store(false, std::memory_order_relaxed);
    }
    return FileDescriptor(::openat(directory, path.c_str(), flags));
}

std::optional<OpenMessage> checked(FileDescriptor descriptor, std::uint64_t size) {
    if (!descriptor) return std::nullopt;
    struct stat status {};
    if (::fstat(descriptor.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    // Offsets in the index are of this size: another file is not this message.
    if (static_cast<std::uint64_t>(status.st_size) != size) return std::nullopt;
    return OpenMessage{std::move(descriptor), size};
}

std::optional<OpenMessage> open_file(const std::filesystem::path& path, std::uint64_t size,
                                     Patience patience = Patience::wait) {
    if (patience == Patience::wait) return checked(FileDescriptor(::open(path.c_str(), kOpenFlags)), size);
    return checked(open_in_memory(AT_FDCWD, path.string(), kOpenFlags), size);
}

// Looking up one name costs less than looking up the whole way to it, message after message.
bool enter_folder(Snapshot::State& state, const FileName& name) {
    const bool in_new = name.place.in_new();
    if (state.folder && state.folder->mailbox == name.mailbox && state.folder->in_new == in_new) return true;
    const auto mailbox = state.mailbox_even_gone(name.mailbox);
    if (!mailbox) return false;
    const std::filesystem::path path =
        state.index->root / maildir::folder_path(state.index->id, mailbox->folder) / (in_new ? "new" : "cur");
    auto descriptor = open_in_memory(AT_FDCWD, path.string(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!descriptor) return false;
    state.folder = Snapshot::State::Folder{name.mailbox, in_new, std::move(descriptor)};
    return true;
}

std::optional<OpenMessage> open_candidate(const Snapshot::State& state, const FileName& name,
                                          std::uint64_t task, Patience patience = Patience::wait) {
    for (const std::string& path : file_candidates(state, name, task)) {
        if (auto file = open_file(state.index->root / path, name.size, patience)) return file;
    }
    return std::nullopt;
}

FileName file_name_of(MailboxId mailbox, const MessageInfo& message) {
    FileName name;
    name.mailbox = mailbox.value;
    name.uid = message.uid.value;
    name.message = message.message.value;
    name.date = message.internal_date.time_since_epoch() / Seconds(1);
    name.size = message.size;
    name.place = Place(message.file_place);
    return name;
}

std::optional<OpenMessage> search(const Snapshot::State& state, const FileName& name) {
    const std::filesystem::path& root = state.index->root;
    if (const auto mailbox = state.mailbox_even_gone(name.mailbox)) {
        const std::string folder = (root / maildir::folder_path(state.index->id, mailbox->folder)).string();
        for (const std::string& file :
             maildir::find_in_folder(folder, maildir::base_name(state.index->id, name))) {
            if (auto opened = open_file(folder + '/' + file, name.size)) return opened;
        }
    }
    const auto anywhere = maildir::find_anywhere((root / maildir::mail_path(state.index->id)).string(),
                                                 state.index->id, name.message);
    return anywhere ? open_file(*anywhere, name.size) : std::nullopt;
}

}  // namespace

std::vector<std::string> file_candidates(const Snapshot::State& state, const FileName& name,
                                         std::uint64_t task_number) {
    std::vector<std::string> paths;
    const AccountId account = state.index->id;
    const auto add = [&](const FileName& file) {
        if (const auto mailbox = state.mailbox_even_gone(file.mailbox)) {
            paths.push_back(maildir::file_path(account, mailbox->folder, file));
        }
    };
    if (task_number == 0) {
        add(name);
        return paths;
    }
    for (int depth = 0; depth < kMaxChain && task_number != 0; ++depth) {
        const auto bytes = state.txn.get(state.index->db.tasks, key::number(task_number));
        if (!bytes || !*bytes) break;
        const auto task = Task::decode(**bytes);
        if (!task) break;
        if (task->kind == Task::Kind::adopt) {
            paths.push_back(maildir::mail_path(account) + '/' + task->path);
        } else {
            // The source's name follows its own flags as long as the message is there.
            FileName source = task->source();
            const auto record = state.message(source.mailbox, source.uid);
            if (record && *record && (*record)->message == source.message) source.place = (*record)->place();
            add(source);
        }
        add(task->file);
        task_number = task->after;
    }
    return paths;
}

std::optional<OpenMessage> Snapshot::open_message_at_once(MailboxId mailbox,
                                                          const MessageInfo& message) const {
    const FileName name = file_name_of(mailbox, message);
    if (message.file_task != 0) return open_candidate(*state_, name, message.file_task, Patience::none);
    if (!enter_folder(*state_, name)) return std::nullopt;
    return checked(open_in_memory(state_->folder->descriptor.get(),
                                  maildir::file_name(state_->index->id, name), kOpenFlags),
                   name.size);
}

std::vector<std::string> Snapshot::likely_files(MailboxId mailbox, const MessageInfo& message) const {
    std::vector<std::string> paths =
        file_candidates(*state_, file_name_of(mailbox, message), message.file_task);
    for (std::string& path : paths) path = (state_->index->root / path).string();
    return paths;
}

Outcome<OpenMessage> Snapshot::open_message(MailboxId mailbox, const MessageInfo& message) const {
    const FileName name = file_name_of(mailbox, message);
    if (auto file = open_candidate(*state_, name, message.file_task)) return *std::move(file);
    // It moved since this snapshot: where is it now?
    for (int attempt = 0; attempt < kFreshSnapshots; ++attempt) {
        TRY(transaction, state_->index->env->read());
        const State fresh(state_->index, std::move(transaction));
        TRY(record, fresh.message(mailbox.value, name.uid));
        if (!record || record->message != name.message)
            return Failure(Fault::non_existent, "the message was expunged");
        if (auto file = open_candidate(fresh, file_name_of(mailbox.value, name.uid, *record), record->task))
            return *std::move(file);
    }
    if (auto file = search(*state_, name)) return *std::move(file);
    return Failure(Fault::damaged,
                   "the file of a message is missing: " + maildir::base_name(state_->index->id, name));
}

}  // namespace mailstead::store
