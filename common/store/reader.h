// The reading side: accounts as snapshots. Never blocks on the writer; sees every change whole or not at all.
//
// A Reader and an AccountReader may be used from every thread. A Snapshot belongs to one thread at a time,
// never spans a co_await, and is short: while one is held the index cannot reuse pages.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/file_descriptor.h"
#include "common/base/ids.h"
#include "common/store/failure.h"
#include "common/store/fetch_cache.h"
#include "common/store/function_ref.h"
#include "common/store/header_record.h"
#include "common/store/rights.h"
#include "common/store/uid_set.h"
#include "common/store/values.h"

namespace mailstead::store {

class Index;  // the account's open environment

// A message's bytes: read with pread or mmap; they never change. It stays readable after the message is
// expunged.
struct OpenMessage {
    FileDescriptor descriptor;
    std::uint64_t size = 0;
};

class Snapshot {
public:
    Snapshot(Snapshot&&) noexcept;
    Snapshot& operator=(Snapshot&&) noexcept;
    ~Snapshot();

    Outcome<AccountInfo> account() const;
    // The highest mod-sequence of the account: unchanged means nothing visible changed. Cheaper than
    // account().
    ModSeq highest_modseq() const;

    // ---- mailboxes
    // All, in the order of their names (INBOX where its name sorts).
    Outcome<std::vector<MailboxInfo>> mailboxes() const;
    // Fault::non_existent when there is none (or no longer).
    Outcome<MailboxInfo> mailbox(MailboxId id) const;
    Outcome<MailboxInfo> find(const MailboxName& name) const;
    // Subscribed names, whether they exist or not, in their order.
    Outcome<std::vector<MailboxName>> subscriptions() const;
    // The account's keywords: Keywords bit n is element n. The table only grows.
    Outcome<std::vector<std::string>> keywords() const;

    // ---- access lists (RFC 4314)
    // What `who` may do with the mailbox; the account's owner: all.
    Outcome<Rights> rights(MailboxId mailbox, AccountId who) const;
    // The lines of the list, in the order of accounts.
    Outcome<std::vector<AclEntry>> acl(MailboxId mailbox) const;
    // Mailboxes whose lists grant something to `who` or to anyone; negative lines may take it away again.
    Outcome<std::vector<MailboxId>> granted_to(AccountId who) const;

    // ---- numbering
    Outcome<UidSet> uids(MailboxId mailbox) const;
    Outcome<UidRuns> runs(MailboxId mailbox) const;
    Outcome<UidSet> unseen(MailboxId mailbox) const;
    Outcome<UidSet> deleted(MailboxId mailbox) const;
    Outcome<std::optional<Uid>> first_unseen(MailboxId mailbox) const;

    // ---- messages
    // The visitor returns false to stop. Gives each message of `uids` that exists, in rising order.
    using MessageVisitor = FunctionRef<bool(const MessageInfo&)>;
    Outcome<void> messages(MailboxId mailbox, const UidSet& uids, MessageVisitor visit) const;
    // nullopt when it does not exist (any more).
    Outcome<std::optional<MessageInfo>> message(MailboxId mailbox, Uid uid) const;
    // Messages with a mod-sequence above `since` (RFC 7162, 3.1.4.1), by rising UID.
    Outcome<void> changed_since(MailboxId mailbox, ModSeq since, const UidSet& within,
                                MessageVisitor visit) const;
    // UIDs of `known` expunged after `since` (RFC 7162, 3.2.5.1). Further back than the store remembers: all
    // of `known` below UIDNEXT that do not exist, which is correct and larger.
    Outcome<UidSet> vanished_since(MailboxId mailbox, ModSeq since, const UidSet& known) const;

