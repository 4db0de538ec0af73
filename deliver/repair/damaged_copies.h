// What was damaged is moved aside rather than deleted, and the newest copies are kept.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace mailstead::deliver {

// Renames the folder to <folder>.damaged-<time> and removes all but the newest such copies of it. Nothing
// happens when it is not there.
Result<void> move_aside(const std::filesystem::path& folder, Time now);

// Removes all but the newest <folder>.damaged-<time>.
void drop_old_copies(const std::filesystem::path& folder);

// When the newest of them was made.
std::optional<Time> newest_copy(const std::filesystem::path& folder);

// How many such copies lie in the data folder and in the accounts' folders.
std::size_t count_damaged_copies(const std::filesystem::path& data_dir);

}  // namespace mailstead::deliver
