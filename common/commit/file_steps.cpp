#include "common/commit/file_steps.h"

#include <cerrno>
#include <fcntl.h>
#include <functional>

namespace mailstead::commit {
namespace {

constexpr std::size_t kCopyChunk = std::size_t{1} << 20;

// Runs `link_to`, creating the folder or replacing an older file as its answer asks for.
int link_making_way(FileLayer& files, const std::filesystem::path& to,
                    const std::function<int(const std::filesystem::path&)>& link_to) {
    int rc = link_to(to);
    if (rc == ENOENT) {
        if (const int made = make_directories(files, to.parent_path())) return made;
        rc = link_to(to);
    }
    if (rc != EEXIST) return rc;
    const std::filesystem::path aside = to.string() + ".new";
    files.remove(aside);
    rc = link_to(aside);
    if (rc == 0) rc = files.rename(aside, to);
    files.remove(aside);  // still there when both names were the same file
    return rc;
}

Error failure(const std::filesystem::path& to, int code) {
    const bool is_full = code == ENOSPC || code == EDQUOT;
    const bool is_short = code == ENOMEM || code == EMFILE || code == ENFILE;
    return transient_error("cannot name message file " + to.string() + ": " + errno_text(code),
                           is_full    ? Fault::disk_full
                           : is_short ? Fault::busy
                                      : Fault::none);
}

int open_unnamed(FileLayer& files, const std::filesystem::path& folder, FileDescriptor& opened) {
    int rc = files.open(folder, O_TMPFILE | O_RDWR, 0640, opened);
    if (rc == ENOENT && make_directories(files, folder) == 0)
        rc = files.open(folder, O_TMPFILE | O_RDWR, 0640, opened);
    return rc;
}

Result<FileDescriptor> copy_of(FileLayer& files, int fd, std::uint64_t size,
                               const std::filesystem::path& folder, bool flush) {
    FileDescriptor copy;
    int rc = open_unnamed(files, folder, copy);
    std::string bytes;
    for (std::uint64_t at = 0; rc == 0 && at < size; at += bytes.size()) {
        rc = files.read(fd, at, kCopyChunk, bytes);
        if (rc == 0 && bytes.empty()) rc = EIO;
        if (rc == 0) rc = files.write(copy.get(), bytes, at);
    }
    if (rc == 0 && flush) rc = files.flush(copy.get());
    if (rc != 0) return failure(folder, rc);
    return copy;
}

}  // namespace

Result<void> name_file(FileLayer& files, int fd, std::uint64_t size, const std::filesystem::path& to,
                       bool flush_copy) {
    const int rc =
        link_making_way(files, to, [&](const auto& name) { return files.link_descriptor(fd, name); });
    if (rc == 0) return {};
    if (rc != EXDEV && rc != EPERM && rc != EMLINK && rc != ENOENT) return failure(to, rc);
    TRY(copy, copy_of(files, fd, size, to.parent_path(), flush_copy));
    const int again =
        link_making_way(files, to, [&](const auto& name) { return files.link_descriptor(copy.get(), name); });
    if (again != 0) return failure(to, again);
    return {};
}

Result<void> name_again(FileLayer& files, const std::filesystem::path& from,
                        const std::filesystem::path& to) {
    FileDescriptor source;
    std::uint64_t size = 0;
    int rc = files.open(from, O_RDONLY, 0, source);
    if (rc == 0) rc = files.size_of(source.get(), size);
    if (rc != 0) return failure(from, rc);
    return name_file(files, source.get(), size, to);
}

Result<FileDescriptor> make_unnamed(FileLayer& files, const std::filesystem::path& folder,
                                    std::string_view bytes) {
    FileDescriptor file;
    int rc = open_unnamed(files, folder, file);
    if (rc == 0) rc = files.write(file.get(), bytes, 0);
    if (rc != 0) return failure(folder, rc);
    return file;
}

std::string run_after_steps(FileLayer& files, const std::filesystem::path& root,
                            const std::vector<FileStep>& steps) {
    std::string failures;
    for (const FileStep& step : steps) {
        int rc = 0;
        if (step.kind == FileStep::Kind::rename) {
            rc = files.rename(root / step.from, root / step.to);
            // Either the old name is gone, or the new name's folder is missing.
            if (rc == ENOENT && make_directories(files, (root / step.to).parent_path()) == 0)
                rc = files.rename(root / step.from, root / step.to);
            // Two names of one file: rename() leaves both.
            if (rc == 0) files.remove(root / step.from);
        } else if (step.kind == FileStep::Kind::remove) {
            rc = files.remove(root / step.to);
        }
        if (rc != 0 && rc != ENOENT)
            failures +=
                " " + (step.kind == FileStep::Kind::rename ? step.from : step.to) + ": " + errno_text(rc);
    }
    return failures;
}

}  // namespace mailstead::commit
