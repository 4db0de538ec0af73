// Writes what a snapshot holds to a folder.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "common/backup/snapshot.h"

namespace mailstead::backup {

struct Restored {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    // Files that the backup no longer has as they were written. Data files of LMDB among them are left out,
    // since one with wrong pages is worse than none; others are written as they are.
    std::vector<Finding> damaged;
};

// Everything below `prefix` (`data/`) to `to`, which is made; modes, times, and for root owners by name, are
// those of the original. What lies there already with the same bytes stays, so that an interrupted call is
// continued by the next. Durable on return.
Result<Restored> restore_tree(const Snapshot& snapshot, std::string_view prefix,
                              const std::filesystem::path& to, const OnProgress& progress);

// One file, likewise. False when the backup no longer has it as it was written.
Result<bool> restore_file(const Snapshot& snapshot, const Entry& entry, const std::filesystem::path& to);

// Gives a folder the owner and mode of its original.
Result<void> dress_folder(const Entry& entry, const std::filesystem::path& folder);

}  // namespace mailstead::backup
