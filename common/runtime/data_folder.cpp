#include "common/runtime/data_folder.h"

#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file_descriptor.h"
#include "common/runtime/log.h"

namespace mailstead::runtime {
namespace {

constexpr gid_t kAnyGroup = static_cast<gid_t>(-1);
constexpr mode_t kPrivate = 0700;
constexpr mode_t kSharedFolder = 0750;
constexpr mode_t kSharedFile = 0640;
constexpr mode_t kLockFile = 0660;
constexpr mode_t kEntered = 0710;       // by those who know the name of what lies in it
constexpr mode_t kDroppedInto = 01770;  // where nobody touches what is another's
constexpr mode_t kModeBits = 07777;
constexpr int kDeepest = 32;

enum class With : std::uint8_t { nobody, common, mail, smtpd };
enum class Below : std::uint8_t { itself, files, accounts, control };
struct Folder {
    const char* name;
    With with;
    mode_t mode;
    Below below = Below::itself;
};
// Parents first.
constexpr Folder kFolders[] = {{"directory", With::common, kSharedFolder, Below::files},
                               {"credentials", With::nobody, kPrivate},
                               {"accounts", With::mail, kSharedFolder, Below::accounts},
                               {"shares", With::mail, kSharedFolder, Below::files},
                               {"queue", With::nobody, kPrivate},
                               {"ledger", With::nobody, kPrivate},
                               {"spool", With::nobody, kPrivate},
                               {"incoming", With::common, kDroppedInto},
                               {"journal", With::mail, kEntered, Below::control},
                               {"run", With::common, kEntered},
                               {"run/imapd", With::mail, kDroppedInto},
                               {"run/smtpd", With::smtpd, kDroppedInto},
                               {"run/admin", With::nobody, kPrivate}};

Error failure(const std::string& what) {
    return permanent_error(what + ": " + std::strerror(errno));
}

bool set(int fd, const struct stat& now, gid_t group, mode_t mode) {
    if (group != kAnyGroup && now.st_gid != group && ::fchown(fd, static_cast<uid_t>(-1), group) != 0)
        return false;
    return (now.st_mode & kModeBits) == mode || ::fchmod(fd, mode) == 0;
}

class Arranger {
public:
    Arranger(std::filesystem::path data, const std::optional<Users>& users)
        : data_(std::move(data)), users_(users) {}

