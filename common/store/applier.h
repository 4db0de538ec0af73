// Applies changes to one account's index inside a transaction. Deterministic: no clock, no files. Internal to
// the store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/commit/participant.h"
#include "common/store/change.h"
#include "common/store/function_ref.h"
#include "common/store/range_table.h"
#include "common/store/records.h"

namespace mailstead::store {

// For one change; then it is over, whether it failed or not.
class Applier {
public:
    Applier(kv::WriteTransaction& transaction, const Databases& databases, AccountId id,
            commit::ApplyContext& context)
        : txn_(transaction), db_(databases), id_(id), context_(context) {}

    Outcome<ChangeResult> apply(const Change& change);

private:
    struct Mailbox {
        std::uint32_t id = 0;
        MailboxRecord record;
    };
    // A message on its way into a mailbox; UIDs follow each other.
    using Records = std::vector<MessageRecord>;

    Outcome<ChangeResult> run(const Append& action);
    Outcome<ChangeResult> run(const StoreFlags& action);
    Outcome<ChangeResult> run(const Expunge& action);
    Outcome<ChangeResult> run(const Copy& action);
    Outcome<ChangeResult> run(const CreateMailbox& action);
    Outcome<ChangeResult> run(const DeleteMailbox& action);
    Outcome<ChangeResult> run(const RenameMailbox& action);
    Outcome<ChangeResult> run(const Subscribe& action);
    Outcome<ChangeResult> run(const SetSpecialUse& action);
    Outcome<ChangeResult> run(const CreateAccount& action);
    Outcome<ChangeResult> run(const SetQuota& action);
    Outcome<ChangeResult> run(const SetMetadata& action);
    Outcome<ChangeResult> run(const AdoptFile& action);
    Outcome<ChangeResult> run(const Followed& action);
    Outcome<ChangeResult> run(const SetAcl& action);
    Outcome<ChangeResult> run(const Replace& action);

    // ---- the account (applier.cpp)
    Outcome<void> load();
    Outcome<void> save();
    Outcome<void> create_account();
    Outcome<void> count_entries();
    std::uint64_t modseq();  // of this change: the same for all that it touches
    std::int64_t seconds() const { return at_.time_since_epoch() / Seconds(1); }
    Outcome<KeywordTable*> keywords();

    // ---- mailboxes
    Outcome<Mailbox> load_mailbox(MailboxId id);
    Outcome<Mailbox> load_mailbox_even_gone(std::uint32_t id);
    Outcome<void> save_mailbox(const Mailbox& mailbox);
    Outcome<std::optional<std::uint32_t>> find_mailbox(std::string_view name);
    Outcome<Mailbox> find_existing(const MailboxName& name);
    Outcome<Mailbox> destination(const Destination& to);
    // With missing parents; the mailbox itself must not exist.
    Outcome<Mailbox> create_mailbox(const MailboxName& name, SpecialUse use, bool subscribe);
    Outcome<Mailbox> create_one(const MailboxName& name, SpecialUse use, bool subscribe);
    Outcome<void> create_parents(const MailboxName& name);
    Outcome<void> set_subscribed(std::string_view name, bool subscribed);
    Outcome<void> check_name(const MailboxName& name);
    Outcome<ChangeResult> rename_inbox(const MailboxName& to);
    Outcome<void> rename_one(Mailbox& mailbox, const MailboxName& to);
    // Whether `more` mailboxes may be made.
    Outcome<void> check_mailbox_quota(std::size_t more);
    Outcome<std::size_t> count_missing(const MailboxName& name);

    // ---- annotations (apply_metadata.cpp)
    Outcome<void> check_metadata(std::uint32_t mailbox, const SetMetadata& action);
    Outcome<void> forget_removed_metadata();
    Outcome<void> erase_metadata(std::uint32_t mailbox);
    Outcome<void> copy_metadata(std::uint32_t from, std::uint32_t to);
    Outcome<void> check_own(const MailboxName& name);

