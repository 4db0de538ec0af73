// `mailstead restore`: a whole installation from a backup; single accounts are in restore_account.cpp.
#include "common/backup/restore.h"

#include <cstring>
#include <dirent.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/commands/restore_account.h"
#include "admin/output.h"
#include "admin/progress.h"
#include "common/base/text.h"
#include "common/commit/engine.h"
#include "common/store/rebuild.h"

namespace mailstead::admin {
namespace {

using backup::Entry;
using backup::Snapshot;

Outcome<> list_snapshots(const std::filesystem::path& from, Format format) {
    TRY(names, backup::snapshots(from));
    std::vector<std::vector<Cell>> rows;
    for (const std::string& name : names) {
        const auto snapshot = backup::open_snapshot(from, name);
        if (!snapshot) {
            rows.push_back({name, Cell(), Cell(), snapshot.error().what});
            continue;
        }
        std::uint64_t files = 0;
        std::uint64_t bytes = 0;
        for (const Entry& entry : snapshot->entries) {
            if (!entry.is_folder) ++files;
            bytes += entry.size;
        }
        rows.push_back({snapshot->header.time, files, bytes, Cell()});
    }
    print_rows({"time", "files", "bytes", "problem"}, rows, format, "no snapshots");
    return {};
}

Outcome<> check_snapshot(const Snapshot& snapshot, Format format) {
    std::vector<backup::Finding> findings;
    {
        ProgressLine line("check");
        TRY(found, backup::check(snapshot, [&](const backup::Progress& done) {
                line.show(done.files, done.of, done.bytes);
                return !ProgressLine::was_interrupted();
            }));
        findings = std::move(found);
    }
    std::vector<std::vector<Cell>> rows;
    for (const backup::Finding& finding : findings) rows.push_back({finding.path, finding.what});
    print_rows({"file", "problem"}, rows, format, "the snapshot is whole");
    if (findings.empty()) return {};
    return Failure(EX_DATAERR, std::to_string(findings.size()) + " files of " + snapshot.folder.string() +
                                   " are not as they were written");
}

bool is_empty_or_missing(const std::filesystem::path& folder) {
    std::error_code error;
    if (!std::filesystem::exists(std::filesystem::symlink_status(folder, error))) return true;
    return std::filesystem::is_directory(folder, error) && std::filesystem::is_empty(folder, error);
}

// Where a file of the configuration goes: where it was, or below `to` as it lay around the settings file.
std::filesystem::path place_of(const Snapshot& snapshot, const std::filesystem::path& original,
                               const std::string& to) {
    if (to.empty()) return original;
    const auto relative =
        original.lexically_relative(std::filesystem::path(snapshot.header.config).parent_path());
    const bool below = !relative.empty() && relative.begin()->string() != "..";
    return std::filesystem::path(to) / (below ? relative : original.filename());
}

std::filesystem::path data_place(const Snapshot& snapshot, const std::string& to) {
    const std::filesystem::path original = snapshot.header.data;
    if (to.empty()) return original;
    const auto relative =
        original.lexically_relative(std::filesystem::path(snapshot.header.config).parent_path());
    const bool below = !relative.empty() && relative.begin()->string() != "..";
    return std::filesystem::path(to) / (below ? relative : "data");
}

// What is there already stays: a new machine may have its own.
Outcome<std::vector<std::string>> restore_configuration(const Snapshot& snapshot, const std::string& to) {
    std::vector<std::string> kept;
    for (const Entry& entry : snapshot.entries) {
        if (!entry.path.starts_with("config/") || entry.is_folder) continue;
        const std::filesystem::path place = place_of(snapshot, entry.origin, to);
        std::error_code error;
        if (std::filesystem::exists(place, error)) {
            kept.push_back(place.string());
            continue;
        }
        std::filesystem::create_directories(place.parent_path(), error);
        TRY(whole, backup::restore_file(snapshot, entry, place));
        if (!whole) return Failure(EX_DATAERR, place.string() + " is damaged in the backup");
    }
    return kept;
}

// A journal whose numbers go on where the snapshot ended, for the user of the daemons.
Outcome<> begin_journal(const Snapshot& snapshot, const std::filesystem::path& data) {
    std::error_code error;
    if (std::filesystem::exists(data / "journal" / "control", error)) return {};
    TRY_VOID(commit::begin_journal(data, snapshot.header.batch));
    struct stat owner {};
    if (::geteuid() != 0 || ::stat((data / "journal").c_str(), &owner) != 0) return {};
    for (const auto& entry : std::filesystem::directory_iterator(data / "journal", error)) {
        if (::lchown(entry.path().c_str(), owner.st_uid, owner.st_gid) != 0)
            return Failure(EX_IOERR,
                           "cannot give away " + entry.path().string() + ": " + std::strerror(errno));
    }
    return {};
}

// Accounts whose index the backup no longer has: made anew from their mail.
Outcome<std::vector<std::string>> rebuild_missing(const backup::Restored& restored,
                                                  const std::filesystem::path& data) {
    std::vector<std::string> rebuilt;
    for (const backup::Finding& finding : restored.damaged) {
        constexpr std::string_view kBefore = "data/accounts/";
        constexpr std::string_view kAfter = "/index/data.mdb";
        if (!finding.path.starts_with(kBefore) || !finding.path.ends_with(kAfter)) continue;
        const std::string number =
            finding.path.substr(kBefore.size(), finding.path.size() - kBefore.size() - kAfter.size());
        const auto id = text::parse_number<std::uint32_t>(number);
        if (!id) continue;
        const auto report = store::rebuild_index(data, AccountId(*id), now());
        if (!report) return Failure(EX_DATAERR, "account " + number + ": " + report.error().what);
        rebuilt.push_back(number);
    }
    return rebuilt;
}

Outcome<> restore_all(const Snapshot& snapshot, const std::string& to, Format format) {
    const std::filesystem::path data = data_place(snapshot, to);
    if (!is_empty_or_missing(data))
        return Failure(EX_CANTCREAT, data.string() + " is there already: a whole restore wants none. " +
                                         "`--account ADDRESS` restores into a running installation, `--to " +
                                         "FOLDER` to another place");
    const std::filesystem::path unfinished = data.string() + ".restoring";
    backup::Restored restored;
    {
        ProgressLine line("restore");
        TRY(done, backup::restore_tree(snapshot, "data/", unfinished, [&](const backup::Progress& progress) {
                line.show(progress.files, progress.of, progress.bytes);
                return !ProgressLine::was_interrupted();
            }));
        restored = std::move(done);
    }
    const Entry* folder = snapshot.find("data");
    if (folder != nullptr) TRY_VOID(backup::dress_folder(*folder, unfinished));
    TRY(rebuilt, rebuild_missing(restored, unfinished));
    TRY_VOID(begin_journal(snapshot, unfinished));
    TRY(kept, restore_configuration(snapshot, to));
    std::error_code error;
    std::filesystem::create_directories(data.parent_path(), error);
    ::rmdir(data.c_str());
    if (::rename(unfinished.c_str(), data.c_str()) != 0)
        return Failure(EX_CANTCREAT, "cannot name " + data.string() + ": " + std::strerror(errno));
    std::vector<std::string> damaged;
    for (const backup::Finding& finding : restored.damaged) damaged.push_back(finding.path);
    print_record({{"snapshot", snapshot.folder.string()},
                  {"data", data.string()},
                  {"config", place_of(snapshot, snapshot.header.config, to).string()},
                  {"files", restored.files},
                  {"bytes", restored.bytes},
                  {"kept_as_they_were", kept},
                  {"damaged_in_the_backup", damaged},
                  {"rebuilt_accounts", rebuilt}},
                 format);
    if (damaged.empty()) return {};
    return Failure(EX_DATAERR, "the rest is restored, but the backup is damaged");
}

Outcome<> run_restore(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    const std::filesystem::path from = std::filesystem::absolute(arguments.one("FROM"));
    if (arguments.has("--list")) return list_snapshots(from, format);
    TRY(snapshot, backup::open_snapshot(from, arguments.one("--at")));
    if (arguments.has("--check")) return check_snapshot(snapshot, format);
    if (arguments.has("--account")) return restore_account(snapshot, arguments, format);
    for (const char* option : {"--mailbox", "--into"}) {
        if (arguments.has(option)) return Failure(EX_USAGE, std::string(option) + " belongs to --account");
    }
    std::string to = arguments.one("--to");
    if (!to.empty()) to = std::filesystem::absolute(to).lexically_normal().string();
    return restore_all(snapshot, to, format);
}

}  // namespace

CommandGroup restore_commands() {
    return {"",
            "",
            {{"restore",
              "Bring back a whole installation from a backup, or an account into the running one",
              {{"FROM", Takes::one, "The folder that `backup` wrote to"},
               {"--list", Takes::flag, "Show its snapshots"},
               {"--check", Takes::flag, "Read all of the snapshot, and compare"},
               {"--at", Takes::option, "The newest snapshot not after this: 2026-12-01, 2026-12-01T03:00"},
               {"--to", Takes::option, "A folder for all of it, configuration included"},
               {"--account", Takes::option, "Bring back what this account no longer has"},
               {"--mailbox", Takes::options, "Only this mailbox of it"},
               {"--into", Takes::option, "The account that takes it, if not the same"},
               kFormat},
              &run_restore,
              As::caller}}};
}

}  // namespace mailstead::admin
