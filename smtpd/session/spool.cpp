#include "smtpd/session/spool.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

namespace mailstead::smtpd {

bool SpoolError::disk_full() const {
    return error_number == ENOSPC || error_number == EDQUOT;
}

Spool::Spool(Spool&& other) noexcept
    : folder_(std::move(other.folder_)), min_free_(other.min_free_), free_(other.free_.load()) {}

Result<Spool> Spool::open(const std::filesystem::path& folder, std::uint64_t min_free) {
    FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return transient_error("cannot open " + folder.string() + ": " + std::strerror(errno));
    Spool spool(std::move(fd), min_free);
    // Known from the start: whoever finds another asking relies on it.
    if (!spool.measure())
        return transient_error("cannot ask how much room " + folder.string() +
                               " has: " + std::strerror(errno));
    return spool;
}

bool Spool::measure() const {
    struct statvfs facts {};
    if (::fstatvfs(folder_.get(), &facts) != 0) return false;
    free_.store(facts.f_bavail * facts.f_frsize, std::memory_order_relaxed);
    return true;
}

Result<FileDescriptor, SpoolError> Spool::create() const {
    FileDescriptor fd(::openat(folder_.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!fd) return SpoolError(errno);
    return fd;
}

Result<FileDescriptor, SpoolError> Spool::create_in_memory() {
    FileDescriptor fd(::memfd_create("message", MFD_CLOEXEC));
    if (!fd) return SpoolError(errno);
    return fd;
}

bool Spool::has_room(std::uint64_t octets) const {
    using std::chrono::steady_clock;
    const std::int64_t second =
        std::chrono::duration_cast<std::chrono::seconds>(steady_clock::now().time_since_epoch()).count();
    if (asked_at_.exchange(second, std::memory_order_relaxed) != second) measure();
    return free_.load(std::memory_order_relaxed) >= min_free_ + octets;
}

bool MemoryBudget::try_take(std::uint64_t octets) {
    const auto wanted = static_cast<std::int64_t>(octets);
    if (left_.fetch_sub(wanted, std::memory_order_relaxed) >= wanted) return true;
    left_.fetch_add(wanted, std::memory_order_relaxed);
    return false;
}

bool MemoryShare::grow_to(std::uint64_t octets) {
    if (octets <= taken_) return true;
    if (!budget_.try_take(octets - taken_)) return false;
    taken_ = octets;
    return true;
}

}  // namespace mailstead::smtpd
