// A backup folder and the snapshots in it.
//
//   TO/lock
//   TO/snapshots/2026-12-01T03-00-00.000Z/manifest
//                                         data/...     as the data folder is laid out
//                                         config/0     the configuration file, and what it names
//   TO/unfinished/                        of a backup under way, or one that was interrupted
//
// Each snapshot is whole by itself: what did not change is the same file (hard links). Blocking; one thread.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/backup/manifest.h"
#include "common/base/result.h"

namespace mailstead::backup {

// Told after each file; false: stop.
struct Progress {
    std::uint64_t files = 0;  // done
    std::uint64_t of = 0;     // 0: not known
    std::uint64_t bytes = 0;  // read or written
};
using OnProgress = std::function<bool(const Progress&)>;

struct Snapshot {
    std::filesystem::path folder;
    std::string name;  // of its folder
    Header header;
    std::vector<Entry> entries;

    const Entry* find(std::string_view path) const;
};

// The names of the snapshots in a backup folder, oldest first.
Result<std::vector<std::string>> snapshots(const std::filesystem::path& backup);

// The newest one, or with `at` the newest whose name does not come after it (a time, as much of it as wanted:
// `2026-12-01`, `2026-12-01T03:00`). An error says that there is none, or that its manifest is damaged.
Result<Snapshot> open_snapshot(const std::filesystem::path& backup, std::string_view at);

struct Finding {
    std::string path;
    std::string what;  // `is missing`, `differs from what was written`
};
// Reads every file of the snapshot. An error when it was stopped.
Result<std::vector<Finding>> check(const Snapshot& snapshot, const OnProgress& progress);

// `2026-12-01T03:00:00.000Z` as the name of a folder.
std::string snapshot_name(std::string_view time);

}  // namespace mailstead::backup
