#include "common/kv/kept_copy.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file_descriptor.h"
#include "common/kv/copy.h"
#include "common/kv/env_state.h"

namespace mailstead::kv {
namespace {

constexpr const char* kData = "data.mdb";
constexpr const char* kLock = "lock.mdb";
constexpr const char* kCopy = "copy.mdb";
constexpr const char* kFresh = "copy.mdb.new";
constexpr std::uint64_t kCheap = 4u << 20;  // copied after each change
constexpr std::uint64_t kPerSecond = 1u << 20;

Error errno_error(const std::string& doing) {
    return transient_error(doing + ": " + std::system_category().message(errno));
}

// Held by one process at a time that writes or restores a copy here.
Result<FileDescriptor> lock_directory(const std::filesystem::path& directory) {
    FileDescriptor held(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!held || ::flock(held.get(), LOCK_EX) != 0) return errno_error("lock " + directory.string());
    return held;
}

Result<void> rename_in(int directory, const char* from, const std::string& to) {
    if (::renameat(directory, from, directory, to.c_str()) != 0)
        return errno_error("rename " + std::string(from));
    return {};
}

Result<void> copy_bytes(int directory, const char* from, const char* to) {
    const FileDescriptor in(::openat(directory, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    const FileDescriptor out(
        ::openat(directory, to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    struct stat facts {};
    if (!in || !out || ::fstat(in.get(), &facts) != 0) return errno_error("copy " + std::string(from));
    for (off_t left = facts.st_size; left > 0;) {
        const ssize_t sent = ::sendfile(out.get(), in.get(), nullptr, static_cast<std::size_t>(left));
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return errno_error("copy " + std::string(from));
        left -= sent;
    }
    // Readers may belong to the group.
    (void)::fchmod(out.get(), facts.st_mode & 0777);
    if (::fsync(out.get()) != 0) return errno_error("sync " + std::string(to));
    return {};
}

// Puts the copy where the data file should be.
Result<void> restore(const std::filesystem::path& directory) {
    TRY(held, lock_directory(directory));
    // Another process may have done it while this one waited.
    if (check_file(directory, true)) return {};
    TRY_VOID(copy_bytes(held.get(), kCopy, kFresh));
    const std::string aside =
        std::string(kData) + ".damaged-" + std::to_string(now().time_since_epoch().count());
    if (::faccessat(held.get(), kData, F_OK, 0) == 0) TRY_VOID(rename_in(held.get(), kData, aside));
    // It counts transactions of the old file, for those who have that open.
    (void)::unlinkat(held.get(), kLock, 0);
    TRY_VOID(rename_in(held.get(), kFresh, kData));
    if (::fsync(held.get()) != 0) return errno_error("sync " + directory.string());
    return {};
}

struct stat facts_of(const std::filesystem::path& file) {
    struct stat facts {};
    if (::stat(file.c_str(), &facts) != 0) return {};
    return facts;
}

bool is_newer(const timespec& a, const timespec& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

}  // namespace

Result<void> keep_copy(const Env& env) {
    const std::filesystem::path& directory = env.directory();
    TRY(held, lock_directory(directory));
    struct stat before {};
    const bool known = ::fstatat(held.get(), kData, &before, 0) == 0;
    {
        const FileDescriptor out(
            ::openat(held.get(), kFresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!out) return errno_error("make a copy in " + directory.string());
        TRY_VOID(copy_compact(env, out.get()));
        if (known) (void)::fchmod(out.get(), before.st_mode & 0777);
        if (::fsync(out.get()) != 0) return errno_error("sync a copy in " + directory.string());
    }
    TRY_VOID(check_data_file(directory / kFresh, true));
    return rename_in(held.get(), kFresh, kCopy);
}

Result<void> keep_copy_now_and_then(const Env& env) {
    const struct stat copy = facts_of(env.directory() / kCopy);
    const auto size = static_cast<std::uint64_t>(copy.st_size);
    if (size > kCheap) {
        const std::int64_t age = now().time_since_epoch() / Seconds(1) - copy.st_mtim.tv_sec;
        if (age >= 0 && static_cast<std::uint64_t>(age) < size / kPerSecond) return {};
    }
    return keep_copy(env);
}

Result<void> refresh_copy(const std::filesystem::path& directory) {
    const struct stat copy = facts_of(directory / kCopy);
    if (copy.st_size != 0 && !is_newer(facts_of(directory / kData).st_mtim, copy.st_mtim)) return {};
    TRY_VOID(check_file(directory, true));  // what is damaged must not replace the copy
    TRY(env, Env::open(directory, EnvOptions{}));
    return keep_copy(*env);
}

Result<std::shared_ptr<Env>> open_with_copy(const std::filesystem::path& directory, const EnvOptions& options,
                                            const OnRestored& on_restored) {
    const Result<void> sound = check_file(directory, true);
    const bool damaged = !sound && sound.error().fault == Fault::damaged;
    std::error_code error;
    const bool was_there = std::filesystem::exists(directory / kData, error);
    const bool has_copy = std::filesystem::exists(directory / kCopy, error);
    // The first use of all.
    if (!damaged || (!was_there && !has_copy)) return Env::open(directory, options);
    if (!has_copy || !check_data_file(directory / kCopy, true)) {
        return permanent_error(sound.error().what + ", and there is no sound copy of it beside: restore " +
                                   directory.string() + " from a backup (`mailstead restore`)",
                               Fault::damaged);
    }
    if (options.access == Access::reader) {
        return transient_error(
            sound.error().what + "; deliver and the admin CLI restore it when they open it", Fault::damaged);
    }
    TRY_VOID(restore(directory));
    if (on_restored)
        on_restored(sound.error().what + "; it was restored from its copy, which may lack the last changes");
    return Env::open(directory, options);
}

}  // namespace mailstead::kv
