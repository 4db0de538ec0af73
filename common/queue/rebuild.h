// A damaged queue made anew from the files beside its messages.
#pragma once

#include <cstddef>
#include <filesystem>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace mailstead::queue {

struct RebuildReport {
    std::size_t entries = 0;
    std::size_t damaged = 0;  // files of entries that could not be read; they were left where they are
    std::filesystem::path old_queue;  // where the damaged one lies now; empty when there was none
};

// Reads `data_dir`/spool and writes `data_dir`/queue as it stood at the last checkpoint; the old one is kept
// in damaged-<time> within it. What came later is in the journal: Engine::readmit() applies it. The engine
// must not have the queue open, and readers of this process must close it.
Result<RebuildReport> rebuild_queue(const std::filesystem::path& data_dir, Time now);

}  // namespace mailstead::queue
