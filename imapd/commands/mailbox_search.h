// Running a search over one mailbox: what SEARCH, SORT, THREAD, ESEARCH and live updates have in common.
#pragma once

#include <optional>
#include <string>

#include "common/net/task.h"
#include "common/store/store.h"
#include "imapd/commands/search_run.h"
#include "imapd/proto/search_key.h"

namespace mailstead::imapd {
class Session;
}

namespace mailstead::imapd::commands {

// The mailbox to be searched. What it refers to outlives the search.
struct SearchScope {
    const store::AccountReader& reader;  // of the account that it lies in
    MailboxId mailbox;
    const store::UidRuns& messages;                    // what numbers in keys count
    const std::optional<store::UidSet>& saved_result;  // "$"
    AccountId ids;                                     // see Place::id_scope()
    bool limited = false;                              // RFC 9738, 3.1: to the newest messages, as configured
    bool whole = false;  // RFC 9738, 3.3: where that would leave some out, nothing is looked at

    store::Outcome<store::Snapshot> snapshot() const { return reader.snapshot(); }
};
// The response code of a search that was limited, for one that therefore did nothing: without the UID.
std::string without_uid(const std::string& limited);
// The selected mailbox, as the client knows it.
SearchScope scope_of_selected(const Session& session);

// The messages of `candidates` that match. The key holds neither filters nor fuzzy keys any more
// (search_request.h). Takes time in slices, so that other sessions have their turn.
net::Task<store::Outcome<Found>> find(Session& session, const proto::SearchKey& key, SearchScope scope,
                                      store::UidSet candidates);

}  // namespace mailstead::imapd::commands
