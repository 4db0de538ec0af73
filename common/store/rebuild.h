// A lost or damaged index made anew from the Maildir files and the list beside them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/store/failure.h"

namespace mailstead::store {

struct RebuildReport {
    std::uint64_t mailboxes = 0;
    std::uint64_t messages = 0;  // in all mailboxes, copies counted
    std::uint64_t adopted = 0;   // of these: files that got a new UID, since their names told none
    std::uint64_t damaged =
        0;  // of these: files that are shorter or longer than they were, or cannot be read
    std::uint64_t skipped = 0;  // files without a UID that are no message or cannot be read; they stay
    std::uint64_t doubles = 0;  // second names of a message in its mailbox; they stay
    bool had_sidecar = false;   // false: keywords, access lists and annotations are lost, UIDVALIDITYs new
    std::vector<std::string> problems;  // what is counted in `damaged` and `skipped`, the first of them
    std::filesystem::path old_index;    // where the damaged one lies now; empty when there was none
};

// Told now and then how many of the messages are done; false ends the work, and nothing is changed.
using RebuildProgress = std::function<bool(std::uint64_t done, std::uint64_t of)>;

// Reads <root>/accounts/<id>/mail and the sidecar and writes <root>/accounts/<id>/index: mailboxes,
// UIDVALIDITYs, UIDs, flags, keywords, special uses, subscriptions, access lists, annotations, dates and
// EMAILIDs are those of before, as far as files and sidecar had followed (seconds). UIDNEXT and mod-sequences
// are beyond what any client has seen; THREADIDs are found anew in the order of arrival. A message whose file
// is damaged keeps its UID. Files that tell no UID of their folder get new ones after all others. Without
// sidecar the UIDs stay, under new UIDVALIDITYs, with special uses by name and every folder subscribed.
//
// The engine must not have the account open (Engine::set_aside or Engine::drop, or deliver not running), and
// readers must close it. Works in <root>/accounts/<id>/index.new and swaps folders at the end; the old index
// is kept as index.damaged-<time>, the last two of them. Killed at any point it can be begun again. Takes
// several threads of low priority and blocks until it is done. Fault::non_existent: there is neither Maildir
// nor sidecar.
Outcome<RebuildReport> rebuild_index(const std::filesystem::path& root, AccountId account, Time now,
                                     const RebuildProgress& progress = {});

// Whether an account's index must be there, since its sidecar is, or a file or a folder in its Maildir.
bool had_index(const std::filesystem::path& root, AccountId account);

}  // namespace mailstead::store