    // ---- contents
    // The fetch cache of a message. Asking in the order of message ids (as messages() gives them in INBOX)
    // walks instead of searching. nullopt: none or damaged; open the message and use build_fetch_cache(). The
    // view ends with the next call or the snapshot.
    std::optional<CachedMessage> cached(MessageId message) const;
    // The same, ready for append_fields() with this request: rare fields are fetched as well when it names
    // some.
    std::optional<CachedMessage> cached(MessageId message, const FieldRequest& request) const;
    // cached(message)->has_bare_lf() alone, for whole bodies: the record's texts lie in a dozen cache lines
    // that it does not touch.
    std::optional<bool> has_bare_lf(MessageId message) const;
    // The dense record for searching and sorting; in the order of message ids it walks, too. nullopt: none (a
    // message from before there were such records) or damaged; ask cached().
    std::optional<HeaderRecord> header(MessageId message) const;
    // Whether some mailbox has, or had a moment ago, this message; and how many such messages there are.
    bool exists(MessageId message) const;
    Outcome<std::uint64_t> stored_messages() const;
    // Fault::non_existent when it was expunged, Fault::damaged when its file is gone. Finds files that move
    // at this moment, too.
    Outcome<OpenMessage> open_message(MailboxId mailbox, const MessageInfo& message) const;
    // The same without waiting for a disk: nullopt when the way to the file is not in memory, or the file not
    // where it should be. Then open_message() on a thread that may wait.
    std::optional<OpenMessage> open_message_at_once(MailboxId mailbox, const MessageInfo& message) const;
    // Where the file should lie, best guess first; absolute. For reading ahead, beyond the life of the
    // snapshot.
    std::vector<std::string> likely_files(MailboxId mailbox, const MessageInfo& message) const;

    // ---- annotations (RFC 5464)
    struct Annotation {
        std::string name;
        std::string value;
    };
    // Of a mailbox, or of the account for nullopt, in the order of names.
    Outcome<std::vector<Annotation>> metadata(const std::optional<MailboxName>& mailbox) const;
    struct ChangedAnnotation {
        MailboxId mailbox;  // 0: the account
        std::string name;
        ModSeq modseq;
    };
    // What was set or removed after `since`; ask only when AccountInfo::metadata_modseq has risen. Removals
    // that lie far back are forgotten.
    Outcome<std::vector<ChangedAnnotation>> metadata_since(ModSeq since) const;

    // The store's own.
    struct State;
    explicit Snapshot(std::unique_ptr<State> state);
    State& state() const { return *state_; }

private:
    std::unique_ptr<State> state_;
};

// One open account. Copies share it; it stays open as long as one lives, also when the Reader has forgotten
// it. When the account's index was replaced (see Reader::renew), the next snapshot is of the new one.
class AccountReader {
public:
    // Fault::set_aside or Fault::unavailable while the index is closed.
    Outcome<Snapshot> snapshot() const;
    AccountId id() const;

private:
    friend class Reader;
    struct Slot;
    explicit AccountReader(std::shared_ptr<Slot> slot) : slot_(std::move(slot)) {}
    std::shared_ptr<Slot> slot_;
};

struct ReaderOptions {
    std::filesystem::path root;  // the data folder
    // In deliver, whose commit engine has the same environments open. Open none before Engine::start().
    bool beside_engine = false;
    std::size_t max_open_accounts = 256;  // kept open beyond their use, least recently used closed first
};

class Reader {
public:
    explicit Reader(ReaderOptions options);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    // Fault::non_existent: the account has no index yet (submit CreateAccount); Fault::newer_format;
    // Fault::damaged; Fault::unavailable. Costs a map lookup when open already, some 100 microseconds
    // otherwise.
    Outcome<AccountReader> open(AccountId account);
    // Closes an account whose files are going away; who holds a reader of it hears `why` from now on, until
    // somebody opens it again.
    void close(AccountId account, const Failure& why);
    // Opens the account's index anew where its file is another one than the one that is open; who holds a
    // reader of it goes on with the new one, or hears why there is none. Nothing happens to an account that
    // nobody has open. Costs one system call when nothing has changed.
    void renew(AccountId account);
    // The same for all that are open.
    void renew_all();
    // Accounts that are kept open and whose file is no longer what it was when it was opened: cut short,
    // overwritten, gone, or another one. Some system calls for each account that is open.
    std::vector<std::pair<AccountId, Failure>> find_damaged() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace mailstead::store
