// Which environment killed the process: a data file that is cut short under its map is a SIGBUS, one whose
// pages lie is a SIGSEGV or a failed assertion of LMDB's. The signal is left to do what it does; a line is
// written first.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace mailstead::kv {

struct FaultRecord {
    Time at{};
    int signal = 0;
    // True: the address lay in the environment's map, or LMDB itself gave up. False: it was the one that the
    // thread had used last.
    bool is_certain = false;
    std::filesystem::path directory;  // of the environment
};

// From now on faults of this process are written to `record_file`, which is created. Once per process, before
// the sandbox closes and other threads begin.
Result<void> guard_faults(const std::filesystem::path& record_file);

// What processes before this one wrote there. Empty when there is no such file.
std::vector<FaultRecord> read_faults(const std::filesystem::path& record_file);
// Leaves these alone in the file.
Result<void> write_faults(const std::filesystem::path& record_file, const std::vector<FaultRecord>& faults);

}  // namespace mailstead::kv
