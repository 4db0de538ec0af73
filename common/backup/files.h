// Files and folders without following links, and their checksums. Internal to common/backup, and for who
// walks the data folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <sys/stat.h>

#include "common/base/file_descriptor.h"
#include "common/base/result.h"

namespace mailstead::backup {

// `cannot <doing> <path>: <errno>`
Error file_error(const char* doing, const std::filesystem::path& path);

// Below `folder`, through no link: what others put there leads nowhere else. `name` is one component or more.
Result<FileDescriptor> open_below(int folder, const std::filesystem::path& name, int flags);

// Each entry of an open folder but "." and "..", in no order. False ends it.
Result<void> list(int folder, const std::function<bool(const std::string& name)>& visit);

// BLAKE2b with 32 bytes, in hexadecimal.
class Checksum {
public:
    Checksum();
    void add(std::string_view bytes);
    std::string finish();

private:
    alignas(64) unsigned char state_[384];
};

// Copies all of `from` and returns its checksum. With `to` -1: reads only.
Result<std::string> copy_bytes(int from, int to, std::uint64_t& size);

Result<void> make_folders(const std::filesystem::path& folder);
std::int64_t modified_of(const struct stat& info);  // nanoseconds
std::string user_name(uid_t user);
std::string group_name(gid_t group);

}  // namespace mailstead::backup
