// Where a deleted message's file is kept. Internal to the store.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/ids.h"
#include "common/store/records.h"

namespace mailstead::store::deleted {

inline constexpr const char* kAbout = "about";

// `accounts/7/deleted`, relative to the data folder.
std::string folder_path(AccountId account);
// `accounts/7/deleted/2026-12-01`
std::string day_path(AccountId account, std::int64_t seconds);
// Where the file of an unlink task goes.
std::string file_path(AccountId account, const Task& task);

}  // namespace mailstead::store::deleted
