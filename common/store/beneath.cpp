#include "common/store/beneath.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string_view>
#include <sys/syscall.h>
#include <unistd.h>

namespace mailstead::store {
namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// One name after the other, for kernels before 5.6.
FileDescriptor walk(int folder, std::string_view path, int flags, mode_t mode) {
    FileDescriptor held;
    for (int at = folder;;) {
        const std::size_t slash = path.find('/');
        const std::string name(path.substr(0, slash));
        if (name.empty() || name == "..") {
            errno = EXDEV;
            return {};
        }
        if (slash == std::string_view::npos)
            return FileDescriptor(::openat(at, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
        FileDescriptor next(::openat(at, name.c_str(), kFolderFlags));
        if (!next) return {};
        held = std::move(next);
        at = held.get();
        path.remove_prefix(slash + 1);
    }
}

}  // namespace

FileDescriptor open_folder(const std::string& path) {
    return FileDescriptor(::open(path.c_str(), kFolderFlags));
}

FileDescriptor open_beneath(int folder, const std::string& path, int flags, mode_t mode) {
    static std::atomic<bool> is_known{true};
    if (is_known.load(std::memory_order_relaxed)) {
        open_how how{};
        how.flags = static_cast<std::uint64_t>(flags | O_NOFOLLOW | O_CLOEXEC);
        how.mode = (flags & O_CREAT) != 0 ? mode : 0;
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
        const long fd = ::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how);
        if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return FileDescriptor(static_cast<int>(fd));
        is_known.store(false, std::memory_order_relaxed);
    }
    return walk(folder, path, flags, mode);
}

}  // namespace mailstead::store
