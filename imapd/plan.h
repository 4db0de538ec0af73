// What imapd wants from the system, and nothing else stays open to it.
#pragma once

#include "common/base/result.h"
#include "common/runtime/plan.h"
#include "common/settings/settings.h"

namespace mailstead::imapd {

// An error, permanent: an address or a user in the settings is none.
Result<runtime::Plan> plan_of(const settings::Settings& settings);

}  // namespace mailstead::imapd
