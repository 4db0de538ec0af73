// COPY and MOVE. The message stays what it is: only its place in a mailbox is new, and a task for the file.
#include "common/store/applier.h"

namespace mailstead::store {
namespace {

void restrict_flags(MessageRecord& record, FlagScope scope) {
    record.set_flags(SystemFlags::from_bits(record.flags().bits() & scope.system.bits()));
    if (!scope.keywords) record.keywords = {};
}

}  // namespace

Outcome<ChangeResult> Applier::run(const Copy& action) {
    TRY(from, load_mailbox(action.from));
    return copy(from, action.uids, action.to, action.move, action.scope);
}

// RFC 9208, 5.2: a copy is one message more, though it takes no room on the disk.
Outcome<void> Applier::check_copies(const Mailbox& from, const UidSet& uids) {
    if (account_.quota_messages == 0) return {};
    TRY(existing, RangeTable(txn_, db_.runs).read(key::mailbox(from.id)));
    const std::uint64_t more = existing.intersected(uids).count();
    if (more != 0 && account_.entries + more > account_.quota_messages)
        return Failure(Fault::over_quota, "the account holds as many messages as it may");
    return {};
}

Outcome<ChangeResult> Applier::copy(Mailbox& from, const UidSet& uids, const Destination& to, bool move,
                                    FlagScope scope) {
    {
        // Refused before anything is written; loaded again below, since it may be the source.
        TRY(target, destination(to));
        TRY_VOID(check_room(target, from.record.messages));
        if (!move) TRY_VOID(check_copies(from, uids));
    }
    Copied result;
    Records records;
    std::vector<std::uint32_t> sources;
    const auto gather = [&](std::uint32_t uid, const MessageRecord& record) -> Outcome<void> {
        records.push_back(record);
        sources.push_back(uid);
        result.source.add(Uid(uid));
        if (!move) TRY_VOID(add_reference(record.message));
        return {};
    };
    if (move) {
        TRY(taken, take_out(from, uids, gather));
        if (!taken.empty()) {
            TRY_VOID(bury(from, taken));
            TRY_VOID(save_mailbox(from));
        }
    } else {
        const auto keep = [&](std::uint32_t uid, MessageRecord& record) -> Outcome<Step> {
            TRY_VOID(gather(uid, record));
            return Step::keep;
        };
        TRY_VOID(walk(from.id, uids, keep));
    }

    TRY(target, destination(to));
    result.mailbox = MailboxId(target.id);
    result.uidvalidity = UidValidity(target.record.uidvalidity);
    if (records.empty()) return ChangeResult(std::move(result));
    std::uint32_t uid = target.record.uidnext;
    for (std::size_t n = 0; n < records.size(); ++n, ++uid) {
        MessageRecord& record = records[n];
        Task task;
        task.kind = move ? Task::Kind::move : Task::Kind::link;
        task.from_mailbox = from.id;
        task.from_uid = sources[n];
        task.from_place = record.place();
        task.after = record.task;
        restrict_flags(record, scope);
        record.set_place(Place::arriving(record.flags()));
        task.file = file_name_of(target.id, uid, record);
        TRY(number, add_task(task));
        record.task = number;
    }
    TRY(range, put_in(target, records));
    TRY_VOID(save_mailbox(target));
    result.destination.add(range);
    result.modseq = ModSeq(modseq());
    return ChangeResult(std::move(result));
}

}  // namespace mailstead::store
