// Which versions of its formats a data folder is written in: data/format, text. A newer program takes a copy
// of what it is about to change before it does, and can be taken back to it; an older one keeps its hands
// off.
//
//   format 2
//   journal 2
//   ...
//
// A folder without the file is of format 1. Blocking; by whoever owns the data folder, before anything else
// in it is opened.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace mailstead::backup {

// 1: no data/format, no lists beside the mail, the journal's recovery trusted the boot id.
// 2: with them; kept deleted messages; removed accounts in the directory; the journal says whether it was
// closed.
inline constexpr std::uint32_t kFormat = 2;

// nullopt: a folder that nobody has used yet. An error when the file cannot be read.
Result<std::optional<std::uint32_t>> format_of(const std::filesystem::path& data_dir);

// Makes sure that this program may work in the folder. A folder of an older format is copied to
// before-<version>/ first: message files as links, all else byte by byte. Killed at any point it begins anew.
// Returns the version that was found when it was an older one. A permanent error with a sentence when the
// folder is of a newer format.
Result<std::optional<std::uint32_t>> settle_format(const std::filesystem::path& data_dir);

// What going back would cost, and where to.
struct Rollback {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    std::uint64_t new_messages =
        0;                         // in mailboxes; they are kept: the older program takes them in as new ones
    std::uint64_t new_queued = 0;  // on their way out; they are lost
};
// An error when there is nothing to go back to.
Result<Rollback> plan_rollback(const std::filesystem::path& data_dir);

// Goes back. What was there is kept in undone-<version>-<time>/ and may be deleted when all is well. Message files
// that came since are given to the older program. Killed at any point it is called again.
Result<void> roll_back(const std::filesystem::path& data_dir, const Rollback& plan);

}  // namespace mailstead::backup