    Result<void> run() {
        const FileDescriptor top(::open(data_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!top) return failure("the data folder " + data_.string());
        struct stat now {};
        if (::fstat(top.get(), &now) != 0) return failure(data_.string());
        // The root of a file system that is mounted here may be the administrator's.
        if (users_ && now.st_uid == ::geteuid() && !set(top.get(), now, users_->common, kEntered))
            return failure(data_.string());
        for (const Folder& folder : kFolders) TRY_VOID(arrange(top.get(), folder));
        if (foreign_ != 0)
            log::warning("data.foreign",
                         {{"files", foreign_}, {"first", first_foreign_}, {"owner_should_be", owner_}});
        if (changed_ != 0) log::info("data.arranged", {{"files", changed_}});
        return {};
    }

private:
    gid_t group_of(With with) const {
        switch (with) {
            case With::common:
                return users_->common;
            case With::mail:
                return users_->mail;
            case With::smtpd:
                return users_->smtpd_group;
            case With::nobody:
                break;
        }
        return kAnyGroup;
    }

    Result<void> arrange(int top, const Folder& folder) {
        const std::string path = (data_ / folder.name).string();
        if (::mkdirat(top, folder.name, kPrivate) != 0 && errno != EEXIST)
            return failure("cannot make " + path);
        const FileDescriptor opened(
            ::openat(top, folder.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        struct stat now {};
        if (!opened && (errno == ELOOP || errno == ENOTDIR))
            return permanent_error(path +
                                   " is a link or no folder; no links are followed below the data folder: "
                                   "mount a file system there instead");
        if (!opened ? ::fstatat(top, folder.name, &now, AT_SYMLINK_NOFOLLOW) != 0
                    : ::fstat(opened.get(), &now) != 0)
            return failure(path);
        if (now.st_uid != owner_)
            return permanent_error(path + " belongs to user " + std::to_string(now.st_uid) + ", not to " +
                                   std::to_string(owner_) + " who runs deliver: `chown -Rh " +
                                   std::to_string(owner_) + " " + path + "` mends it");
        if (!opened) return failure(path);
        if (!users_) return {};
        const gid_t group = group_of(folder.with);
        // Whoever may come in finds all below in order.
        if (folder.below == Below::files) walk(opened.get(), folder.name, group, 0);
        if (folder.below == Below::accounts) walk_accounts(opened.get(), group);
        if (folder.below == Below::control) share_control(opened.get(), group);
        if (!set(opened.get(), now, group, folder.mode)) return failure(path);
        return {};
    }

    // The journal's control block says whether mailboxes may be read; its segments are deliver's alone.
    void share_control(int journal, gid_t group) {
        struct stat now {};
        if (::fstatat(journal, "control", &now, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(now.st_mode)) return;
        set_file(journal, "control", "journal/control", now, group, kSharedFile);
    }

    void walk_accounts(int accounts, gid_t group) {
        each_entry(accounts, [&](const char* name) {
            struct stat now {};
            if (::fstatat(accounts, name, &now, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(now.st_mode)) return;
            if (now.st_gid == group && (now.st_mode & kModeBits) == kSharedFolder) return;
            walk_folder(accounts, name, std::string("accounts/") + name, group, 0);
        });
    }

    template <class Visit>
    static void each_entry(int folder, Visit visit) {
        // Its own position; closedir() closes it.
        const int again = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (again < 0) return;
        const std::unique_ptr<DIR, int (*)(DIR*)> open(::fdopendir(again), ::closedir);
        if (!open) {
            ::close(again);
            return;
        }
        while (const dirent* entry = ::readdir(open.get())) {
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..") visit(entry->d_name);
        }
    }

    void walk(int folder, const std::string& where, gid_t group, int depth) {
        each_entry(folder, [&](const char* name) {
            const std::string path = where + '/' + name;
            struct stat now {};
            if (::fstatat(folder, name, &now, AT_SYMLINK_NOFOLLOW) != 0) return;
            if (S_ISDIR(now.st_mode)) return walk_folder(folder, name, path, group, depth + 1);
            if (!S_ISREG(now.st_mode)) return;
            const bool is_lock = std::strcmp(name, "lock.mdb") == 0;
            if (now.st_uid == owner_)
                return set_file(folder, name, path, now, group, is_lock ? kLockFile : kSharedFile);
            if (is_lock && make_anew(folder, name, group))
                ++changed_;
            else
                note_foreign(path);
        });
    }

    // A lock file that root made, when it read a folder that had none. Nobody else has it open: nobody could.
    static bool make_anew(int folder, const char* name, gid_t group) {
        if (::faccessat(folder, name, R_OK | W_OK, AT_EACCESS) == 0 || ::unlinkat(folder, name, 0) != 0)
            return false;
        const FileDescriptor made(
            ::openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kLockFile));
        struct stat now {};
        return made && ::fstat(made.get(), &now) == 0 && set(made.get(), now, group, kLockFile);
    }

    // Children first.
    void walk_folder(int parent, const char* name, const std::string& path, gid_t group, int depth) {
        const FileDescriptor folder(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        struct stat now {};
        if (!folder || depth > kDeepest || ::fstat(folder.get(), &now) != 0 || now.st_uid != owner_)
            return note_foreign(path);
        walk(folder.get(), path, group, depth);
        if (!set(folder.get(), now, group, kSharedFolder)) note_foreign(path);
    }

    void set_file(int folder, const char* name, const std::string& path, const struct stat& now, gid_t group,
                  mode_t mode) {
        if (now.st_gid == group && (now.st_mode & kModeBits) == mode) return;
        if (::fchownat(folder, name, static_cast<uid_t>(-1), group, AT_SYMLINK_NOFOLLOW) == 0 &&
            ::fchmodat(folder, name, mode, 0) == 0)
            ++changed_;
        else
            note_foreign(path);
    }

    void note_foreign(const std::string& path) {
        if (foreign_++ == 0) first_foreign_ = path;
    }

    std::filesystem::path data_;
    const std::optional<Users>& users_;
    const uid_t owner_ = ::geteuid();
    std::uint64_t changed_ = 0;
    std::uint64_t foreign_ = 0;
    std::string first_foreign_;
};

}  // namespace

Result<void> arrange_data_folder(const std::filesystem::path& data_dir, const std::optional<Users>& users) {
    return Arranger(data_dir, users).run();
}

}  // namespace mailstead::runtime
