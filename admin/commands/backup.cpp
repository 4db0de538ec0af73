// `mailstead backup`.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <set>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/hold_link.h"
#include "admin/output.h"
#include "admin/progress.h"
#include "admin/workspace.h"
#include "common/backup/files.h"
#include "common/backup/writer.h"
#include "common/base/text.h"
#include "common/kv/copy.h"

namespace mailstead::admin {
namespace {

constexpr const char* kDataFile = "data.mdb";

Failure stopped() {
    return Failure(EX_TEMPFAIL, "interrupted: the next backup to the same place goes on from here");
}

// Copies the data folder while deliver works in it. Below it no link is followed: whoever else may write
// there decides nothing about what is read.
class Copy {
public:
    Copy(int root, HoldLink& hold, backup::Writer& writer, const timespec& boundary, ProgressLine& line)
        : root_(root), hold_(hold), writer_(writer), boundary_(boundary), line_(line) {}

    // Indexes first: while they are held, their files grow.
    Outcome<> environments();
    Outcome<> directory(const std::string& name, int copy);
    Outcome<> messages();
    // A single file that may not be there.
    Outcome<> file_if_there(const std::string& name);
    // What was no file and no folder, and stays behind.
    const std::vector<std::string>& passed_over() const { return passed_over_; }
    const std::vector<std::string>& without_index() const { return without_index_; }

private:
    Outcome<struct stat> folder(const std::string& name);
    Outcome<std::vector<std::string>> names_in(const std::string& name);
    Outcome<> environment(const std::string& key, const std::string& name);
    Outcome<> tree(const std::string& name);
    Outcome<> file(const std::string& name);
    Outcome<> tell();

