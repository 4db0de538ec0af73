#include "common/commit/volumes.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace mailstead::commit {
namespace {

// linux/magic.h and the kernel's sources. Refused are those that answer to others than this kernel.
struct Kind {
    std::int64_t magic;
    std::string_view name;
    bool is_refused;
};
constexpr Kind kKinds[] = {
    {0x6969, "nfs", true},      {0x517B, "smb", true},        {0xFF534D42, "cifs", true},
    {0xFE534D42, "smb3", true}, {0x65735546, "fuse", true},   {0x01021997, "9p", true},
    {0x00C36400, "ceph", true}, {0x01021994, "tmpfs", false}, {0x794C7630, "overlayfs", false},
};

Error cannot_look_at(const std::filesystem::path& path, int code) {
    return transient_error("cannot look at " + path.string() + ": " + errno_text(code));
}

}  // namespace

Result<void> Volumes::find(const std::vector<std::filesystem::path>& others, const Log& log) {
    log_ = log;
    {
        const std::lock_guard lock(mutex_);
        by_device_.clear();
    }
    TRY_VOID(add(root_));
    for (const auto& other : others) TRY_VOID(add(other));
    return add_children(root_);
}

Result<void> Volumes::add_environment(const std::filesystem::path& directory) {
    const auto around = directory.parent_path();
    if (around == root_) return add(directory);
    TRY_VOID(add(around));
    return add_children(around);
}

Result<void> Volumes::add_children(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    if (files_.list(folder, names) != 0) return {};  // what cannot be opened is found out where it is needed
    for (const std::string& name : names) {
        std::error_code ignored;
        if (std::filesystem::is_directory(folder / name, ignored)) TRY_VOID(add(folder / name));
    }
    return {};
}

Result<void> Volumes::add(const std::filesystem::path& folder) {
    std::uint64_t device = 0;
    int rc = files_.device_of(folder, device);
    if (rc == ENOENT && folder != root_ && folder.has_relative_path())
        return add(folder.parent_path());  // where it will be made
    if (rc == EACCES) return {};           // where the engine may not look it has nothing
    if (rc != 0) return cannot_look_at(folder, rc);
    const std::lock_guard lock(mutex_);
    if (by_device_.contains(device)) return {};
    FileDescriptor opened;
    std::int64_t magic = 0;
    rc = files_.open(folder, O_RDONLY | O_DIRECTORY, 0, opened);
    if (rc == EACCES) return {};
    if (rc == 0) rc = files_.kind_of_file_system(opened.get(), magic);
    if (rc != 0) return cannot_look_at(folder, rc);
    const auto* const kind =
        std::find_if(std::begin(kKinds), std::end(kKinds), [&](const Kind& k) { return k.magic == magic; });
    if (kind != std::end(kKinds) && kind->is_refused) {
        return permanent_error(folder.string() + " lies on " + std::string(kind->name) +
                               ", where neither syncing nor a shared memory map can be relied on: mail that "
                               "was accepted could be lost. The data folder belongs on a local file system");
    }
    if (kind != std::end(kKinds) && log_)
        log_(folder.string() + " lies on " + std::string(kind->name) +
             (kind->name == "tmpfs" ? ": all of it is lost with the next reboot"
                                    : ": it survives a power cut only if the file system below does"));
    by_device_.emplace(device, std::make_shared<FileDescriptor>(std::move(opened)));
    return {};
}

// A sync takes long: nobody waits for the list meanwhile.
std::vector<std::shared_ptr<FileDescriptor>> Volumes::all() {
    std::vector<std::shared_ptr<FileDescriptor>> opened;
    const std::lock_guard lock(mutex_);
    for (const auto& [device, descriptor] : by_device_) opened.push_back(descriptor);
    return opened;
}

int Volumes::sync() {
    int first = 0;
    for (const auto& opened : all()) {
        const int rc = files_.sync_file_system(opened->get());
        if (first == 0) first = rc;
    }
    return first;
}

int Volumes::free_space(std::uint64_t& bytes) {
    bytes = std::numeric_limits<std::uint64_t>::max();
    for (const auto& opened : all()) {
        std::uint64_t space = 0;
        if (const int rc = files_.free_space(opened->get(), space)) return rc;
        bytes = std::min(bytes, space);
    }
    return 0;
}

}  // namespace mailstead::commit
