// The seccomp part of the sandbox. Private to common/runtime.
#pragma once

#include "common/base/result.h"
#include "common/runtime/sandbox.h"

namespace mailstead::runtime {

// Whether the filter is in force; false where the kernel has none.
Result<bool> filter_system_calls(const Sandbox& sandbox);

}  // namespace mailstead::runtime
