// STORE and EXPUNGE.
#include "common/store/applier.h"
#include "common/store/vintages.h"

namespace mailstead::store {
namespace {

Flags changed(const Flags& before, StoreFlags::How how, const Flags& by, FlagScope scope) {
    Flags after = before;
    for (std::size_t word = 0; word < after.keywords.words.size() && scope.keywords; ++word) {
        std::uint64_t& bits = after.keywords.words[word];
        const std::uint64_t mask = by.keywords.words[word];
        bits = how == StoreFlags::How::add      ? bits | mask
               : how == StoreFlags::How::remove ? bits & ~mask
                                                : mask;
    }
    after.system = how == StoreFlags::How::add      ? before.system.with(by.system)
                   : how == StoreFlags::How::remove ? before.system.without(by.system)
                                                    : before.system.without(scope.system).with(by.system);
    return after;
}

// What a STORE does to the sets kept beside the messages.
struct Effects {
    UidSet changed, failed, read, unread, deleted, undeleted, stale;
    Vintages vintages;

    void note(std::uint32_t uid, const MessageRecord& before, const MessageRecord& after,
              MailboxRecord& box) {
        changed.add(Uid(uid));
        vintages.add(before.modseq, uid);
        if (after.name_is_stale()) stale.add(Uid(uid));
        const bool was_seen = before.flags().has(SystemFlag::seen);
        if (was_seen != after.flags().has(SystemFlag::seen)) {
            (was_seen ? unread : read).add(Uid(uid));
            box.unseen += was_seen ? 1u : ~0u;
        }
        const bool was_deleted = before.flags().has(SystemFlag::deleted);
        if (was_deleted == after.flags().has(SystemFlag::deleted)) return;
        (was_deleted ? undeleted : deleted).add(Uid(uid));
        box.deleted += was_deleted ? ~0u : 1u;
        box.deleted_octets += was_deleted ? 0 - after.size() : after.size();
    }
};

}  // namespace

Outcome<ChangeResult> Applier::run(const StoreFlags& action) {
    TRY(mailbox, load_mailbox(action.mailbox));
    const FlagList named = action.scope.within(action.flags);
    Flags by;
    by.system = named.system;
    if (!named.keywords.empty()) {
        TRY(table, keywords());
        if (action.how == StoreFlags::How::remove) {
            by.keywords = table->known(named.keywords);
        } else {
            TRY(bits, table->take(named.keywords));
            by.keywords = bits;
        }
    }

    Effects effects;
    const auto store = [&](std::uint32_t uid, MessageRecord& record) -> Outcome<Step> {
        if (action.unchanged_since && record.modseq > action.unchanged_since->value) {
            effects.failed.add(Uid(uid));
            return Step::keep;
        }
        const Flags before{record.flags(), {record.keywords}};
        const Flags after = changed(before, action.how, by, action.scope);
        if (after == before) return Step::keep;
        const MessageRecord old = record;
        record.set_flags(after.system);
        record.keywords = after.keywords.words;
        record.modseq = modseq();
        effects.note(uid, old, record, mailbox.record);
        return Step::replace;
    };
    TRY_VOID(walk(mailbox.id, action.uids, store));

    FlagsStored result;
    if (!effects.changed.empty()) {
        const kv::Key prefix = key::mailbox(mailbox.id);
        RangeTable changes(txn_, db_.changes);
        TRY_VOID(effects.vintages.remove_from(changes, mailbox.id));
        TRY_VOID(changes.add(key::modseq(mailbox.id, modseq()), effects.changed));
        RangeTable unseen(txn_, db_.unseen);
        TRY_VOID(unseen.remove(prefix, effects.read));
        TRY_VOID(unseen.add(prefix, effects.unread));
        RangeTable deleted(txn_, db_.deleted);
        TRY_VOID(deleted.remove(prefix, effects.undeleted));
        TRY_VOID(deleted.add(prefix, effects.deleted));
        TRY_VOID(RangeTable(txn_, db_.renames).add(prefix, effects.stale));
        mailbox.record.highestmodseq = modseq();
        TRY_VOID(save_mailbox(mailbox));
        result.modseq = ModSeq(modseq());
    }
    result.changed = std::move(effects.changed);
    result.failed = std::move(effects.failed);
    return ChangeResult(std::move(result));
}

Outcome<UidSet> Applier::expunge(Mailbox& mailbox, const UidSet& uids) {
    const auto forget = [&](std::uint32_t uid, const MessageRecord& record) -> Outcome<void> {
        TRY(last, drop_reference(record.message));
        if (last) {
            --account_.messages;
            account_.octets -= record.size();
        }
        Task task;
        task.kind = Task::Kind::unlink;
        task.file = file_name_of(mailbox.id, uid, record);
        task.last_reference = last;
        task.at = seconds();
        task.flags = record.flags();
        task.keywords = record.keywords;
        TRY_VOID(add_task(task));
        return {};
    };
    return take_out(mailbox, uids, forget);
}

Outcome<ChangeResult> Applier::run(const Expunge& action) {
    TRY(mailbox, load_mailbox(action.mailbox));
    UidSet uids = action.uids ? *action.uids : UidSet::all();
    if (action.only_deleted) {
        TRY(deleted, RangeTable(txn_, db_.deleted).read(key::mailbox(mailbox.id)));
        uids = uids.intersected(deleted);
    }
    Expunged result;
    TRY(gone, expunge(mailbox, uids));
    if (!gone.empty()) {
        TRY_VOID(bury(mailbox, gone));
        TRY_VOID(save_mailbox(mailbox));
        result.modseq = ModSeq(modseq());
    }
    result.uids = std::move(gone);
    return ChangeResult(std::move(result));
}

}  // namespace mailstead::store
