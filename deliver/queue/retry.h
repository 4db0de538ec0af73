// When to try again.
#pragma once

#include <cstdint>

#include "common/base/clock.h"

namespace mailstead::deliver {

// The wait after the `attempts`-th failure (1 or more): 2 minutes, doubling up to 4 hours (RFC 5321, 4.5.4.1
// asks for retries twice in the first hour and for 4-5 days in all; a greylisting host wants to be asked
// again after 5 minutes). `chance` in [0, 1) spreads it by a fifth to either side, so that a thousand
// messages to one host that was down do not come back at once.
Seconds retry_delay(std::uint32_t attempts, double chance);

}  // namespace mailstead::deliver
