// The process's own definitions of what makes bytes durable: the engine and LMDB call these. With a Disk they
// tell it, and wait for no real one.
#include <cerrno>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/power/disk.h"
#include "tests/power/steps.h"

using mailstead::power::Disk;
using mailstead::power::Steps;

namespace {

Disk* disk_of(int fd) {
    Disk* disk = Disk::current();
    return disk != nullptr && disk->covers(fd) ? disk : nullptr;
}

int refuse(int code) {
    errno = code;
    return -1;
}

int sync_one(int fd, long number, const char* what) {
    Disk* disk = disk_of(fd);
    if (disk == nullptr) return static_cast<int>(::syscall(number, fd));
    if (const int code = Steps::take_own(what)) return refuse(code);
    disk->sync_file(fd);
    return 0;
}

}  // namespace

extern "C" {

int fsync(int fd) {
    return sync_one(fd, SYS_fsync, "fsync");
}

int fdatasync(int fd) {
    return sync_one(fd, SYS_fdatasync, "fdatasync");
}

int syncfs(int fd) noexcept {
    Disk* disk = disk_of(fd);
    if (disk == nullptr) return static_cast<int>(::syscall(SYS_syncfs, fd));
    if (const int code = Steps::take_own("syncfs")) return refuse(code);
    disk->sync_file_system(fd);
    return 0;
}

// LMDB writes meta pages that count at once through a descriptor opened with O_DSYNC.
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
    const ssize_t written = ::syscall(SYS_pwrite64, fd, bytes, size, offset);
    if (written <= 0 || (::fcntl(fd, F_GETFL) & O_DSYNC) == 0) return written;
    if (Disk* disk = disk_of(fd))
        disk->write_durably(fd, {static_cast<const char*>(bytes), static_cast<std::size_t>(written)},
                            static_cast<std::uint64_t>(offset));
    return written;
}

ssize_t pwritev2(int fd, const iovec* pieces, int count, off_t offset, int flags) {
    Disk* disk = (flags & RWF_DSYNC) == 0 ? nullptr : disk_of(fd);
    const int kept = disk == nullptr ? flags : flags & ~RWF_DSYNC;
    const ssize_t written =
        ::syscall(SYS_pwritev2, fd, pieces, static_cast<long>(count), offset, 0L, static_cast<long>(kept));
    if (disk == nullptr || written <= 0) return written;
    auto left = static_cast<std::size_t>(written);
    auto at = static_cast<std::uint64_t>(offset);
    for (int i = 0; i < count && left > 0; ++i) {
        const std::size_t size = std::min(left, pieces[i].iov_len);
        disk->write_durably(fd, {static_cast<const char*>(pieces[i].iov_base), size}, at);
        at += size;
        left -= size;
    }
    return written;
}
}
