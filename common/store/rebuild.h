// A lost or damaged index made anew from the Maildir files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/store/failure.h"

namespace mailstead::store {

struct RebuildReport {
    std::uint64_t mailboxes = 0;
    std::uint64_t messages = 0;
    std::uint64_t skipped = 0;        // files that could not be read
    std::filesystem::path old_index;  // where the damaged one lies now; empty when there was none
};

// Reads <root>/accounts/<id>/mail and writes <root>/accounts/<id>/index: flags from names, dates from names
// or modification times, new UIDVALIDITYs and EMAILIDs, special uses from the folders' names, everything
// subscribed. Keywords, annotations, access lists and quota limits are lost. Files take their new names as
// the follower gets to them. The old index is kept beside, renamed. The engine must not have the account open
// (Engine::drop first, or deliver not running), and readers must close it.
Outcome<RebuildReport> rebuild_index(const std::filesystem::path& root, AccountId account, Time now);

}  // namespace mailstead::store
