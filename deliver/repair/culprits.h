// What the last runs of deliver died of.
#pragma once

#include <filesystem>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace mailstead::deliver {

// From now on faults are written down (kv::guard_faults). Environments that killed a process before are moved
// aside, so that the engine misses and the repairer remakes them: at once when the data file was cut short or
// could not be read, otherwise for the second time. One that was remade within a day is left alone: it is not
// what is wrong. Before Engine::start(), and before the sandbox closes.
Result<void> settle_faults(const std::filesystem::path& data_dir, Time now);

}  // namespace mailstead::deliver
