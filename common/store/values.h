// What mailboxes and messages are to readers of the store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/address/mailbox_name.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/store/flags.h"

namespace mailstead::store {

// RFC 6154, 2. At most one mailbox of an account has each use; \All and \Flagged would be virtual and are not
// offered.
enum class SpecialUse : std::uint8_t { none = 0, archive = 1, drafts = 2, junk = 3, sent = 4, trash = 5 };
// `\Archive`, `\Drafts`, ...; empty for none.
std::string_view attribute_of(SpecialUse use);
// From an attribute, ASCII case ignored; nullopt when it is not one of them.
std::optional<SpecialUse> special_use_of(std::string_view attribute);

// One mailbox. Reading it costs O(log n), whatever the mailbox holds.
struct MailboxInfo {
    MailboxId id;  // RFC 8474 MAILBOXID
    MailboxName name = MailboxName::inbox();
    UidValidity uidvalidity;
    Uid uidnext;
    ModSeq highestmodseq;
    // QRESYNC with a mod-sequence below this one finds no complete list of expunged UIDs (vanished_since()
    // copes).
    ModSeq vanished_floor;
    SpecialUse special_use = SpecialUse::none;
    bool subscribed = false;
    Time created;
    std::uint32_t messages = 0;
    std::uint32_t unseen = 0;
    std::uint32_t deleted = 0;
    std::uint64_t octets = 0;          // of all messages: STATUS SIZE (RFC 8438)
    std::uint64_t deleted_octets = 0;  // of those with \Deleted: STATUS DELETED-STORAGE (RFC 9208, 4.1.4)
};

// One message in one mailbox.
struct MessageInfo {
    Uid uid;
    MessageId message;  // RFC 8474 EMAILID: the same in every mailbox it was copied or moved to
    ThreadId thread;    // RFC 8474 THREADID
    ModSeq modseq;
    Flags flags;
    Time internal_date;  // whole seconds
    Time save_date;      // RFC 8514: when it came into this mailbox; whole seconds
    std::uint64_t size = 0;

    // Where the file lies: for Snapshot::open_message() alone.
    std::uint64_t file_task = 0;
    std::uint8_t file_place = 0;
};

// What belongs to the account as a whole. Each message counts once, however many mailboxes hold it.
struct AccountInfo {
    AccountId id;
    std::uint64_t messages = 0;
    std::uint64_t octets = 0;
    std::uint64_t entries = 0;          // messages of all mailboxes, a copy counted as often as it is there
    std::uint64_t mailboxes = 0;        // how many there are
    std::uint64_t quota_octets = 0;     // 0: no limit
    std::uint64_t quota_messages = 0;   // of `entries`; 0: no limit
    std::uint64_t quota_mailboxes = 0;  // 0: no limit
    // Rises with every change of the account: an unchanged value means that nothing has to be read again.
    ModSeq highest_modseq;
    MessageId last_message;  // the highest that was ever given to a message; 0: none yet
    ModSeq metadata_modseq;  // of the last change of an annotation
};

// The level under which imapd shows the mailboxes of other accounts: none of one's own is made there.
inline constexpr std::string_view kOtherUsersLevel = "Other Users";

// Bounds of the store itself; beyond them Fault::limit.
inline constexpr std::size_t kMaxMailboxes = 10'000;
inline constexpr std::size_t kMaxSubscriptions = 20'000;
// In bytes of UTF-8, so that a name is one key of the index and one folder of the Maildir.
inline constexpr std::size_t kMaxMailboxName = 200;
// A subscription may name another account's mailbox: its address stands before.
inline constexpr std::size_t kMaxSubscribedName = 500;
inline constexpr std::uint32_t kMaxMessages = 4'000'000'000;  // in one mailbox, by UIDs given out
inline constexpr std::size_t kMaxMetadataValue = 64 * 1024;
inline constexpr std::size_t kMaxMetadataEntries = 1'000;   // of an account
inline constexpr std::size_t kMaxMetadataPerMailbox = 100;  // the account's own count as one mailbox's
inline constexpr std::size_t kMaxMetadataOctets = 4 * 1024 * 1024;  // values of an account
inline constexpr std::size_t kMaxMetadataName = 200;
inline constexpr std::size_t kMaxExpungedRanges = 50'000;  // remembered for one mailbox

}  // namespace mailstead::store
