#include "common/backup/restore.h"

#include <cerrno>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/backup/files.h"

namespace mailstead::backup {
namespace {

// Owner, mode and time as they were. Names that this machine does not know stay with whoever restores.
Result<void> dress(int file, const Entry& entry, const std::filesystem::path& to) {
    if (::geteuid() == 0) {
        const passwd* user = ::getpwnam(entry.owner.c_str());
        const ::group* group = ::getgrnam(entry.group.c_str());
        const uid_t uid = user != nullptr ? user->pw_uid : static_cast<uid_t>(-1);
        const gid_t gid = group != nullptr ? group->gr_gid : static_cast<gid_t>(-1);
        if (::fchown(file, uid, gid) != 0) return file_error("give away", to);
    }
    if (::fchmod(file, entry.mode) != 0) return file_error("set the mode of", to);
    if (entry.is_folder) return {};
    const timespec time{static_cast<time_t>(entry.modified / 1'000'000'000),
                        static_cast<long>(entry.modified % 1'000'000'000)};
    const timespec times[2] = {time, time};
    if (::futimens(file, times) != 0) return file_error("set the time of", to);
    return {};
}

bool is_there(const std::filesystem::path& to, const Entry& entry) {
    const FileDescriptor file(::open(to.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    std::uint64_t size = 0;
    if (!file) return false;
    const auto sum = copy_bytes(file.get(), -1, size);
    return sum && *sum == entry.checksum;
}

}  // namespace

Result<void> dress_folder(const Entry& entry, const std::filesystem::path& folder) {
    const FileDescriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!opened) return file_error("open", folder);
    return dress(opened.get(), entry, folder);
}

Result<bool> restore_file(const Snapshot& snapshot, const Entry& entry, const std::filesystem::path& to) {
    const FileDescriptor root(::open(snapshot.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) return file_error("open", snapshot.folder);
    if (is_there(to, entry)) return true;
    const auto from = open_below(root.get(), entry.path, O_RDONLY);
    if (!from) return false;
    if (::unlink(to.c_str()) != 0 && errno != ENOENT) return file_error("replace", to);
    const FileDescriptor file(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return file_error("write", to);
    std::uint64_t size = 0;
    TRY(sum, copy_bytes(from->get(), file.get(), size));
    TRY_VOID(dress(file.get(), entry, to));
    return sum == entry.checksum;
}

Result<Restored> restore_tree(const Snapshot& snapshot, std::string_view prefix,
                              const std::filesystem::path& to, const OnProgress& progress) {
    TRY_VOID(make_folders(to));
    Restored restored;
    Progress done;
    done.of = snapshot.entries.size();
    for (const Entry& entry : snapshot.entries) {
        ++done.files;
        if (!entry.path.starts_with(prefix)) continue;
        const std::filesystem::path target = to / entry.path.substr(prefix.size());
        if (entry.is_folder) {
            if (::mkdir(target.c_str(), 0700) != 0 && errno != EEXIST) return file_error("make", target);
            TRY_VOID(dress_folder(entry, target));
            continue;
        }
        TRY(whole, restore_file(snapshot, entry, target));
        if (!whole) {
            const bool leave_out = target.filename() == "data.mdb";
            if (leave_out) ::unlink(target.c_str());
            restored.damaged.push_back({entry.path, leave_out ? "is damaged in the backup, and left out"
                                                              : "is damaged in the backup"});
        }
        ++restored.files;
        restored.bytes += entry.size;
        done.bytes += entry.size;
        if (progress && !progress(done))
            return transient_error("stopped; the same command goes on from here");
    }
    const FileDescriptor folder(::open(to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::syncfs(folder.get()) != 0) return file_error("flush", to);
    return restored;
}

}  // namespace mailstead::backup
