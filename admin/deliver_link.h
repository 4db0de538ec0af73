// What the CLI asks of the running deliver, over its socket.
#pragma once

#include <cstdint>

#include "admin/failure.h"
#include "common/ipc/messages.h"
#include "common/settings/settings.h"

namespace mailstead::admin {

// EX_UNAVAILABLE when deliver does not run.
Outcome<ipc::StatusAnswer> ask_status(const settings::Settings& settings);
// How many entries the command touched.
Outcome<std::uint64_t> command_queue(const settings::Settings& settings, const ipc::QueueCommand& command);
// Lets deliver close what it has open of a removed account. Does nothing when deliver does not run.
Outcome<> announce_removal(const settings::Settings& settings, AccountId account);

}  // namespace mailstead::admin
