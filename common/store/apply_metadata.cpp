// Annotations (RFC 5464). A removed one leaves a row without value, so that other sessions can be told.
#include <map>

#include "common/store/applier.h"

namespace mailstead::store {

// Before anything is written: how things would be afterwards.
Outcome<void> Applier::check_metadata(std::uint32_t mailbox, const SetMetadata& action) {
    std::map<std::string_view, std::optional<std::size_t>> wanted;  // sizes by name
    for (const SetMetadata::Entry& entry : action.entries) {
        if (entry.name.empty() || entry.name.size() > kMaxMetadataName)
            return Failure(Fault::limit, "the entry name is too long");
        if (entry.value && entry.value->size() > kMaxMetadataValue)
            return Failure(Fault::limit, "the value is too long");
        wanted[entry.name] = entry.value ? std::optional(entry.value->size()) : std::nullopt;
    }
    std::size_t all = 0;
    std::size_t here = 0;
    std::uint64_t octets = 0;
    const auto count = [&](bool is_here, std::size_t size) {
        ++all;
        octets += size;
        if (is_here) ++here;
    };
    for (const auto& [name, size] : wanted) {
        if (size) count(true, *size);
    }
    TRY(cursor, kv::Cursor::open(txn_, db_.metadata));
    TRY(found, cursor.first());
    for (bool there = found; there;) {
        TRY(record, AnnotationRecord::decode(cursor.value()));
        kv::KeyReader row(cursor.key());
        const bool is_here = row.u32() == mailbox;
        const bool replaced = is_here && wanted.contains(cursor.key().substr(sizeof mailbox));
        if (!record.removed && !replaced) count(is_here, record.value.size());
        TRY(next, cursor.next());
        there = next;
    }
    if (all > kMaxMetadataEntries || here > kMaxMetadataPerMailbox || octets > kMaxMetadataOctets)
        return Failure(Fault::limit, "too many annotations");
    return {};
}

Outcome<ChangeResult> Applier::run(const SetMetadata& action) {
    std::uint32_t id = 0;
    if (action.mailbox) {
        TRY(mailbox, find_existing(*action.mailbox));
        id = mailbox.id;
    }
    TRY_VOID(check_metadata(id, action));
    for (const SetMetadata::Entry& entry : action.entries) {
        const kv::Key place = key::entry(id, entry.name);
        if (!entry.value) {
            TRY(existing, txn_.get(db_.metadata, place));
            if (!existing) continue;
        }
        AnnotationRecord record;
        record.modseq = modseq();
        record.removed = !entry.value;
        if (entry.value) record.value = *entry.value;
        TRY_VOID(txn_.put(db_.metadata, place, record.encode()));
    }
    account_.metadata_modseq = modseq();
    TRY_VOID(forget_removed_metadata());
    return ChangeResult(MetadataSet{ModSeq(modseq())});
}

// Rows without value are for sessions that look soon; they must not pile up.
Outcome<void> Applier::forget_removed_metadata() {
    TRY(rows, txn_.count(db_.metadata));
    if (rows <= 2 * kMaxMetadataEntries) return {};
    TRY(cursor, kv::Cursor::open(txn_, db_.metadata));
    TRY(found, cursor.first());
    for (bool there = found; there;) {
        TRY(record, AnnotationRecord::decode(cursor.value()));
        if (record.removed && record.modseq != modseq()) TRY_VOID(cursor.erase());
        TRY(next, cursor.next());
        there = next;
    }
    return {};
}

Outcome<void> Applier::erase_metadata(std::uint32_t mailbox) {
    TRY_VOID(RangeTable(txn_, db_.metadata).clear(key::mailbox(mailbox)));
    return {};
}

Outcome<void> Applier::copy_metadata(std::uint32_t from, std::uint32_t to) {
    std::map<std::string, std::string> rows;
    {
        const kv::Key prefix = key::mailbox(from);
        TRY(cursor, kv::Cursor::open(txn_, db_.metadata));
        TRY(found, cursor.seek(prefix));
        for (bool there = found; there && cursor.key().starts_with(prefix.view());) {
            TRY(record, AnnotationRecord::decode(cursor.value()));
            record.modseq = modseq();
            if (!record.removed) rows[std::string(cursor.key().substr(sizeof from))] = record.encode();
            TRY(next, cursor.next());
            there = next;
        }
    }
    for (const auto& [name, bytes] : rows) TRY_VOID(txn_.put(db_.metadata, key::entry(to, name), bytes));
    if (!rows.empty()) account_.metadata_modseq = modseq();
    return {};
}

}  // namespace mailstead::store
