#include "common/base/open_file.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mailstead {
namespace {

FileDescriptor walk(int folder, const std::string& path, int flags, mode_t mode) {
    FileDescriptor here;
    std::size_t at = 0;
    if (path.starts_with('/')) {
        here = FileDescriptor(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!here) return here;
    }
    for (;;) {
        at = path.find_first_not_of('/', at);
        const std::size_t end = path.find('/', at);
        const std::size_t next = path.find_first_not_of('/', end);
        const int from = here ? here.get() : folder;
        if (at == std::string::npos || next == std::string::npos) {
            const std::string last = at == std::string::npos ? "." : path.substr(at, end - at);
            return FileDescriptor(::openat(from, last.c_str(), flags | O_NOFOLLOW, mode));
        }
        FileDescriptor below(
            ::openat(from, path.substr(at, end - at).c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!below) {
            if (errno == ENOTDIR) errno = ELOOP;  // openat does not tell a link from a file here
            return below;
        }
        here = std::move(below);
        at = next;
    }
}

}  // namespace

FileDescriptor open_without_links(int folder, const std::string& path, int flags, mode_t mode) {
    static std::atomic<bool> is_known{true};
    flags |= O_CLOEXEC;
    if (is_known.load(std::memory_order_relaxed)) {
        open_how how{};
        how.flags = static_cast<std::uint64_t>(flags);
        // openat2 refuses a mode where nothing is created.
        if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) how.mode = mode;
        how.resolve = RESOLVE_NO_SYMLINKS;
        for (;;) {
            const long fd = ::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how);
            if (fd >= 0) return FileDescriptor(static_cast<int>(fd));
            if (errno != EINTR && errno != EAGAIN) break;
        }
        if (errno != ENOSYS && errno != EPERM) return FileDescriptor();
        // EPERM may be the file's answer as well as a filter's: the walk knows.
        if (errno == ENOSYS) is_known.store(false, std::memory_order_relaxed);
    }
    return walk(folder, path, flags, mode);
}

}  // namespace mailstead
