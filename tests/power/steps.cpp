#include "tests/power/steps.h"

#include <cerrno>
#include <fcntl.h>

#include "tests/power/disk.h"

namespace mailstead::power {
namespace {

std::atomic<Steps*> current_steps = nullptr;
thread_local bool inside_layer = false;  // then the sync below is counted already

// One step, then the real thing.
template <class Call>
int step(Steps& steps, const char* what, Call&& call) {
    if (const int refused = steps.take(what)) return refused;
    const bool outer = std::exchange(inside_layer, true);
    const int rc = call();
    inside_layer = outer;
    return rc;
}

// The same for a call that changes names.
template <class Call>
int name_step(Steps& steps, const char* what, Call&& call) {
    return step(steps, what, [&] {
        const auto lock = Disk::lock_names();
        return call();
    });
}

}  // namespace

void Steps::use(Steps* steps) {
    current_steps = steps;
}

int Steps::take_own(const char* what) {
    Steps* steps = current_steps;
    return steps == nullptr || inside_layer ? 0 : steps->take(what);
}

int SteppedFiles::open(const std::filesystem::path& path, int flags, mode_t mode, FileDescriptor& opened) {
    // Memory-backed file systems know no direct writes.
    return step(steps_, "open", [&] { return FileLayer::open(path, flags & ~O_DIRECT, mode, opened); });
}
int SteppedFiles::write_durably(int fd, std::string_view bytes, std::uint64_t offset) {
    return step(steps_, "write_durably", [&] { return FileLayer::write_durably(fd, bytes, offset); });
}
int SteppedFiles::write(int fd, std::string_view bytes, std::uint64_t offset) {
    return step(steps_, "write", [&] { return FileLayer::write(fd, bytes, offset); });
}
int SteppedFiles::read(int fd, std::uint64_t offset, std::size_t size, std::string& bytes) {
    if (is_unreadable) {
        std::error_code ignored;
        const auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored);
        if (is_unreadable(path, offset, size)) return EIO;
    }
    return step(steps_, "read", [&] { return FileLayer::read(fd, offset, size, bytes); });
}
int SteppedFiles::flush_data(int fd) {
    return step(steps_, "flush_data", [&] { return FileLayer::flush_data(fd); });
}
int SteppedFiles::flush(int fd) {
    return step(steps_, "flush", [&] { return FileLayer::flush(fd); });
}
int SteppedFiles::sync_file_system(int fd) {
    return step(steps_, "sync_file_system", [&] { return FileLayer::sync_file_system(fd); });
}
int SteppedFiles::size_of(int fd, std::uint64_t& size) {
    return step(steps_, "size_of", [&] { return FileLayer::size_of(fd, size); });
}
int SteppedFiles::link_descriptor(int fd, const std::filesystem::path& to) {
    return name_step(steps_, "link_descriptor", [&] { return FileLayer::link_descriptor(fd, to); });
}
int SteppedFiles::link(const std::filesystem::path& from, const std::filesystem::path& to) {
    return name_step(steps_, "link", [&] { return FileLayer::link(from, to); });
}
int SteppedFiles::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
    return name_step(steps_, "rename", [&] {
        const int rc = FileLayer::rename(from, to);
        if (rc == 0) Disk::note_rename(from, to);
        return rc;
    });
}
int SteppedFiles::remove(const std::filesystem::path& path) {
    return name_step(steps_, "remove", [&] { return FileLayer::remove(path); });
}
int SteppedFiles::make_directory(const std::filesystem::path& path) {
    return name_step(steps_, "make_directory", [&] { return FileLayer::make_directory(path); });
}
int SteppedFiles::list(const std::filesystem::path& folder, std::vector<std::string>& names) {
    return step(steps_, "list", [&] { return FileLayer::list(folder, names); });
}

}  // namespace mailstead::power
