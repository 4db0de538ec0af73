// Names within a backup folder. Internal to common/backup.
#pragma once

#include <filesystem>
#include <string>

#include "common/base/result.h"

namespace mailstead::backup {

inline constexpr const char* kSnapshots = "snapshots";
inline constexpr const char* kUnfinished = "unfinished";
inline constexpr const char* kManifest = "manifest";

Result<std::string> read_file(const std::filesystem::path& path);

}  // namespace mailstead::backup
