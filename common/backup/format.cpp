#include "common/backup/format.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include "common/backup/files.h"
#include "common/backup/layout.h"
#include "common/base/clock.h"
#include "common/base/text.h"

namespace mailstead::backup {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "format";
constexpr std::string_view kParts =
    "accounts 1\nlists 1\nqueue 1\nledger 1\nshares 1\ndirectory 1\ncredentials 1\njournal 2\n";
// What a data folder is made of. The rest (sockets, locks, what was put aside) belongs to no version.
constexpr const char* kFolders[] = {"accounts", "queue",   "ledger",    "shares",
                                    "spool",    "journal", "directory", "credentials"};

fs::path before(const fs::path& data_dir, std::uint32_t version) {
    return data_dir / ("before-" + std::to_string(version));
}

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(fs::symlink_status(path, ignored));
}

// Written once and never changed: one more name is as good as a copy.
bool is_message(const fs::path& relative) {
    const std::string folder = relative.parent_path().filename().string();
    return folder == "cur" || folder == "new" || relative.begin()->string() == "spool";
}

Result<void> flush(const fs::path& folder) {
    const FileDescriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened || ::syncfs(opened.get()) != 0) return file_error("flush", folder);
    return {};
}

Result<void> write_format(const fs::path& data_dir, std::uint32_t version) {
    const fs::path beside = data_dir / "format.new";
    const std::string text = "format " + std::to_string(version) + '\n' + std::string(kParts);
    const FileDescriptor file(
        ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::fsync(file.get()) != 0 || ::rename(beside.c_str(), (data_dir / kFile).c_str()) != 0) {
        return file_error("write", data_dir / kFile);
    }
    const FileDescriptor folder(::open(data_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::fsync(folder.get()) != 0) return file_error("flush", data_dir);
    return {};
}

Result<void> copy_file(const fs::path& from, const fs::path& to, const struct stat& info) {
    const FileDescriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!source) return file_error("open", from);
    const FileDescriptor copy(
        ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, info.st_mode & 07777));
    if (!copy) return file_error("write", to);
    std::uint64_t size = 0;
    TRY_VOID(copy_bytes(source.get(), copy.get(), size));
    if (::fchmod(copy.get(), info.st_mode & 07777) != 0) return file_error("set the mode of", to);
    return {};
}

// The same again beside it: files of messages as links, where that works.
Result<void> copy_tree(const fs::path& root, const fs::path& relative, const fs::path& to) {
    const fs::path from = root / relative;
    struct stat info {};
    if (::lstat(from.c_str(), &info) != 0) return file_error("read", from);
    if (S_ISREG(info.st_mode)) {
        if (is_message(relative) && ::link(from.c_str(), (to / relative).c_str()) == 0) return {};
        return copy_file(from, to / relative, info);
    }
    if (!S_ISDIR(info.st_mode)) return {};
    if (::mkdir((to / relative).c_str(), 0700) != 0) return file_error("make", to / relative);
    std::vector<std::string> names;
    const FileDescriptor folder(::open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!folder) return file_error("open", from);
    TRY_VOID(list(folder.get(), [&](const std::string& name) {
        names.push_back(name);
        return true;
    }));
    for (const std::string& name : names) TRY_VOID(copy_tree(root, relative / name, to));
    if (::chmod((to / relative).c_str(), info.st_mode & 07777) != 0)
        return file_error("set the mode of", to / relative);
    return {};
}

Result<void> copy_before(const fs::path& data_dir, std::uint32_t version) {
    const fs::path copy = before(data_dir, version);
    if (is_there(copy)) return {};
    const fs::path beside = copy.string() + ".new";
    std::error_code error;
    fs::remove_all(beside, error);
    if (::mkdir(beside.c_str(), 0700) != 0) return file_error("make", beside);
    for (const char* name : kFolders) {
        if (is_there(data_dir / name)) TRY_VOID(copy_tree(data_dir, name, beside));
    }
    if (is_there(data_dir / kFile)) TRY_VOID(copy_tree(data_dir, kFile, beside));
    TRY_VOID(flush(beside));
    if (::rename(beside.c_str(), copy.c_str()) != 0) return file_error("name", copy);
    return flush(data_dir);
}

