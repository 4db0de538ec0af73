// What deliver wants from the system, and nothing else stays open to it.
#pragma once

#include <optional>

#include "common/base/result.h"
#include "common/runtime/plan.h"
#include "common/settings/settings.h"

namespace mailstead::deliver {

// The daemons' users, where they are different ones. Started by somebody else than the owner or root, all is
// one user's: nullopt. An error, permanent: a user in the settings does not exist.
Result<std::optional<runtime::Users>> users_of(const settings::Settings& settings);

// The same errors.
Result<runtime::Plan> plan_of(const settings::Settings& settings, const std::optional<runtime::Users>& users);

}  // namespace mailstead::deliver
