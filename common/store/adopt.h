// Reading files that other programs wrote. Internal to the store.
#pragma once

#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/commit/file_layer.h"
#include "common/store/change.h"

namespace mailstead::store {

inline constexpr std::uint64_t kMaxForeignFile = 512u << 20;  // bytes

struct ForeignFile {
    std::string bytes;
    Time modified;
};
// nullopt for what is no readable file of a message.
std::optional<ForeignFile> read_foreign_file(commit::FileLayer& files, const std::string& path);

// The file with CRLF line ends, in place, its modification time kept: what IMAP sends and what offsets count.
Outcome<void> make_crlf(commit::FileLayer& files, const std::string& path, ForeignFile& file);

// All that the index needs of it; converts the file when it has bare LFs. Fault::non_existent: nothing to
// take.
Outcome<NewMessage> take_foreign_file(commit::FileLayer& files, const std::string& path);

}  // namespace mailstead::store