// Regular files of messages below a folder, with their paths relative to `root`.
void each_message(const fs::path& root, const char* below,
                  const std::function<void(const fs::path&, const struct stat&)>& visit) {
    std::error_code error;
    for (auto at = fs::recursive_directory_iterator(root / below, error);
         at != fs::recursive_directory_iterator(); at.increment(error)) {
        struct stat info {};
        if (error || ::lstat(at->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
        const fs::path relative = at->path().lexically_relative(root);
        if (is_message(relative)) visit(relative, info);
    }
}

// The name that a message's file keeps when its flags change; recovery may write the file anew under it.
std::string base_name(const fs::path& file) {
    const std::string name = file.filename().string();
    return name.substr(0, name.find(':'));
}

// Those that the copy does not have under any name.
std::vector<fs::path> messages_since(const fs::path& data_dir, const fs::path& copy, const char* below) {
    std::set<ino_t> files;
    std::set<std::string> names;
    each_message(copy, below, [&](const fs::path& relative, const struct stat& info) {
        files.insert(info.st_ino);
        names.insert(base_name(relative));
    });
    std::vector<fs::path> found;
    each_message(data_dir, below, [&](const fs::path& relative, const struct stat& info) {
        if (!files.contains(info.st_ino) && !names.contains(base_name(relative))) found.push_back(relative);
    });
    return found;
}

// The older program finds them in `new`, under names that it does not know, and takes them in.
Result<void> hand_over(const fs::path& undone, const fs::path& data_dir,
                       const std::vector<fs::path>& messages) {
    for (const fs::path& relative : messages) {
        fs::path folder = data_dir / relative.parent_path().parent_path();
        // A mailbox that came since, too: INBOX, then.
        if (!is_there(folder / "new")) {
            auto part = relative.begin();
            folder = data_dir / *part / *std::next(part) / "mail";
        }
        std::error_code error;
        fs::create_directories(folder / "new", error);
        const std::string name = base_name(relative) + ".since";
        if (::link((undone / relative).c_str(), (folder / "new" / name).c_str()) != 0 && errno != EEXIST)
            return file_error("link", folder / "new" / name);
    }
    return {};
}

}  // namespace

Result<std::optional<std::uint32_t>> format_of(const fs::path& data_dir) {
    if (!is_there(data_dir / kFile)) {
        std::error_code error;
        const bool used =
            is_there(data_dir / "journal" / "control") ||
            (fs::is_directory(data_dir / "accounts", error) && !fs::is_empty(data_dir / "accounts", error));
        return used ? std::optional<std::uint32_t>(1) : std::nullopt;
    }
    TRY(text, read_file(data_dir / kFile));
    constexpr std::string_view kFirst = "format ";
    const auto version = text.starts_with(kFirst)
                             ? text::parse_number<std::uint32_t>(std::string_view(text).substr(
                                   kFirst.size(), text.find('\n') - kFirst.size()))
                             : std::nullopt;
    if (!version || *version == 0)
        return permanent_error((data_dir / kFile).string() + " is damaged: its first line is `format " +
                               std::to_string(kFormat) + "` in a folder of this version");
    return std::optional(*version);
}

Result<std::optional<std::uint32_t>> settle_format(const fs::path& data_dir) {
    TRY(found, format_of(data_dir));
    if (found && *found > kFormat) {
        return permanent_error(
            data_dir.string() + " is of format " + std::to_string(*found) +
            ", and this program knows formats up to " + std::to_string(kFormat) +
            ": install the newer Mailstead again, or go back with its `mailstead rollback`");
    }
    if (found && *found == kFormat) return std::optional<std::uint32_t>();
    if (found) TRY_VOID(copy_before(data_dir, *found));
    TRY_VOID(write_format(data_dir, kFormat));
    return found;
}

Result<Rollback> plan_rollback(const fs::path& data_dir) {
    TRY(found, format_of(data_dir));
    Rollback plan;
    plan.from = found.value_or(kFormat);
    for (plan.to = plan.from - 1; plan.to > 0 && !is_there(before(data_dir, plan.to)); --plan.to) {
    }
    if (plan.to == 0)
        return permanent_error("there is no copy of an older version in " + data_dir.string() +
                               ": it is made when a newer program first starts, and may have been deleted");
    const fs::path copy = before(data_dir, plan.to);
    plan.new_messages = messages_since(data_dir, copy, "accounts").size();
    plan.new_queued = messages_since(data_dir, copy, "spool").size();
    return plan;
}

// The copy's folders take the places of the present ones, one after the other: what is not in the copy any
// more has its place already.
Result<void> roll_back(const fs::path& data_dir, const Rollback& plan) {
    const fs::path copy = before(data_dir, plan.to);
    const fs::path undone = data_dir / ("undone-" + std::to_string(plan.from));
    TRY_VOID(make_folders(undone));
    const auto since = messages_since(is_there(undone / "accounts") ? undone : data_dir,
                                      is_there(copy / "accounts") ? copy : data_dir, "accounts");
    for (const char* name : kFolders) {
        if (!is_there(copy / name)) continue;
        if (is_there(data_dir / name) && !is_there(undone / name) &&
            ::rename((data_dir / name).c_str(), (undone / name).c_str()) != 0)
            return file_error("put aside", data_dir / name);
        if (::rename((copy / name).c_str(), (data_dir / name).c_str()) != 0)
            return file_error("bring back", copy / name);
    }
    TRY_VOID(hand_over(undone, data_dir, since));
    std::error_code error;
    if (is_there(copy / kFile)) {
        fs::rename(copy / kFile, data_dir / kFile, error);
    } else {
        fs::remove(data_dir / kFile, error);
    }
    if (error) return transient_error("cannot write " + (data_dir / kFile).string() + ": " + error.message());
    TRY_VOID(flush(data_dir));
    fs::remove_all(copy, error);
    // Out of the way of the next time.
    fs::rename(undone, undone.string() + '-' + std::to_string(now().time_since_epoch() / Seconds(1)), error);
    return {};
}

}  // namespace mailstead::backup
