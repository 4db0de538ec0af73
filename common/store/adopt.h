// Reading files that other programs wrote. Internal to the store.
#pragma once

#include <cstdint>
#include <string>

#include "common/commit/file_layer.h"
#include "common/store/change.h"

namespace mailstead::store {

inline constexpr std::uint64_t kMaxForeignFile = 512u << 20;  // bytes
// Larger ones are copied first, piece by piece, and looked at in the copy: memory stays bounded, and nobody
// can cut the file while it is mapped.
inline constexpr std::uint64_t kForeignFileInMemory = 1u << 20;  // bytes

// All that the index needs of the file `path` below the Maildir `mail` (an open folder). A file with bare LFs
// becomes one with CRLFs, in place, its modification time kept: what IMAP sends and what offsets count.
// Fault::non_existent: nothing to take; no link is followed on the way.
Outcome<NewMessage> take_foreign_file(commit::FileLayer& files, int mail, const std::string& path);

}  // namespace mailstead::store