    // ---- access lists (apply_acl.cpp)
    Outcome<std::vector<AclEntry>> read_acl(std::uint32_t mailbox);
    Outcome<void> put_acl(std::uint32_t mailbox, const AclEntry& entry);
    Outcome<void> inherit_acl(const MailboxName& name, std::uint32_t mailbox);
    Outcome<void> erase_acl(std::uint32_t mailbox);

    // ---- messages
    enum class Step { keep, replace, erase, stop };
    using Walk = FunctionRef<Outcome<Step>(std::uint32_t uid, MessageRecord& record)>;
    // Each message of `uids` that exists, in order.
    Outcome<void> walk(std::uint32_t mailbox, const UidSet& uids, Walk visit);
    // Removes messages from the mailbox's tables and counts, telling `visit` of each; answers which existed.
    // No tombstones.
    using Taken = FunctionRef<Outcome<void>(std::uint32_t uid, const MessageRecord& record)>;
    Outcome<UidSet> take_out(Mailbox& mailbox, const UidSet& uids, Taken visit);
    Outcome<void> bury(Mailbox& mailbox, const UidSet& uids);
    Outcome<void> forget_oldest(Mailbox& mailbox);
    // Gives UIDs from uidnext on and fills in mod-sequence and save date; answers the UIDs.
    Outcome<UidRange> put_in(Mailbox& mailbox, Records& records);
    Outcome<UidSet> expunge(Mailbox& mailbox, const UidSet& uids);
    Outcome<ChangeResult> copy(Mailbox& from, const UidSet& uids, const Destination& to, bool move,
                               FlagScope scope = {});
    Outcome<void> check_copies(const Mailbox& from, const UidSet& uids);
    Outcome<void> check_room(const Mailbox& mailbox, std::size_t messages);

    // ---- append
    struct Arrival {
        Records records;
        std::uint64_t octets = 0;
    };
    Outcome<Arrival> prepare(const std::vector<NewMessage>& messages);
    // What goes away with the same change.
    struct Leaving {
        std::uint64_t octets = 0;
        std::uint64_t entries = 0;
    };
    Outcome<void> check_quota(const Arrival& arrival, const Leaving& leaving);
    Outcome<void> check_files(const Append& action) const;
    Outcome<ChangeResult> append(const Append& action, const Leaving& leaving);
    Outcome<Leaving> leaving(const Mailbox& mailbox, Uid uid);
    Outcome<Appended> arrive(Mailbox& mailbox, Arrival& arrival, const std::vector<NewMessage>& messages);

    // ---- files
    Outcome<std::uint64_t> add_task(const Task& task);
    Outcome<bool> drop_reference(std::uint64_t message);  // whether it was the last
    Outcome<void> add_reference(std::uint64_t message);
    Outcome<std::string> path_of(const FileName& name);

    // ---- followed
    Outcome<void> finish_tasks(std::uint64_t through);
    Outcome<void> finish(std::uint64_t number, const Task& task);
    Outcome<void> arrived(std::uint64_t number, const Task& task);
    Outcome<void> note_names(const Followed& action);
    Outcome<void> move_folder(std::uint32_t mailbox, const std::string& folder);
    Outcome<void> offer_folder(const std::string& folder);
    Outcome<void> remember_old_folder(const Mailbox& mailbox);
    Outcome<void> purge(std::uint32_t mailbox, std::uint32_t limit);
    Outcome<void> clear_tables(const Mailbox& mailbox);

    kv::WriteTransaction& txn_;
    const Databases& db_;
    AccountId id_;
    commit::ApplyContext& context_;
    Time at_;
    AccountRecord account_;
    std::string account_bytes_;
    std::uint64_t modseq_ = 0;
    std::optional<KeywordTable> keywords_;
    std::size_t keywords_before_ = 0;
};

}  // namespace mailstead::store
