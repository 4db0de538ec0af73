// Copies of environments: compact ones of what this process has open, and raw ones of a snapshot that is
// pinned elsewhere.
#pragma once

#include <cstdint>
#include <string>

#include "common/kv/env.h"

namespace mailstead::kv {

// Writes the newest snapshot, without free pages, to the empty file `to`. Thread-safe; writers go on.
Result<void> copy_compact(const Env& env, int to);

// The meta pages of a data file, as they are now. Fault: not a data file of LMDB 0.9.
Result<MetaPages> read_meta_pages_of(int data_file);

// What identifies the snapshot that the meta pages name: equal bytes mean the same one, as long as the file
// was not written in between.
std::string snapshot_name(const MetaPages& pages);

// Copies the pages of the snapshot that `pages` name from a data file to an empty one, with these meta pages.
// The snapshot must be pinned by whoever writes to the file, or nobody may write. Returns how many bytes that
// were.
Result<std::uint64_t> copy_snapshot(int from, const MetaPages& pages, int to);

}  // namespace mailstead::kv
