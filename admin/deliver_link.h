// What the CLI asks of the running deliver, over its socket.
#pragma once

#include <cstdint>
#include <vector>

#include "admin/failure.h"
#include "common/base/file_descriptor.h"
#include "common/ipc/hold_messages.h"
#include "common/ipc/messages.h"
#include "common/ipc/session_messages.h"
#include "common/settings/settings.h"
#include "common/store/change.h"

namespace mailstead::admin {

// EX_UNAVAILABLE when deliver does not run.
Outcome<ipc::StatusAnswer> ask_status(const settings::Settings& settings);
// How many entries the command touched.
Outcome<std::uint64_t> command_queue(const settings::Settings& settings, const ipc::QueueCommand& command);
// Everybody who is logged in, or those of one account (not zero).
Outcome<ipc::WhoAnswer> ask_who(const settings::Settings& settings, AccountId account);
// EX_TEMPFAIL when not all of the daemons answered.
Outcome<std::uint64_t> kick(const settings::Settings& settings, const ipc::SessionSelector& which);
// Ends the sessions whose login does not hold any more after a change of this account, and says how many
// those are. Says nothing when deliver does not run: the sessions end when it is back.
void end_revoked_sessions(const settings::Settings& settings, AccountId account);
// Lets deliver close what it has open of a removed account. Does nothing when deliver does not run.
Outcome<> announce_removal(const settings::Settings& settings, AccountId account);

// Gives back what the account expunged (ipc::UndeleteMessages), a bounded number of messages at once.
Outcome<ipc::UndeleteAnswer> undelete_messages(const settings::Settings& settings,
                                               const ipc::UndeleteMessages& what);

// One change of an account, with the files of its messages. EX_CANTCREAT: what it makes is there already.
Outcome<> apply_change(const settings::Settings& settings, AccountId account, const store::Change& change,
                       std::vector<FileDescriptor> files);

}  // namespace mailstead::admin
