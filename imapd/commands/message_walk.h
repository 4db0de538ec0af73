// Looking at many messages without keeping others waiting.
#pragma once

#include "common/net/task.h"
#include "common/store/header_record.h"
#include "common/store/store.h"
#include "imapd/commands/mailbox_search.h"

namespace mailstead::imapd::commands {

// What a walk reads of each message, besides its entry: what SEARCH and SORT ask of every message, or all
// that is cached of it.
enum class WalkNeeds : std::uint8_t { entry, header, cache };

// Of the records the one that was asked for, else null. A message of which the index has none is read
// itself, and what is made of a file that is gone is empty.
struct WalkedMessage {
    const store::MessageInfo& info;
    const store::HeaderRecord* header = nullptr;
    const store::CachedMessage* cached = nullptr;
};

using MessageVisitor = store::FunctionRef<void(const WalkedMessage&)>;

// Visits those of `uids` that exist, in rising order: a moment on the session's thread, which is enough for
// most, then in short rounds on the pool, each under its own snapshot. The calls do not overlap. `visit`
// outlives the walk. Ends early when the session is asked to stop.
net::Task<store::Outcome<void>> walk_messages(Session& session, SearchScope scope, store::UidSet uids,
                                              WalkNeeds needs, MessageVisitor visit);

}  // namespace mailstead::imapd::commands
