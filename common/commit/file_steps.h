// Private to this folder: names for message files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/commit/file_layer.h"
#include "common/commit/participant.h"

namespace mailstead::commit {

// Gives the open file the name `to` (absolute); folders are created, an older file of that name is replaced.
// Across file systems, or where the kernel refuses hard links to it, the bytes are copied; the copy is
// flushed when the journal does not hold them (`flush_copy`).
Result<void> name_file(FileLayer& files, int fd, std::uint64_t size, const std::filesystem::path& to,
                       bool flush_copy = true);

// A second name for the file at `from`.
Result<void> name_again(FileLayer& files, const std::filesystem::path& from, const std::filesystem::path& to);

// A new unnamed file with these bytes, in the file system of `folder`.
Result<FileDescriptor> make_unnamed(FileLayer& files, const std::filesystem::path& folder,
                                    std::string_view bytes);

// The renames and removals among `steps`. What is gone already is no error; other failures leave the file
// where it is, which the index survives, and are returned as text for the log.
std::string run_after_steps(FileLayer& files, const std::filesystem::path& root,
                            const std::vector<FileStep>& steps);

}  // namespace mailstead::commit
