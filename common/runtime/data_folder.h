// What lies at the top of the data folder, and whose it is.
//
// The owner (deliver's user) owns everything. A folder's group and mode decide who gets in; below it
// everything is readable for the folder's group, and LMDB's lock files are writable for it, since readers
// announce themselves there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "common/base/result.h"
#include "common/runtime/identity.h"

namespace mailstead::runtime {

// Makes the folders that are missing and brings groups and modes in line. With `users` nullopt, all is
// private to one user, and what exists is left as it is. Acts with the rights of the process alone, which has
// to be the owner's, and follows no links. A folder of an account is gone through once: its own mode, set
// last, says that it is done; an interrupted run goes on where it was. What belongs to somebody else is left
// alone and logged (`data.foreign`), except lock files that LMDB makes anew. Errors, permanent: the data
// folder, or one of its own folders, is missing, no folder, a link, or another user's.
Result<void> arrange_data_folder(const std::filesystem::path& data_dir, const std::optional<Users>& users);

}  // namespace mailstead::runtime
