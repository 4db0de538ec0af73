// What was expunged, or went with a deleted mailbox, and is kept for a while: the files lie in
// <root>/accounts/<id>/deleted/<day>/, named as in the Maildir with the time of deletion before, beside a
// small text of mailbox names and keywords. They count in no quota. A message that another mailbox still
// holds is not kept.
//
//   deleted/2026-12-01/1764590400.1700000000.A7B1U10M5.mailstead,S=1234:2,FS
//   deleted/2026-12-01/about          mailbox 1 INBOX
//                                     keywords 1 10 $Forwarded
//
// All functions may be called from any thread that may block, in deliver.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/commit/engine.h"
#include "common/store/change.h"

namespace mailstead::store {

struct DeletedMessage {
    std::string key;      // "<day>/<file>": names it for undelete()
    std::string mailbox;  // its name when the message was deleted; empty: unknown
    MailboxId mailbox_id;
    Uid uid;  // that it had there
    MessageId message;
    Time deleted_at;
    Time internal_date;
    std::uint64_t size = 0;
    FlagList flags;
};

struct DeletedFilter {
    std::optional<std::string> mailbox;  // this one and those below it
    std::optional<Time> since;           // deleted then or later
    std::optional<Time> before;          // deleted earlier
    std::size_t limit = 100'000;         // the newest of them
};

// The kept messages that the filter lets through, by time of deletion, the oldest first. No file is opened.
// An account without any, or without folder, has an empty list.
std::vector<DeletedMessage> list_deleted(const std::filesystem::path& root, AccountId account,
                                         const DeletedFilter& filter = {});

// Subject and From of a kept message as its header has them, decoded; read from the file. nullopt when it is
// gone.
struct DeletedSummary {
    std::string subject;
    std::string from;
};
std::optional<DeletedSummary> summary_of_deleted(const std::filesystem::path& root, AccountId account,
                                                 const DeletedMessage& message);

// Submits one change with its files to the commit engine and waits (commit::Engine::submit_and_wait).
using SubmitWithFiles =
    std::function<Outcome<ChangeResult>(AccountId, Change, std::vector<commit::MessageFile>)>;

struct UndeleteReport {
    std::uint64_t messages = 0;  // given back
    std::uint64_t missing = 0;   // no longer there, or not readable
};
// Gives messages back into their mailboxes, which are made again where they are gone (INBOX for an unknown
// name): as new UIDs with flags (without \Deleted), keywords and INTERNALDATE. Durable when it returns. Quota
// is not asked: the room was the account's before. Each file is dropped from the kept ones once its message
// is back, so that an undelete that was cut short can be called again; the messages of the change in hand, 65
// at most, come twice. The first refusal ends it.
Outcome<UndeleteReport> undelete(const std::filesystem::path& root, AccountId account,
                                 const std::vector<DeletedMessage>& messages, Time now,
                                 const SubmitWithFiles& submit);

// Removes what was deleted more than `keep` ago, by whole days (UTC): a message stays up to a day longer.
// Zero: all. Answers the bytes that went. Costs a directory listing while nothing is due.
std::uint64_t purge_deleted(const std::filesystem::path& root, AccountId account, Seconds keep, Time now);

// Makes room on a disk that runs short: removes kept messages of all accounts, the oldest days first, until
// `octets` are free again or nothing is left. Answers how many went.
std::uint64_t free_deleted(const std::filesystem::path& root, std::uint64_t octets);

}  // namespace mailstead::store
