// LMDB 0.9's data file starts with two meta pages; commits write them in turn, and opening takes the one with
// the higher transaction number. Putting both back therefore returns the file to the snapshot they name.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file_descriptor.h"
#include "common/kv/data_file.h"
#include "common/kv/env.h"
#include "common/kv/env_state.h"

namespace mailstead::kv {
namespace {

constexpr std::size_t kCopyChunk = std::size_t{4} << 20;

bool write_at(int fd, std::string_view bytes, off_t at) {
    return ::pwrite(fd, bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size());
}

Error system_failure(const std::string& doing, int code) {
    return transient_error("lmdb: " + doing + ": " + errno_text(code), fault_of(code));
}

// Both meta pages, understood.
struct Parsed {
    Meta newest;
    std::string_view first;
    std::string_view second;
};

Result<Parsed> parse(std::string_view bytes) {
    if (bytes.size() != 2 * kMetaUsed) return permanent_error("lmdb: not two meta pages");
    const auto first = parse_meta(bytes.substr(0, kMetaUsed));
    const auto second = parse_meta(bytes.substr(kMetaUsed));
    if (!first || !second || first->page_size != second->page_size)
        return permanent_error("lmdb: not two meta pages");
    return Parsed{first->transaction > second->transaction ? *first : *second, bytes.substr(0, kMetaUsed),
                  bytes.substr(kMetaUsed)};
}

Result<void> write_meta_pages(int fd, const Parsed& pages) {
    struct stat info {};
    const auto least = static_cast<off_t>(2 * pages.newest.page_size);
    if (::fstat(fd, &info) != 0 || (info.st_size < least && ::ftruncate(fd, least) != 0) ||
        !write_at(fd, pages.first, 0) ||
        !write_at(fd, pages.second, static_cast<off_t>(pages.newest.page_size)))
        return system_failure("restore meta pages", errno);
    return {};
}

// The snapshot's pages with its meta pages, in a file of its own: `data.mdb` is in use elsewhere and stays as
// it is.
Result<void> restore_beside(const std::filesystem::path& directory, int from, const Parsed& pages) {
    const auto path = directory / "data.mdb.new";
    ::unlink(path.c_str());
    const FileDescriptor to(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!to) return system_failure("create " + path.string(), errno);
    struct stat info {};
    if (::fstat(from, &info) != 0 || ::fchmod(to.get(), info.st_mode & 07777) != 0)
        return system_failure("copy " + path.string(), errno);
    off_t left = std::min<off_t>(info.st_size,
                                 static_cast<off_t>((pages.newest.last_page + 1) * pages.newest.page_size));
    off_t at = 0;
    std::string buffer;
    while (left > 0) {
        const auto want = std::min<std::size_t>(kCopyChunk, static_cast<std::size_t>(left));
        buffer.resize(want);
        const ssize_t got = ::pread(from, buffer.data(), want, at);
        if (got <= 0) return system_failure("copy " + path.string(), got < 0 ? errno : EIO);
        if (!write_at(to.get(), std::string_view(buffer).substr(0, static_cast<std::size_t>(got)), at))
            return system_failure("copy " + path.string(), errno);
        at += got;
        left -= got;
    }
    TRY_VOID(write_meta_pages(to.get(), pages));
    // The name of the old file goes: its pages must be on disk under the new one before.
    if (::fsync(to.get()) != 0) return system_failure("sync " + path.string(), errno);
    if (::rename(path.c_str(), (directory / "data.mdb").c_str()) != 0)
        return system_failure("rename " + path.string(), errno);
    // After the rename: whoever has the old file has the old lock file, too. A new file under the old lock
    // file would be read by its transaction numbers.
    if (::unlink((directory / "lock.mdb").c_str()) != 0 && errno != ENOENT)
        return system_failure("remove the lock file of " + directory.string(), errno);
    return {};
}

}  // namespace

Result<MetaPages> Env::read_meta_pages() const {
    int fd = -1;
    if (const int rc = mdb_env_get_fd(state_->env, &fd)) return lmdb_error(rc, "read meta pages");
    MetaPages pages;
    pages.bytes.resize(2 * kMetaUsed);
    for (std::size_t page = 0; page < 2; ++page) {
        char* const to = pages.bytes.data() + page * kMetaUsed;
        const auto at = static_cast<off_t>(page * page_size());
        if (::pread(fd, to, kMetaUsed, at) != static_cast<ssize_t>(kMetaUsed))
            return transient_error("lmdb: cannot read meta pages");
    }
    const auto parsed = parse(pages.bytes);
    if (!parsed || parsed->newest.page_size != page_size())
        return permanent_error("lmdb: meta pages not understood", Fault::damaged);
    return pages;
}

Result<void> restore_meta_pages(const std::filesystem::path& directory, const MetaPages& pages) {
    TRY(parsed, parse(pages.bytes));
    if (is_open_here(directory))
        return transient_error(directory.string() + " is still open in this process", Fault::busy);
    std::error_code failure;
    std::filesystem::create_directories(directory, failure);
    const auto path = directory / "data.mdb";
    // A snapshot that had nothing in it needs no file; any other one does.
    const bool was_empty = parsed.newest.main_root == kNoPage;
    const FileDescriptor data(
        ::open(path.c_str(), O_RDWR | (was_empty ? O_CREAT : 0) | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!data && errno == ENOENT) return transient_error(path.string() + " is missing", Fault::damaged);
    if (!data) return system_failure("open " + path.string(), errno);
    if (!was_empty) {
        std::string header(kMetaUsed, '\0');
        if (::pread(data.get(), header.data(), header.size(), 0) != static_cast<ssize_t>(header.size()) ||
            !parse_meta(header))
            return transient_error(path.string() + " is damaged: it has no meta page at its beginning",
                                   Fault::damaged);
    }
    const auto lock_path = directory / "lock.mdb";
    const FileDescriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) return system_failure("open " + lock_path.string(), errno);
    // LMDB holds a lock on the first byte for as long as it has an environment open. With ours in place
    // others wait at their open for the moment that the two writes take; without it they have the file.
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    whole.l_len = 1;
    if (::fcntl(lock.get(), F_SETLK, &whole) == 0) {
        TRY_VOID(write_meta_pages(data.get(), parsed));
    } else if (errno == EAGAIN || errno == EACCES) {
        TRY_VOID(restore_beside(directory, data.get(), parsed));
    } else {
        return system_failure("lock " + lock_path.string(), errno);
    }
    return check_file(directory, true);
}

}  // namespace mailstead::kv
