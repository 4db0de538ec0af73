#include "common/backup/writer.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/file.h>
#include <unistd.h>

#include "common/backup/files.h"
#include "common/backup/layout.h"
#include "common/kv/copy.h"

namespace mailstead::backup {
namespace {

constexpr std::size_t kManifestPiece = std::size_t{64} << 10;
constexpr const char* kInterrupted = "interrupted";

// A message file keeps its inode under all its names, and is never written to again.
std::string origin_of(const struct stat& info) {
    return "i" + std::to_string(info.st_ino) + '.' + std::to_string(info.st_size) + '.' +
           std::to_string(modified_of(info));
}

// The snapshot, and the file that nobody has written to since it was copied last.
std::string origin_of(const struct stat& info, const kv::MetaPages& pages) {
    Checksum sum;
    sum.add(kv::snapshot_name(pages));
    return "e" + origin_of(info).substr(1) + '.' + sum.finish();
}

Entry entry_of(const std::string& path, const struct stat& info) {
    Entry entry;
    entry.path = path;
    entry.mode = info.st_mode & 07777;
    entry.owner = user_name(info.st_uid);
    entry.group = group_name(info.st_gid);
    entry.modified = modified_of(info);
    return entry;
}

Result<void> write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return transient_error(std::string("write: ") + std::strerror(errno));
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    if (!in) return transient_error("cannot read " + path.string());
    return out.str();
}

Result<std::unique_ptr<Writer>> Writer::begin(const std::filesystem::path& backup, Header header) {
    std::unique_ptr<Writer> writer(new Writer(backup, std::move(header)));
    TRY_VOID(writer->prepare());
    return writer;
}

Writer::~Writer() {
    // So that the next one knows what is here.
    if (manifest_) static_cast<void>(write_all(manifest_.get(), std::string_view(text_).substr(written_)));
}

Result<void> Writer::prepare() {
    TRY_VOID(make_folders(backup_ / kSnapshots));
    lock_ =
        FileDescriptor(::open((backup_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock_) return file_error("open", backup_ / "lock");
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
        return transient_error("another backup to " + backup_.string() + " is under way");
    TRY(before, snapshots(backup_));
    if (!before.empty()) learn(backup_ / kSnapshots / before.back(), true);
    // What was interrupted lies beside the new one until that is done.
    folder_ = backup_ / kUnfinished;
    const std::filesystem::path aside = backup_ / kInterrupted;
    std::error_code error;
    if (std::filesystem::exists(folder_ / kManifest, error)) {
        std::filesystem::remove_all(aside, error);
        std::filesystem::rename(folder_, aside, error);
        if (error) return transient_error("cannot rename " + folder_.string() + ": " + error.message());
    }
    if (std::filesystem::exists(aside / kManifest, error)) {
        continues_ = true;
        learn(aside, false);
    }
    std::filesystem::remove_all(folder_, error);
    if (::mkdir(folder_.c_str(), 0700) != 0) return file_error("make", folder_);
    manifest_ = FileDescriptor(
        ::open((folder_ / kManifest).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!manifest_) return file_error("write", folder_ / kManifest);
    text_ = write_header(header_);
    return {};
}

void Writer::learn(const std::filesystem::path& folder, bool finished) {
    const auto text = read_file(folder / kManifest);
    if (!text) return;
    // What cannot be read is copied again.
    static_cast<void>(read_manifest(*text, !finished, [&](Entry entry) {
        if (entry.is_folder || entry.origin.empty()) return;
        std::string origin = entry.origin;
        Known known{folder / entry.path, std::move(entry), finished};
        known_.insert_or_assign(std::move(origin), std::move(known));
    }));
}

Result<void> Writer::record(const Entry& entry) {
    text_ += write_entry(entry);
    if (text_.size() - written_ < kManifestPiece) return {};
    TRY_VOID(write_all(manifest_.get(), std::string_view(text_).substr(written_)));
    written_ = text_.size();
    return {};
}

Result<void> Writer::add_folder(const std::string& path, const struct stat& info) {
    const std::filesystem::path folder = folder_ / path;
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return file_error("make", folder);
    Entry entry = entry_of(path, info);
    entry.is_folder = true;
    return record(entry);
}

// What an interrupted backup left was never flushed: it is read before it is believed.
Result<bool> Writer::link_known(const std::string& path, Entry& entry) {
    const auto found = known_.find(entry.origin);
    if (found == known_.end()) return false;
    const Known& known = found->second;
    if (!known.is_certain) {
        const FileDescriptor file(::open(known.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        std::uint64_t size = 0;
        const auto sum = file ? copy_bytes(file.get(), -1, size) : Result<std::string>(std::string());
        if (!sum || *sum != known.entry.checksum) return false;
    }
    const std::filesystem::path to = folder_ / path;
    if (::link(known.file.c_str(), to.c_str()) != 0) {
        // Also where the file system has no links, or no more of them for this file.
        if (errno == ENOSPC || errno == EIO || errno == EROFS) return file_error("link", to);
        return false;
    }
    entry.size = known.entry.size;
    entry.modified = known.entry.modified;
    entry.checksum = known.entry.checksum;
    ++counts_.files;
    counts_.bytes += entry.size;
    TRY_VOID(record(entry));
    return true;
}

Result<FileDescriptor> Writer::make(const std::string& path) const {
    const std::filesystem::path to = folder_ / path;
    FileDescriptor file(::open(to.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return file_error("write", to);
    return file;
}

Result<void> Writer::close(int file, Entry entry) {
    const timespec time{static_cast<time_t>(entry.modified / 1'000'000'000),
                        static_cast<long>(entry.modified % 1'000'000'000)};
    const timespec times[2] = {time, time};
    if (::futimens(file, times) != 0) return file_error("write", folder_ / entry.path);
    ++counts_.files;
    ++counts_.copied_files;
    counts_.bytes += entry.size;
    counts_.copied_bytes += entry.size;
    return record(entry);
}

Result<void> Writer::add_file(const std::string& path, int file, const struct stat& info,
                              std::string origin) {
    Entry entry = entry_of(path, info);
    const bool may_change = !origin.empty();
    entry.origin = may_change ? std::move(origin) : origin_of(info);
    if (!may_change) {
        TRY(linked, link_known(path, entry));
        if (linked) return {};
    }
    TRY(to, make(path));
    TRY(sum, copy_bytes(file, to.get(), entry.size));
    entry.checksum = std::move(sum);
    return close(to.get(), std::move(entry));
}

Result<void> Writer::add_environment(const std::string& path, int file, const struct stat& info,
                                     const kv::MetaPages& pages) {
    Entry entry = entry_of(path, info);
    entry.origin = origin_of(info, pages);
    TRY(linked, link_known(path, entry));
    if (linked) return {};
    TRY(to, make(path));
    TRY_VOID(kv::copy_snapshot(file, pages, to.get()));
    TRY(sum, copy_bytes(to.get(), -1, entry.size));
    entry.checksum = std::move(sum);
    return close(to.get(), std::move(entry));
}

Result<std::filesystem::path> Writer::finish() {
    text_ += write_end(text_);
    TRY_VOID(write_all(manifest_.get(), std::string_view(text_).substr(written_)));
    written_ = text_.size();
    // Once for everything instead of once for each file.
    if (::syncfs(manifest_.get()) != 0) return file_error("flush", backup_);
    manifest_.reset();
    const std::filesystem::path named = backup_ / kSnapshots / snapshot_name(header_.time);
    if (::rename(folder_.c_str(), named.c_str()) != 0) return file_error("name", named);
    const FileDescriptor folder(::open((backup_ / kSnapshots).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::fsync(folder.get()) != 0) return file_error("flush", backup_ / kSnapshots);
    std::error_code error;
    std::filesystem::remove_all(backup_ / kInterrupted, error);
    return named;
}

Result<std::size_t> prune(const std::filesystem::path& backup, std::size_t keep) {
    TRY(names, snapshots(backup));
    std::size_t removed = 0;
    for (; names.size() - removed > keep; ++removed) {
        // Renamed first: a snapshot is there whole or not at all.
        const std::filesystem::path folder = backup / kSnapshots / names[removed];
        const std::filesystem::path aside = backup / kSnapshots / (".going-" + names[removed]);
        std::error_code error;
        std::filesystem::rename(folder, aside, error);
        if (error) return transient_error("cannot remove " + folder.string() + ": " + error.message());
    }
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(backup / kSnapshots, error)) {
        if (!entry.path().filename().string().starts_with(".going-")) continue;
        std::filesystem::remove_all(entry.path(), error);
        if (error) return transient_error("cannot remove " + entry.path().string() + ": " + error.message());
    }
    return removed;
}

}  // namespace mailstead::backup
