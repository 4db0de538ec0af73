#include "common/commit/file_layer.h"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>

#include "common/base/open_file.h"
#include "common/base/text.h"

namespace mailstead::commit {
namespace {

int write_all(int fd, std::string_view bytes, std::uint64_t offset, int flags) {
    while (!bytes.empty()) {
        iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
        const ssize_t written = ::pwritev2(fd, &piece, 1, static_cast<off_t>(offset), flags);
        if (written < 0) {
            if (errno == EINTR) continue;
            return errno;
        }
        if (written == 0) return EIO;
        bytes.remove_prefix(static_cast<std::size_t>(written));
        offset += static_cast<std::uint64_t>(written);
    }
    return 0;
}

int result(int rc) {
    return rc == 0 ? 0 : errno;
}

}  // namespace

FileLayer& FileLayer::real() {
    static FileLayer layer;
    return layer;
}

int FileLayer::open(const std::filesystem::path& path, int flags, mode_t mode, FileDescriptor& opened) {
    opened = open_without_links(AT_FDCWD, path.string(), flags, mode);
    return opened ? 0 : errno;
}

int FileLayer::write_durably(int fd, std::string_view bytes, std::uint64_t offset) {
    return write_all(fd, bytes, offset, RWF_DSYNC);
}

int FileLayer::write(int fd, std::string_view bytes, std::uint64_t offset) {
    return write_all(fd, bytes, offset, 0);
}

int FileLayer::read(int fd, std::uint64_t offset, std::size_t size, std::string& bytes) {
    bytes.resize(size);
    std::size_t have = 0;
    while (have < size) {
        const ssize_t got = ::pread(fd, bytes.data() + have, size - have, static_cast<off_t>(offset + have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return 0;
}

int FileLayer::flush_data(int fd) {
    return result(::fdatasync(fd));
}
int FileLayer::flush(int fd) {
    return result(::fsync(fd));
}
int FileLayer::sync_file_system(int fd) {
    return result(::syncfs(fd));
}

int FileLayer::size_of(int fd, std::uint64_t& size) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return errno;
    size = static_cast<std::uint64_t>(info.st_size);
    return 0;
}

int FileLayer::free_space(int fd, std::uint64_t& bytes) {
    struct statvfs info {};
    if (::fstatvfs(fd, &info) != 0) return errno;
    bytes = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
    return 0;
}

int FileLayer::allocate(int fd, std::uint64_t size) {
    return ::posix_fallocate(fd, 0, static_cast<off_t>(size));
}
int FileLayer::truncate(int fd, std::uint64_t size) {
    return result(::ftruncate(fd, static_cast<off_t>(size)));
}

int FileLayer::device_of(const std::filesystem::path& path, std::uint64_t& device) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return errno;
    device = info.st_dev;
    return 0;
}

int FileLayer::kind_of_file_system(int fd, std::int64_t& kind) {
    struct statfs info {};
    if (::fstatfs(fd, &info) != 0) return errno;
    kind = static_cast<std::int64_t>(info.f_type);
    return 0;
}

int FileLayer::link_descriptor(int fd, const std::filesystem::path& to) {
    // AT_EMPTY_PATH would need a capability; the name under /proc does not.
    const std::string from = "/proc/self/fd/" + std::to_string(fd);
    return result(::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), AT_SYMLINK_FOLLOW));
}
int FileLayer::link(const std::filesystem::path& from, const std::filesystem::path& to) {
    return result(::link(from.c_str(), to.c_str()));
}
int FileLayer::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
    return result(::rename(from.c_str(), to.c_str()));
}
int FileLayer::remove(const std::filesystem::path& path) {
    return result(::unlink(path.c_str()));
}
int FileLayer::make_directory(const std::filesystem::path& path) {
    return result(::mkdir(path.c_str(), 0750));
}

int FileLayer::list(const std::filesystem::path& folder, std::vector<std::string>& names) {
    names.clear();
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
    if (!open) return errno;
    while (const dirent* entry = ::readdir(open.get())) {
        if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    }
    return 0;
}

std::string FileLayer::boot_id() {
    // Read once: a sandboxed process may lose the way to it.
    static const std::string boot = [] {
        std::ifstream in("/proc/sys/kernel/random/boot_id");
        std::string id;
        in >> id;
        return id;
    }();
    return boot;
}

int make_directories(FileLayer& files, const std::filesystem::path& path) {
    const int made = files.make_directory(path);
    if (made == 0 || made == EEXIST) return 0;
    if (made != ENOENT || !path.has_parent_path() || path.parent_path() == path) return made;
    if (const int parent = make_directories(files, path.parent_path())) return parent;
    const int again = files.make_directory(path);
    return again == EEXIST ? 0 : again;
}

int flush_folder(FileLayer& files, const std::filesystem::path& folder) {
    FileDescriptor opened;
    const int rc = files.open(folder, O_RDONLY | O_DIRECTORY, 0, opened);
    return rc != 0 ? rc : files.flush(opened.get());
}

std::string errno_text(int code) {
    return std::system_category().message(code);
}

}  // namespace mailstead::commit
