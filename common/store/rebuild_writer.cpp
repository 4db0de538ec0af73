#include "common/store/rebuild_writer.h"

#include <algorithm>

#include "common/store/fetch_cache.h"
#include "common/store/header_record.h"
#include "common/store/range_table.h"
#include "common/store/threads.h"

namespace mailstead::store::rebuild {
namespace {

// The sidecar may be older than the last changes, and what was given out is never given out again: UIDs of
// messages that came and went meanwhile, message ids, mod-sequences.
constexpr std::uint32_t kUidGap = 100'000;
constexpr std::uint64_t kMessageGap = 1u << 20;
constexpr std::uint64_t kModSeqGap = 1u << 24;

std::uint32_t next_uid(const Box& box) {
    const std::uint32_t after = box.highest_uid + 1;
    if (!box.is_known) return after;  // with a new UIDVALIDITY every UID is new
    const std::uint32_t known = std::max(after, box.about.uidnext);
    return known < kMaxMessages - 2 * kUidGap ? known + kUidGap : known;
}

std::int64_t lookup(const std::map<std::int64_t, UidSet>& sets, std::uint32_t uid, std::int64_t otherwise) {
    for (const auto& [value, uids] : sets) {
        if (uids.contains(Uid(uid))) return value;
    }
    return otherwise;
}

}  // namespace

Writer::Writer(const std::filesystem::path& root, AccountId account, Scan& scan, std::shared_ptr<kv::Env> env,
               const Databases& databases, Time now)
    : id_(account), scan_(scan), env_(std::move(env)), db_(databases) {
    const std::uint64_t clock =
        static_cast<std::uint64_t>(std::max<std::int64_t>(now.time_since_epoch().count(), 1));
    modseq_ = std::max(clock, scan.sidecar ? scan.sidecar->modseq + kModSeqGap : 0);
    const bool is_young = !scan.sidecar && scan.highest_message == 0;
    account_.next_message =
        std::max(scan.highest_message + 1, scan.sidecar ? scan.sidecar->next_message : 1) +
        (is_young ? 0 : kMessageGap);
    account_.modseq = modseq_;
    account_.next_mailbox = scan.next_mailbox;
    account_.last_uidvalidity = scan.last_uidvalidity;
    if (!scan.sidecar) return;
    account_.quota_octets = scan.sidecar->quota_octets;
    account_.quota_messages = scan.sidecar->quota_messages;
    account_.quota_mailboxes = scan.sidecar->quota_mailboxes;
    for (const std::string& name : scan.sidecar->keywords) (void)keywords_.take({name});
    for (const auto& [id, box] : scan.boxes) {
        if (!box.is_known) continue;
        MailboxSidecar read = sidecar::read_mailbox(root, account, id);
        if (read.empty()) continue;
        Side& side = sides_[id];
        for (auto& [name, uids] : read.keywords) {
            (void)keywords_.take({name});
            if (const int bit = keywords_.find(name); bit >= 0)
                side.keywords.emplace_back(static_cast<std::size_t>(bit), std::move(uids));
        }
        side.delays = std::move(read.delays);
        side.early = std::move(read.early);
    }
}

// Without a flush: nobody needs the index before it is whole.
Outcome<void> Writer::transact(FunctionRef<Outcome<void>(kv::WriteTransaction&)> work) {
    const AccountRecord before = account_;
    while (true) {
        bool wants_growth = false;
        {
            account_ = before;
            TRY(transaction, env_->write());
            auto done = work(transaction);
            if (done) {
                if (auto committed = transaction.commit(); !committed) done = Failure(committed.error());
            }
            wants_growth = !done && transaction.wants_growth();
            if (!wants_growth) return done;
        }
        TRY_VOID(env_->grow());
    }
}

Outcome<void> Writer::add(std::span<const Found> messages) {
    return transact([&](kv::WriteTransaction& transaction) -> Outcome<void> {
        for (const Found& message : messages) TRY_VOID(add_one(transaction, message));
        return {};
    });
}

Outcome<void> Writer::add_one(kv::WriteTransaction& transaction, const Found& message) {
    const std::uint64_t id = message.places.front().message;
    const kv::Key number = key::number(id);
    std::uint64_t thread = id;
    if (!message.cache.empty()) {
        const std::string_view cache = message.cache;
        const std::size_t rare = CachedMessage::rare_part(cache);
        TRY_VOID(transaction.put(db_.cache, number, cache.substr(0, rare), kv::PutMode::append));
        if (rare < cache.size())
            TRY_VOID(transaction.put(db_.rare, number, cache.substr(rare), kv::PutMode::append));
        if (const auto cached = CachedMessage::read(cache))
            TRY_VOID(transaction.put(db_.headers, number, build_header_record(*cached), kv::PutMode::append));
        TRY(of, thread_of(transaction, db_, id, cache));
        thread = of;
    }
    for (const Entry& entry : message.places) {
        MessageRecord record = record_of(entry, thread);
        if (entry.is_odd) {
            Task task;
            task.kind = Task::Kind::adopt;
            task.file = file_name_of(entry.mailbox, entry.uid, record);
            task.path = path_of(scan_, id_, entry);
            TRY(task_number, add_task(transaction, task));
            record.task = task_number;
        }
        TRY_VOID(transaction.put(db_.messages, key::message(entry.mailbox, entry.uid), record.view()));
    }
    if (message.places.size() > 1) {
        TRY_VOID(transaction.put(db_.references, number,
                                 encode_u32(static_cast<std::uint32_t>(message.places.size())),
                                 kv::PutMode::append));
    }
    ++account_.messages;
    account_.octets += message.places.front().size;
    account_.entries += message.places.size();
    return {};
}

MessageRecord Writer::record_of(const Entry& entry, std::uint64_t thread) {
    MessageRecord record;
    record.message = entry.message;
    record.thread = thread;
    record.modseq = modseq_;
    record.internal_date = entry.date;
    record.set(entry.size, entry.place.flags(), Place::wanted(entry.place.flags(), entry.place));
    if (const auto side = sides_.find(entry.mailbox); side != sides_.end()) {
        record.keywords = keywords_of(entry).words;
        if (entry.date == 0) record.internal_date = lookup(side->second.early, entry.uid, 0);
        record.save_date = record.internal_date + lookup(side->second.delays, entry.uid, 0);
    } else {
        record.save_date = record.internal_date;
    }
    return record;
}

Keywords Writer::keywords_of(const Entry& entry) const {
    Keywords keywords;
    const auto side = sides_.find(entry.mailbox);
    if (side == sides_.end()) return keywords;
    for (const auto& [bit, uids] : side->second.keywords) {
        if (uids.contains(Uid(entry.uid))) keywords.set(bit);
    }
    return keywords;
}

Outcome<std::uint64_t> Writer::add_task(kv::WriteTransaction& transaction, const Task& task) {
    const std::uint64_t number = account_.next_task++;
    TRY_VOID(transaction.put(db_.tasks, key::number(number), task.encode(), kv::PutMode::append));
    return number;
}

// In the order of mailboxes and UIDs, so that sets are made from their lower ends.
Outcome<void> Writer::count_messages(kv::WriteTransaction& transaction) {
    counted_.clear();
    TRY(cursor, kv::Cursor::open(transaction, db_.messages));
    TRY(found, cursor.first());
    for (bool there = found; there;) {
        kv::KeyReader place(cursor.key());
        const std::uint32_t mailbox = place.u32();
        const Uid uid(place.u32());
        const MessageRecord record = MessageRecord::decode(cursor.value());
        Counted& counted = counted_[mailbox];
        counted.all.add(uid);
        counted.octets += record.size();
        if (!record.flags().has(SystemFlag::seen)) counted.unseen.add(uid);
        if (record.flags().has(SystemFlag::deleted)) {
            counted.deleted.add(uid);
            counted.deleted_octets += record.size();
        }
        if (record.name_is_stale()) counted.stale.add(uid);
        TRY(next, cursor.next());
        there = next;
    }
    return {};
}

Outcome<void> Writer::write_mailboxes(kv::WriteTransaction& transaction) {
    for (const auto& [id, box] : scan_.boxes) {
        const Counted& counted = counted_[id];
        MailboxRecord record;
        record.name = box.about.name;
        record.folder = box.about.folder;
        record.highestmodseq = modseq_;
        record.vanished_floor = modseq_;
        record.octets = counted.octets;
        record.deleted_octets = counted.deleted_octets;
        record.created = box.about.created;
        record.uidvalidity = box.about.uidvalidity;
        record.uidnext = next_uid(box);
        record.messages = static_cast<std::uint32_t>(counted.all.count());
        record.unseen = static_cast<std::uint32_t>(counted.unseen.count());
        record.deleted = static_cast<std::uint32_t>(counted.deleted.count());
        record.special_use = box.about.special_use;
        if (record.special_use != SpecialUse::none)
            account_.special[static_cast<std::size_t>(record.special_use)] = id;
        TRY_VOID(transaction.put(db_.mailboxes, key::mailbox(id), record.encode()));
        TRY_VOID(transaction.put(db_.names, record.name, encode_u32(id)));
        if (!record.folder.empty()) TRY_VOID(transaction.put(db_.folders, record.folder, encode_u32(id)));
        const kv::Key prefix = key::mailbox(id);
        TRY_VOID(RangeTable(transaction, db_.runs).add(prefix, counted.all));
        TRY_VOID(RangeTable(transaction, db_.unseen).add(prefix, counted.unseen));
        TRY_VOID(RangeTable(transaction, db_.deleted).add(prefix, counted.deleted));
        TRY_VOID(RangeTable(transaction, db_.renames).add(prefix, counted.stale));
        TRY_VOID(RangeTable(transaction, db_.changes).add(key::modseq(id, modseq_), counted.all));
        Task task;
        task.kind = Task::Kind::settle_folder;
        task.file.mailbox = id;
        TRY_VOID(add_task(transaction, task));
    }
    return {};
}

Outcome<void> Writer::write_lists(kv::WriteTransaction& transaction) {
    for (const std::string& name : scan_.subscriptions)
        TRY_VOID(transaction.put(db_.subscriptions, name, "1"));
    if (!keywords_.names().empty())
        TRY_VOID(transaction.put(db_.meta, key::kKeywordsKey, keywords_.encode()));
    if (!scan_.sidecar) return {};
    for (const AccountSidecar::Line& line : scan_.sidecar->acl) {
        if (!scan_.boxes.contains(line.mailbox) || line.entry.rights.empty()) continue;
        TRY_VOID(transaction.put(db_.acl, key::acl(line.mailbox, line.entry.who, line.entry.negative),
                                 encode_rights(line.entry.rights)));
        if (!line.entry.negative)
            TRY_VOID(transaction.put(db_.grants, key::grant(line.entry.who, line.mailbox), "1"));
    }
    for (const AccountSidecar::Annotation& note : scan_.sidecar->annotations) {
        if (note.mailbox != 0 && !scan_.boxes.contains(note.mailbox)) continue;
        AnnotationRecord record;
        record.modseq = modseq_;
        record.value = note.value;
        TRY_VOID(transaction.put(db_.metadata, key::entry(note.mailbox, note.name), record.encode()));
        account_.metadata_modseq = modseq_;
    }
    return {};
}

Outcome<void> Writer::finish() {
    return transact([&](kv::WriteTransaction& transaction) -> Outcome<void> {
        TRY_VOID(count_messages(transaction));
        TRY_VOID(write_mailboxes(transaction));
        TRY_VOID(write_lists(transaction));
        TRY_VOID(transaction.put(db_.meta, key::kFormatKey, encode_u32(kFormat)));
        TRY_VOID(transaction.put(db_.meta, key::kIdKey, encode_u32(id_.value)));
        TRY_VOID(transaction.put(db_.meta, key::kAccountKey, account_.encode()));
        return {};
    });
}

}  // namespace mailstead::store::rebuild
