// What was damaged is moved aside rather than deleted, and the newest copies are kept.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace mailstead::deliver {

// Moves the files of the environment in `folder` into `folder`/damaged-<time>, and removes all but the newest
// such copies. Nothing happens when there are none.
Result<void> move_aside(const std::filesystem::path& folder, Time now);

// When the newest of them was made.
std::optional<Time> newest_copy(const std::filesystem::path& folder);

// How many such copies there are of all environments below the data folder.
std::size_t count_damaged_copies(const std::filesystem::path& data_dir);

}  // namespace mailstead::deliver
