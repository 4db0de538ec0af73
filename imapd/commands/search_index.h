// Asking the account's full-text index about the texts that a search looks for.
#pragma once

#include "common/net/task.h"
#include "common/store/store.h"
#include "imapd/commands/search_plan.h"

namespace mailstead::imapd {
class Session;
}

namespace mailstead::imapd::commands {

// Notes in the plan what the index knows, where it pays: messages that it decides are not read, the others
// are. Nothing is noted when there is no index, or none to trust.
net::Task<void> ask_text_index(Session& session, const store::AccountReader& account, SearchNode& plan,
                               const store::UidSet& candidates);

}  // namespace mailstead::imapd::commands
