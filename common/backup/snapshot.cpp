#include "common/backup/snapshot.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/backup/files.h"
#include "common/backup/layout.h"

namespace mailstead::backup {
namespace {

std::string checked_file(int root, const Entry& entry, std::uint64_t& bytes) {
    const auto file = open_below(root, entry.path, O_RDONLY);
    struct stat info {};
    if (!file || ::fstat(file->get(), &info) != 0) return "is missing";
    if (!S_ISREG(info.st_mode)) return "is no file";
    if (static_cast<std::uint64_t>(info.st_size) != entry.size)
        return "has " + std::to_string(info.st_size) + " bytes instead of " + std::to_string(entry.size);
    std::uint64_t size = 0;
    const auto sum = copy_bytes(file->get(), -1, size);
    bytes += size;
    if (!sum) return "cannot be read: " + sum.error().what;
    return *sum == entry.checksum ? std::string() : "differs from what was written";
}

}  // namespace

std::string snapshot_name(std::string_view time) {
    std::string name(time);
    std::replace(name.begin(), name.end(), ':', '-');
    return name;
}

const Entry* Snapshot::find(std::string_view path) const {
    const auto found =
        std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.path == path; });
    return found == entries.end() ? nullptr : &*found;
}

Result<std::vector<std::string>> snapshots(const std::filesystem::path& backup) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(backup / kSnapshots, error)) {
        const std::string name = entry.path().filename().string();
        if (entry.is_directory() && !name.starts_with('.')) names.push_back(name);
    }
    if (error)
        return permanent_error("there is no backup in " + backup.string() + " (" + error.message() + ')');
    std::sort(names.begin(), names.end());
    return names;
}

Result<Snapshot> open_snapshot(const std::filesystem::path& backup, std::string_view at) {
    TRY(names, snapshots(backup));
    const std::string latest = snapshot_name(at);
    const auto is_late = [&](const std::string& name) {
        return !at.empty() && name.substr(0, latest.size()) > latest;
    };
    std::erase_if(names, is_late);
    if (names.empty())
        return permanent_error("there is no snapshot in " + backup.string() +
                               (at.empty() ? std::string() : " from before " + std::string(at)));
    Snapshot snapshot;
    snapshot.name = names.back();
    snapshot.folder = backup / kSnapshots / snapshot.name;
    TRY(text, read_file(snapshot.folder / kManifest));
    auto header =
        read_manifest(text, false, [&](Entry entry) { snapshot.entries.push_back(std::move(entry)); });
    if (!header)
        return permanent_error("the snapshot " + snapshot.folder.string() +
                               " cannot be used: " + header.error().what);
    snapshot.header = *std::move(header);
    return snapshot;
}

Result<std::vector<Finding>> check(const Snapshot& snapshot, const OnProgress& progress) {
    const FileDescriptor root(::open(snapshot.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) return file_error("open", snapshot.folder);
    std::vector<Finding> findings;
    Progress done;
    done.of = snapshot.entries.size();
    for (const Entry& entry : snapshot.entries) {
        ++done.files;
        if (!entry.is_folder) {
            if (std::string wrong = checked_file(root.get(), entry, done.bytes); !wrong.empty())
                findings.push_back({entry.path, std::move(wrong)});
        } else if (!open_below(root.get(), entry.path, O_RDONLY | O_DIRECTORY)) {
            findings.push_back({entry.path, "is missing"});
        }
        if (progress && !progress(done)) return transient_error("stopped");
    }
    return findings;
}

}  // namespace mailstead::backup
