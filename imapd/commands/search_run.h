// Testing the messages of a mailbox against a planned search: a moment on the session's own thread, which
// is enough for most, then in short rounds on all threads of the pool.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "common/net/task.h"
#include "common/store/store.h"
#include "imapd/commands/search_plan.h"

namespace mailstead::imapd {
class Session;
}

namespace mailstead::imapd::commands {

struct Found {
    store::UidSet uids;
    ModSeq highest;
    std::optional<store::MessageInfo> first, last;
    std::string limited;  // RFC 9738, 3.1: the response code when not all was looked at

    // Cheap in rising order of UIDs.
    void add(const store::MessageInfo& message);
    void add(Found&& others);
};

// How far a search has come, in messages.
struct SearchProgress {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
};

struct SearchOptions {
    // Called on the session's thread between rounds, some dozens of milliseconds apart, for searches that
    // take more than one; the search ends early when it answers false.
    std::function<net::Task<bool>(SearchProgress)> between_rounds;
};

// Which of `candidates`, messages of a mailbox of that account, match. Messages that vanish meanwhile do not.
// Ends early, with what was found so far, when the session stops or its client has gone.
net::Task<store::Outcome<Found>> run_search(Session& session, const store::AccountReader& reader,
                                            MailboxId mailbox, const SearchNode& plan,
                                            store::UidSet candidates, const SearchOptions& options = {});

}  // namespace mailstead::imapd::commands
