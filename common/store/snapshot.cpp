#include <algorithm>

#include "common/store/index.h"
#include "common/store/range_table.h"
#include "common/store/reader.h"

namespace mailstead::store {
namespace {

Outcome<MailboxInfo> info_of(std::uint32_t id, const MailboxRecord& record, bool subscribed) {
    auto name = MailboxName::parse(record.name);
    if (!name) return Failure(Fault::damaged, "a mailbox name is damaged");
    MailboxInfo info;
    info.id = MailboxId(id);
    info.name = *std::move(name);
    info.uidvalidity = UidValidity(record.uidvalidity);
    info.uidnext = Uid(record.uidnext);
    info.highestmodseq = ModSeq(record.highestmodseq);
    info.vanished_floor = ModSeq(record.vanished_floor);
    info.special_use = record.special_use;
    info.subscribed = subscribed;
    info.created = Time(Milliseconds(record.created));
    info.messages = record.messages;
    info.unseen = record.unseen;
    info.deleted = record.deleted;
    info.octets = record.octets;
    info.deleted_octets = record.deleted_octets;
    return info;
}

// The ranges of all rows of `prefix` from mod-sequence `from` on.
Outcome<UidSet> ranges_since(const kv::ReadTransaction& txn, kv::Database database, std::uint32_t mailbox,
                             std::uint64_t from) {
    TRY(cursor, kv::Cursor::open(txn, database));
    std::vector<UidRange> ranges;
    TRY(found, cursor.seek(key::modseq(mailbox, from)));
    for (bool there = found; there;) {
        kv::KeyReader row(cursor.key());
        if (row.u32() != mailbox) break;
        row.u64();
        ranges.push_back(UidRange{row.u32(), decode_u32(cursor.value())});
        TRY(next, cursor.next());
        there = next;
    }
    return UidSet::from(std::move(ranges));
}

}  // namespace

Snapshot::Snapshot(std::unique_ptr<State> state) : state_(std::move(state)) {}
Snapshot::Snapshot(Snapshot&&) noexcept = default;
Snapshot& Snapshot::operator=(Snapshot&&) noexcept = default;
Snapshot::~Snapshot() = default;

// ---- records

Outcome<MailboxRecord> Snapshot::State::mailbox_even_gone(std::uint32_t id) const {
    TRY(bytes, txn.get(index->db.mailboxes, key::mailbox(id)));
    if (!bytes) return Failure(Fault::non_existent, "no such mailbox");
    return MailboxRecord::decode(*bytes);
}

Outcome<MailboxRecord> Snapshot::State::mailbox(MailboxId id) const {
    TRY(record, mailbox_even_gone(id.value));
    if (record.is_gone) return Failure(Fault::non_existent, "the mailbox was deleted");
    return record;
}

Outcome<std::optional<MessageRecord>> Snapshot::State::message(std::uint32_t mailbox_id,
                                                               std::uint32_t uid) const {
    TRY(bytes, txn.get(index->db.messages, key::message(mailbox_id, uid)));
    if (!bytes) return std::optional<MessageRecord>();
    const MessageRecord record = MessageRecord::decode(*bytes);
    if (record.message == 0) return Failure(Fault::damaged, "a message record is cut");
    return std::optional<MessageRecord>(record);
}

Outcome<UidSet> Snapshot::State::ranges(kv::Database database, MailboxId id) const {
    TRY(cursor, kv::Cursor::open(txn, database));
    TRY(set, read_ranges(cursor, key::mailbox(id.value)));
    return set;
}

Result<kv::Cursor*> Snapshot::State::message_cursor() {
    if (!messages) {
        TRY(cursor, kv::Cursor::open(txn, index->db.messages));
        messages.emplace(std::move(cursor));
    }
    return &*messages;
}

std::optional<std::string_view> Snapshot::State::by_message(std::optional<kv::Cursor>& cursor,
                                                            kv::Database database, MessageId message) const {
    if (!cursor) {
        auto opened = kv::Cursor::open(txn, database);
        if (!opened) return std::nullopt;
        cursor.emplace(*std::move(opened));
    }
    const kv::Key wanted = key::number(message.value);
    if (!cursor->key().empty() && cursor->key() < wanted.view()) {
        // The next one in most cases: fetches walk in the order of arrival.
        if (!cursor->next()) return std::nullopt;
    }
    if (cursor->key() != wanted.view()) {
        const auto found = cursor->find(wanted);
        if (!found || !*found) return std::nullopt;
    }
    return cursor->value();
}

// ---- account and mailboxes

Outcome<AccountInfo> Snapshot::account() const {
    TRY(bytes, state_->txn.get(state_->index->db.meta, key::kAccountKey));
    if (!bytes) return Failure(Fault::damaged, "the account record is missing");
    TRY(record, AccountRecord::decode(*bytes));
    AccountInfo info;
    info.id = state_->index->id;
    info.messages = record.messages;
    info.octets = record.octets;
    info.quota_octets = record.quota_octets;
    info.quota_messages = record.quota_messages;
    info.quota_mailboxes = record.quota_mailboxes;
    info.entries = record.knows_entries ? record.entries : record.messages;
    TRY(mailboxes, state_->txn.count(state_->index->db.names));
    info.mailboxes = mailboxes;
    info.metadata_modseq = ModSeq(record.metadata_modseq);
    info.highest_modseq = ModSeq(record.modseq);
    info.last_message = MessageId(record.next_message - 1);
    return info;
}

ModSeq Snapshot::highest_modseq() const {
    const auto info = account();
    return info ? info->highest_modseq : ModSeq(0);
}

Outcome<MailboxInfo> Snapshot::mailbox(MailboxId id) const {
    TRY(record, state_->mailbox(id));
    TRY(subscribed, state_->txn.get(state_->index->db.subscriptions, record.name));
    return info_of(id.value, record, subscribed.has_value());
}

Outcome<MailboxInfo> Snapshot::find(const MailboxName& name) const {
    TRY(id, state_->txn.get(state_->index->db.names, name.utf8()));
    if (!id) return Failure(Fault::non_existent, "no such mailbox");
    return mailbox(MailboxId(decode_u32(*id)));
}

Outcome<std::vector<MailboxInfo>> Snapshot::mailboxes() const {
    std::vector<MailboxInfo> list;
    TRY(cursor, kv::Cursor::open(state_->txn, state_->index->db.names));
    TRY(found, cursor.first());
    for (bool there = found; there;) {
        TRY(info, mailbox(MailboxId(decode_u32(cursor.value()))));
        list.push_back(std::move(info));
        TRY(next, cursor.next());
        there = next;
    }
    return list;
}

Outcome<std::vector<MailboxName>> Snapshot::subscriptions() const {
    std::vector<MailboxName> list;
    TRY(cursor, kv::Cursor::open(state_->txn, state_->index->db.subscriptions));
    TRY(found, cursor.first());
    for (bool there = found; there;) {
        if (auto name = MailboxName::parse(cursor.key())) list.push_back(*std::move(name));
        TRY(next, cursor.next());
        there = next;
    }
    return list;
}

Outcome<std::vector<std::string>> Snapshot::keywords() const {
    TRY(bytes, state_->txn.get(state_->index->db.meta, key::kKeywordsKey));
    if (!bytes) return std::vector<std::string>();
    TRY(table, KeywordTable::decode(*bytes));
    return table.names();
}

// ---- access lists

Outcome<Rights> Snapshot::rights(MailboxId id, AccountId who) const {
    if (who == state_->index->id) return Rights::all();
    const auto line = [&](AccountId account, bool negative) -> Outcome<Rights> {
        TRY(bytes, state_->txn.get(state_->index->db.acl, key::acl(id.value, account, negative)));
        return bytes ? decode_rights(*bytes) : Rights();
    };
    TRY(granted, line(who, false));
    TRY(granted_to_all, line(kAnyone, false));
    const Rights positive = granted | granted_to_all;
    if (positive.empty()) return positive;
    TRY(denied, line(who, true));
    TRY(denied_to_all, line(kAnyone, true));
    return positive.without(denied | denied_to_all);
}

Outcome<std::vector<AclEntry>> Snapshot::acl(MailboxId id) const {
    std::vector<AclEntry> list;
    TRY(cursor, kv::Cursor::open(state_->txn, state_->index->db.acl));
    TRY(found, cursor.seek(key::mailbox(id.value)));
    for (bool there = found; there;) {
        kv::KeyReader row(cursor.key());
        if (row.u32() != id.value) break;
        AclEntry entry;
        entry.who = AccountId(row.u32());
        entry.negative = row.u8() != 0;
        entry.rights = decode_rights(cursor.value());
        list.push_back(entry);
        TRY(next, cursor.next());
        there = next;
    }
    return list;
}

Outcome<std::vector<MailboxId>> Snapshot::granted_to(AccountId who) const {
    std::vector<MailboxId> list;
    TRY(cursor, kv::Cursor::open(state_->txn, state_->index->db.grants));
    for (const AccountId each : {kAnyone, who}) {
        TRY(found, cursor.seek(key::grant(each, 0)));
        for (bool there = found; there;) {
            kv::KeyReader row(cursor.key());
            if (row.u32() != each.value) break;
            list.push_back(MailboxId(row.u32()));
            TRY(next, cursor.next());
            there = next;
        }
    }
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list;
}

// ---- numbering

Outcome<UidSet> Snapshot::uids(MailboxId id) const {
    TRY_VOID(state_->mailbox(id));
    return state_->ranges(state_->index->db.runs, id);
}
Outcome<UidRuns> Snapshot::runs(MailboxId id) const {
    TRY(set, uids(id));
    return UidRuns(set);
}
Outcome<UidSet> Snapshot::unseen(MailboxId id) const {
    TRY_VOID(state_->mailbox(id));
    return state_->ranges(state_->index->db.unseen, id);
}
Outcome<UidSet> Snapshot::deleted(MailboxId id) const {
    TRY_VOID(state_->mailbox(id));
    return state_->ranges(state_->index->db.deleted, id);
}

Outcome<std::optional<Uid>> Snapshot::first_unseen(MailboxId id) const {
    TRY_VOID(state_->mailbox(id));
    TRY(cursor, kv::Cursor::open(state_->txn, state_->index->db.unseen));
    TRY(found, cursor.seek(key::mailbox(id.value)));
    if (!found) return std::optional<Uid>();
    const auto row = range_under(key::mailbox(id.value), cursor.key(), cursor.value());
    return row ? std::optional(Uid(row->first)) : std::nullopt;
}

// ---- messages

Outcome<void> Snapshot::messages(MailboxId id, const UidSet& uids, MessageVisitor visit) const {
    TRY_VOID(state_->mailbox(id));
    TRY(cursor, state_->message_cursor());
    std::uint32_t at = 0;
    bool stands = false;
    for (const UidRange range : uids.ranges()) {
        if (!stands || at < range.first) {
            TRY(found, cursor->seek(key::message(id.value, range.first)));
            if (!found) return {};
        }
        while (true) {
            kv::KeyReader place(cursor->key());
            if (place.u32() != id.value) return {};
            at = place.u32();
            stands = true;
            if (at > range.last) break;
            const MessageRecord record = MessageRecord::decode(cursor->value());
            if (record.message == 0) return Failure(Fault::damaged, "a message record is cut");
            if (!visit(record.info(at))) return {};
            TRY(next, cursor->next());
            if (!next) return {};
        }
    }
    return {};
}

Outcome<std::optional<MessageInfo>> Snapshot::message(MailboxId id, Uid uid) const {
    TRY_VOID(state_->mailbox(id));
    TRY(record, state_->message(id.value, uid.value));
    if (!record) return std::optional<MessageInfo>();
    return std::optional(record->info(uid.value));
}

Outcome<void> Snapshot::changed_since(MailboxId id, ModSeq since, const UidSet& within,
                                      MessageVisitor visit) const {
    if (since.value == UINT64_MAX) return {};
    TRY(changed, ranges_since(state_->txn, state_->index->db.changes, id.value, since.value + 1));
    // A row may span UIDs that changed before and gaps; the message's own number decides.
    const auto newer = [&](const MessageInfo& message) { return message.modseq <= since || visit(message); };
    return messages(id, changed.intersected(within), newer);
}

Outcome<UidSet> Snapshot::vanished_since(MailboxId id, ModSeq since, const UidSet& known) const {
    TRY(record, state_->mailbox(id));
    if (since.value < record.vanished_floor) {
        TRY(existing, uids(id));
        if (record.uidnext <= 1) return UidSet();
        return known.intersected(UidSet({UidRange{1, record.uidnext - 1}})).without(existing);
    }
    if (since.value == UINT64_MAX) return UidSet();
    TRY(gone, ranges_since(state_->txn, state_->index->db.expunged, id.value, since.value + 1));
    return gone.intersected(known);
}

// ---- contents

std::optional<CachedMessage> Snapshot::cached(MessageId message) const {
    const auto record = state_->by_message(state_->cache, state_->index->db.cache, message);
    return record ? CachedMessage::read(*record) : std::nullopt;
}

std::optional<bool> Snapshot::has_bare_lf(MessageId message) const {
    const auto record = state_->by_message(state_->cache, state_->index->db.cache, message);
    return record ? CachedMessage::read_bare_lf(*record) : std::nullopt;
}

std::optional<CachedMessage> Snapshot::cached(MessageId message, const FieldRequest& request) const {
    auto found = cached(message);
    if (found && request.wants_rare()) {
        if (const auto part = state_->by_message(state_->rare, state_->index->db.rare, message))
            found->attach_rare(*part);
    }
    return found;
}

std::optional<HeaderRecord> Snapshot::header(MessageId message) const {
    const auto record = state_->by_message(state_->headers, state_->index->db.headers, message);
    return record ? HeaderRecord::read(*record) : std::nullopt;
}

bool Snapshot::exists(MessageId message) const {
    return state_->by_message(state_->cache, state_->index->db.cache, message).has_value();
}

Outcome<std::uint64_t> Snapshot::stored_messages() const {
    TRY(count, state_->txn.count(state_->index->db.cache));
    return count;
}

// ---- annotations

Outcome<std::vector<Snapshot::Annotation>> Snapshot::metadata(const std::optional<MailboxName>& name) const {
    std::uint32_t id = 0;
    if (name) {
        TRY(info, find(*name));
        id = info.id.value;
    }
    std::vector<Annotation> list;
    TRY(cursor, kv::Cursor::open(state_->txn, state_->index->db.metadata));
    const kv::Key prefix = key::mailbox(id);
    TRY(found, cursor.seek(prefix));
    for (bool there = found; there && cursor.key().starts_with(prefix.view());) {
        TRY(record, AnnotationRecord::decode(cursor.value()));
        if (!record.removed) {
            list.push_back(
                {std::string(cursor.key().substr(prefix.view().size())), std::string(record.value)});
        }
        TRY(next, cursor.next());
        there = next;
    }
    return list;
}

Outcome<std::vector<Snapshot::ChangedAnnotation>> Snapshot::metadata_since(ModSeq since) const {
    std::vector<ChangedAnnotation> list;
    TRY(cursor, kv::Cursor::open(state_->txn, state_->index->db.metadata));
    TRY(found, cursor.first());
    for (bool there = found; there;) {
        TRY(record, AnnotationRecord::decode(cursor.value()));
        if (record.modseq > since.value) {
            kv::KeyReader row(cursor.key());
            const MailboxId of(row.u32());
            list.push_back({of, std::string(cursor.key().substr(sizeof of.value)), ModSeq(record.modseq)});
        }
        TRY(next, cursor.next());
        there = next;
    }
    return list;
}

}  // namespace mailstead::store
