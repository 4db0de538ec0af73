// Changes of one account as values. The same bytes go from imapd to deliver, into the journal and, after a
// power cut, out of it again. Applied to the same state a change has the same effect: what it needs from
// outside (time, sizes, fetch cache) is inside.
//
// Every change makes the account first if it does not exist yet, so a delivery never meets a missing one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/address/mailbox_name.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/store/failure.h"
#include "common/store/flags.h"
#include "common/store/rights.h"
#include "common/store/uid_set.h"
#include "common/store/values.h"

namespace mailstead::store {

// The environment of an account as the commit engine names it: "account/7".
std::string environment_of(AccountId account);
// The account of an environment; nullopt for other environments (queue, ledger).
std::optional<AccountId> account_of(std::string_view environment);

// ---- messages

struct NewMessage {
    FlagList flags;
    Time internal_date;
    std::uint64_t size = 0;  // bytes of the file
    // build_fetch_cache() of the bytes (fetch_cache.h). Whoever submits to the engine fills it; empty is
    // Fault::invalid there.
    std::string cache;
    // Index of the message's file among those of the commit::Transaction.
    std::uint32_t file = 0;
};

// A mailbox that a message goes to: by id from a session that has it selected, by name otherwise. A name that
// does not exist is Fault::try_create unless `create` is set (delivery to Junk, user+folder@...), which makes
// the mailbox, subscribed.
struct Destination {
    MailboxName name = MailboxName::inbox();
    bool create = false;
    // Deliver to the mailbox with this special use instead, if there is one (filing spam into whatever the
    // user calls Junk).
    SpecialUse prefer = SpecialUse::none;
};

// Delivery and APPEND: all messages or none. Result: Appended.
struct Append {
    Destination to;
    std::vector<NewMessage> messages;  // 1 to kMaxAppend
    // A delivery counts against the quota unless the account's owner must always get it (a DSN from this
    // host).
    bool ignore_quota = false;
};
inline constexpr std::size_t kMaxAppend = 1'000;

// STORE. Result: FlagsStored.
struct StoreFlags {
    enum class How : std::uint8_t { add = 0, remove = 1, replace = 2 };
    MailboxId mailbox;
    UidSet uids;  // UIDs which do not exist are passed over (RFC 9051, 6.4.9)
    How how = How::add;
    FlagList flags;
    // RFC 7162, 3.1.3: messages with a higher mod-sequence are left alone and listed. 0 leaves every message
    // alone which has one.
    std::optional<ModSeq> unchanged_since;
    FlagScope scope = {};  // flags outside it stay as they are, whatever `how` and `flags` say
};

// EXPUNGE, UID EXPUNGE, CLOSE; with `only_deleted` false a purge by age or a POP3 DELE. Result: Expunged.
struct Expunge {
    MailboxId mailbox;
    std::optional<UidSet> uids;  // none: all of the mailbox
    bool only_deleted = true;    // only messages with \Deleted
};

// COPY and MOVE. The message keeps flags, internal date, EMAILID and THREADID. Moving into the same mailbox
// gives new UIDs. Result: Copied.
struct Copy {
    MailboxId from;
    UidSet uids;
    Destination to;
    bool move = false;
    FlagScope scope = {};  // flags outside it are not set on the copies
};

// ---- mailboxes

// CREATE. Missing parents are made as well. Result: MailboxMade.
struct CreateMailbox {
    MailboxName name = MailboxName::inbox();
    SpecialUse special_use = SpecialUse::none;  // Fault::use_attribute when another mailbox has it
    bool subscribe = false;
};
// DELETE. INBOX: Fault::cannot; with mailboxes below it: Fault::has_children. Space and quota come back in
// the background. Result: Done.
struct DeleteMailbox {
    MailboxName name = MailboxName::inbox();
};
// RENAME, with the mailboxes below it; missing parents of `to` are made. INBOX: its messages move to `to` and
// it stays (RFC 9051, 6.3.6). Subscriptions stay with the names for other servers; here they move along, as
// users expect. Result: MailboxMade.
struct RenameMailbox {
    MailboxName from = MailboxName::inbox();
    MailboxName to = MailboxName::inbox();
};
// SUBSCRIBE, UNSUBSCRIBE. The mailbox need not exist (RFC 9051, 6.3.7). Result: Done.
struct Subscribe {
    MailboxName name = MailboxName::inbox();
    bool subscribed = true;
};
// Result: Done.
struct SetSpecialUse {
    MailboxName name = MailboxName::inbox();
    SpecialUse special_use = SpecialUse::none;
};

// SETACL, DELETEACL (which replaces by nothing). The owner's own rights cannot be changed: Fault::cannot.
// Result: AclSet.
struct SetAcl {
    enum class How : std::uint8_t { add = 0, remove = 1, replace = 2 };
    MailboxName mailbox = MailboxName::inbox();
    AccountId who;  // kAnyone for anyone
    bool negative = false;
    How how = How::replace;
    Rights rights;
};

// ---- the account

// Makes INBOX, Archive, Drafts, Junk, Sent and Trash, with their uses, subscribed. Nothing happens when the
// account exists. Result: Done.
struct CreateAccount {};
// 0: no limit. Result: Done.
struct SetQuota {
    std::uint64_t octets = 0;
    std::uint64_t messages = 0;
    std::uint64_t mailboxes = 0;
};
// RFC 5464 annotations, all or none; entry names in lower case. Fault::limit: too many, or too much. Result:
// MetadataSet.
struct SetMetadata {
    std::optional<MailboxName> mailbox;  // none: the account ("")
    struct Entry {
        std::string name;
        std::optional<std::string> value;  // none: remove it
    };
    std::vector<Entry> entries;
};

// ---- made by the store itself (Follower)

// A file that another program put into a mailbox's folder. Result: Appended.
struct AdoptFile {
    MailboxId mailbox;
    std::string path;  // of the file, as the Maildir layer names it
    NewMessage message;
};
// What the background has done on disk: see follower.h. Result: Done.
struct Followed {
    struct Renamed {
        MailboxId mailbox;
        Uid uid;
        std::uint8_t place = 0;
    };
    std::uint64_t tasks_through = 0;  // all tasks up to this number are done
    std::vector<Renamed> renamed;     // names which follow the flags again
    MailboxId moved_mailbox;          // its folder has a new name
    std::string moved_folder;
    MailboxId purge;  // a deleted mailbox: forget up to purge_limit of its messages
    std::uint32_t purge_limit = 0;
    MailboxId names_checked;  // [first, last] of this mailbox need no further renaming
    UidSet checked;
};

// ---- of messages again: the numbers of actions are kept in journals, so that new ones come last

// REPLACE (RFC 8508, 3.4): the one message of `append` comes and `uid` goes, as one change. Room is counted
// with the old message gone. Fault::gone when there is no such message. Result: Appended.
struct Replace {
    Append append;
    MailboxId from;
    Uid uid;
};

using Action =
    std::variant<Append, StoreFlags, Expunge, Copy, CreateMailbox, DeleteMailbox, RenameMailbox, Subscribe,
                 SetSpecialUse, CreateAccount, SetQuota, SetMetadata, AdoptFile, Followed, SetAcl, Replace>;

struct Change {
    Time at;  // when it was asked for: save dates, creation dates, UIDVALIDITY
    Action action;
};

// What APPEND and REPLACE bring with them; nullptr for every other action.
Append* append_of(Action& action);

std::string encode(const Change& change);
// Checks every bound; what it gives can be applied. Fault::invalid otherwise.
Outcome<Change> decode_change(std::string_view bytes);

// ---- results

struct Appended {
    MailboxId mailbox;
    UidValidity uidvalidity;
    UidSet uids;              // in the order of the messages; always one range
    MessageId first_message;  // EMAILIDs follow each other as the UIDs do
    ModSeq modseq;
};
struct FlagsStored {
    UidSet changed;  // those whose flags are now different
    UidSet failed;   // MODIFIED (RFC 7162, 3.1.3)
    ModSeq modseq;   // of all in `changed`; 0 when nothing changed
};
struct Expunged {
    UidSet uids;
    ModSeq modseq;  // 0 when nothing was expunged
};
// The n-th of `source` became the n-th of `destination` (RFC 9051, 7.1: COPYUID).
struct Copied {
    MailboxId mailbox;  // the destination
    UidValidity uidvalidity;
    UidSet source;
    UidSet destination;
    ModSeq modseq;
};
struct MailboxMade {
    MailboxId mailbox;
    UidValidity uidvalidity;
};
struct AclSet {
    // Whether some mailbox of the account still grants anything to `who`.
    bool still_granted = false;
};
struct Done {};
struct MetadataSet {
    ModSeq modseq;  // of all entries that were set
};

using ChangeResult =
    std::variant<Done, Appended, FlagsStored, Expunged, Copied, MailboxMade, AclSet, MetadataSet>;

std::string encode(const ChangeResult& result);
Outcome<ChangeResult> decode_result(std::string_view bytes);

// A failure as the commit engine carries it; Failure's constructor from Error finds fault and text again.
Error to_error(const Failure& failure);

}  // namespace mailstead::store
