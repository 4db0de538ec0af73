// Looking at many messages without keeping others waiting.
#pragma once

#include "common/net/task.h"
#include "common/store/store.h"
#include "imapd/commands/mailbox_search.h"

namespace mailstead::imapd::commands {

enum class WalkNeeds : std::uint8_t { index, cache };

// The record is null for WalkNeeds::index; otherwise it is there, read from the message itself where the
// index has none.
using MessageVisitor = store::FunctionRef<void(const store::MessageInfo&, const store::CachedMessage*)>;

// Visits those of `uids` that exist, in rising order, in slices of time, each under its own snapshot. `visit`
// outlives the call. Ends early when the session is asked to stop.
net::Task<store::Outcome<void>> walk_messages(Session& session, SearchScope scope, store::UidSet uids,
                                              WalkNeeds needs, MessageVisitor visit);

}  // namespace mailstead::imapd::commands