    int root_;
    HoldLink& hold_;
    backup::Writer& writer_;
    timespec boundary_;
    ProgressLine& line_;
    std::vector<std::string> passed_over_;
    std::vector<std::string> without_index_;
};

Outcome<> Copy::tell() {
    line_.show(writer_.counts().files, 0, writer_.counts().bytes);
    if (ProgressLine::was_interrupted()) return stopped();
    return hold_.still_here();
}

Outcome<struct stat> Copy::folder(const std::string& name) {
    TRY(opened, backup::open_below(root_, name, O_RDONLY | O_DIRECTORY));
    struct stat info {};
    if (::fstat(opened.get(), &info) != 0) return Failure(backup::file_error("read", name));
    TRY_VOID(writer_.add_folder(name == "." ? "data" : "data/" + name, info));
    return info;
}

Outcome<std::vector<std::string>> Copy::names_in(const std::string& name) {
    std::vector<std::string> names;
    TRY(opened, backup::open_below(root_, name, O_RDONLY | O_DIRECTORY));
    TRY_VOID(backup::list(opened.get(), [&](const std::string& each) {
        names.push_back(each);
        return true;
    }));
    std::sort(names.begin(), names.end());
    return names;
}

Outcome<> Copy::environment(const std::string& key, const std::string& name) {
    TRY_VOID(folder(name));
    const std::string path = name + '/' + kDataFile;
    TRY(held, hold_.pages(key));
    const auto opened = backup::open_below(root_, path, O_RDONLY);
    if (!opened) {
        // An account that never had mail has none.
        if (!held) return {};
        return Failure(opened.error());
    }
    struct stat info {};
    if (::fstat(opened->get(), &info) != 0) return Failure(backup::file_error("read", path));
    if (!held) {
        // As it lies, unless somebody opens it meanwhile: then it is pinned as it was before, which are the
        // pages that are read here.
        const auto pages = kv::read_meta_pages_of(opened->get());
        if (!pages) {
            without_index_.push_back(name);
            return {};
        }
        held = *pages;
    }
    TRY_VOID(writer_.add_environment("data/" + path, opened->get(), info, *held));
    TRY(now_held, hold_.pages(key));
    if (now_held && kv::snapshot_name(*now_held) != kv::snapshot_name(*held))
        return Failure(EX_TEMPFAIL, path + " was opened at the very moment of its copying: try again");
    return tell();
}

Outcome<> Copy::environments() {
    for (const char* name : {".", "run", "journal", "accounts"}) TRY_VOID(folder(name));
    for (const char* name : {"queue", "ledger", "shares"}) TRY_VOID(environment(name, name));
    TRY(accounts, names_in("accounts"));
    for (const std::string& account : accounts) {
        if (!text::parse_number<std::uint32_t>(account)) continue;
        TRY_VOID(folder("accounts/" + account));
        struct stat info {};
        const std::string index = "accounts/" + account + "/index";
        if (::fstatat(root_, index.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(info.st_mode))
            continue;
        TRY_VOID(environment("account/" + account, index));
    }
    return hold_.unpin();
}

Outcome<> Copy::directory(const std::string& name, int copy) {
    TRY_VOID(folder(name));
    const std::string path = name + '/' + kDataFile;
    TRY(original, backup::open_below(root_, path, O_RDONLY));
    struct stat info {};
    if (::fstat(original.get(), &info) != 0) return Failure(backup::file_error("read", path));
    TRY_VOID(writer_.add_file("data/" + path, copy, info, name));
    return {};
}

Outcome<> Copy::file(const std::string& name) {
    auto opened = backup::open_below(root_, name, O_RDONLY);
    struct stat info {};
    if (!opened) {
        // Lists beside the mail are written anew now and then.
        if (::fstatat(root_, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) return {};
        return Failure(opened.error());
    }
    if (::fstat(opened->get(), &info) != 0) return Failure(backup::file_error("read", name));
    // What came after the boundary is no part of this snapshot.
    const bool later = info.st_ctim.tv_sec > boundary_.tv_sec ||
                       (info.st_ctim.tv_sec == boundary_.tv_sec && info.st_ctim.tv_nsec > boundary_.tv_nsec);
    const bool is_message = name.starts_with("spool/") || name.find("/cur/") != std::string::npos ||
                            name.find("/new/") != std::string::npos;
    if (later && is_message) return {};
    TRY_VOID(writer_.add_file("data/" + name, opened->get(), info, {}));
    return tell();
}

Outcome<> Copy::file_if_there(const std::string& name) {
    struct stat info {};
    if (::fstatat(root_, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return {};
    TRY(opened, backup::open_below(root_, name, O_RDONLY));
    TRY_VOID(writer_.add_file("data/" + name, opened.get(), info, name));
    return {};
}

Outcome<> Copy::tree(const std::string& name) {
    TRY_VOID(folder(name));
    TRY(names, names_in(name));
    for (const std::string& each : names) {
        const std::string path = name + '/' + each;
        struct stat info {};
        if (::fstatat(root_, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) continue;
            return Failure(backup::file_error("read", path));
        }
        if (S_ISDIR(info.st_mode)) {
            TRY_VOID(tree(path));
        } else if (S_ISREG(info.st_mode)) {
            // Names of large files until the next checkpoint.
            if (name == "spool" && each.starts_with("large-")) continue;
            TRY_VOID(file(path));
        } else {
            passed_over_.push_back(path);
        }
    }
    return {};
}

Outcome<> Copy::messages() {
    TRY_VOID(tree("spool"));
    TRY(accounts, names_in("accounts"));
    for (const std::string& account : accounts) {
        if (!text::parse_number<std::uint32_t>(account)) continue;
        TRY(names, names_in("accounts/" + account));
        for (const std::string& name : names) {
            // The index is copied; what was put aside, and what is made anew, is not worth it.
            if (name.starts_with("index") || name.starts_with("fulltext")) continue;
            const std::string path = "accounts/" + account + '/' + name;
            struct stat info {};
            if (::fstatat(root_, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
            if (S_ISDIR(info.st_mode)) {
                TRY_VOID(tree(path));
            } else if (S_ISREG(info.st_mode)) {
                TRY_VOID(file(path));
            }
        }
    }
    return {};
}

// The configuration file and what it names.
std::vector<std::filesystem::path> configuration_files(const settings::Settings& settings,
                                                       const std::filesystem::path& file) {
    std::vector<std::filesystem::path> files = {file};
    for (const settings::CertificatePaths& each : settings.tls.certificates) {
        files.push_back(each.certificate);
        files.push_back(each.key);
    }
    files.push_back(settings.relay.ca_file);
    if (settings.relay.smarthost) files.push_back(settings.relay.smarthost->password_file);
    for (const settings::Route& route : settings.relay.routes) {
        if (route.smarthost) files.push_back(route.smarthost->password_file);
    }
    files.push_back(settings.oauth.client_secret_file);
    files.push_back(settings.oauth.ca_file);
    return files;
}

// Those that cannot be read are told of: a restore would miss them.
Outcome<std::vector<std::string>> copy_configuration(const settings::Settings& settings,
                                                     const std::filesystem::path& settings_file,
                                                     backup::Writer& writer) {
    std::vector<std::string> missing;
    std::set<std::filesystem::path> done;
    struct stat folder {};
    folder.st_mode = 0700;
    folder.st_uid = ::geteuid();
    folder.st_gid = ::getegid();
    TRY_VOID(writer.add_folder("config", folder));
    for (const auto& path : configuration_files(settings, settings_file)) {
        if (path.empty() || !done.insert(path).second) continue;
        const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        struct stat info {};
        if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
            missing.push_back(path.string());
            continue;
        }
        TRY_VOID(
            writer.add_file("config/" + std::to_string(done.size() - 1), file.get(), info, path.string()));
    }
    return missing;
}

Outcome<FileDescriptor> memory_file(const char* name) {
    FileDescriptor file(::memfd_create(name, MFD_CLOEXEC));
    if (!file) return Failure(backup::file_error("make a file in memory for", name));
    return file;
}

Outcome<> run_backup(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    std::size_t keep = 0;
    if (arguments.has("--keep")) {
        const auto number = text::parse_number<std::uint32_t>(arguments.one("--keep"));
        if (!number || *number == 0)
            return Failure(EX_DATAERR, "--keep is how many snapshots stay: 1 or more");
        keep = *number;
    }
    TRY(settings, load_settings(arguments));
    const std::filesystem::path to = std::filesystem::absolute(arguments.one("TO"));
    const FileDescriptor root(::open(settings.data_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) return Failure(EX_NOPERM, backup::file_error("open", settings.data_dir).what);
    TRY(directory, memory_file("directory"));
    TRY(credentials, memory_file("credentials"));
    ProgressLine line("backup");
    TRY(hold, HoldLink::begin(settings, directory.get(), credentials.get()));
    struct stat boundary {};
    if (::fstat(credentials.get(), &boundary) != 0) return Failure(backup::file_error("read", "credentials"));

    const std::filesystem::path settings_file = std::filesystem::absolute(arguments.settings_file);
    const backup::Header header{to_rfc3339(now()), hold->batch(), settings.data_dir.string(),
                                settings_file.string()};
    TRY(writer, backup::Writer::begin(to, header));
    if (writer->continues()) print("An interrupted backup is continued\n");
    Copy copy(root.get(), *hold, *writer, boundary.st_mtim, line);
    TRY_VOID(copy.environments());
    TRY_VOID(copy.directory("directory", directory.get()));
    TRY_VOID(copy.directory("credentials", credentials.get()));
    TRY(missing, copy_configuration(settings, settings_file, *writer));
    TRY_VOID(copy.file_if_there("format"));
    TRY_VOID(copy.messages());
    const backup::Writer::Counts counts = writer->counts();
    TRY(folder, writer->finish());
    std::size_t removed = 0;
    if (keep != 0) {
        TRY(pruned, backup::prune(to, keep));
        removed = pruned;
    }
    print_record({{"snapshot", folder.string()},
                  {"files", counts.files},
                  {"bytes", counts.bytes},
                  {"new_files", counts.copied_files},
                  {"new_bytes", counts.copied_bytes},
                  {"removed_snapshots", std::uint64_t{removed}},
                  {"not_readable", missing},
                  {"no_files", copy.passed_over()},
                  {"damaged_indexes", copy.without_index()}},
                 format);
    return {};
}

}  // namespace

CommandGroup backup_commands() {
    return {
        "",
        "",
        {{"backup",
          "Copy everything to a folder, beside the running daemons; what did not change is not copied again",
          {{"TO", Takes::one, "The folder, on another disk if it can be"},
           {"--keep", Takes::option, "Remove all snapshots there but so many"},
           kFormat},
          &run_backup,
          As::caller}}};
}

}  // namespace mailstead::admin
