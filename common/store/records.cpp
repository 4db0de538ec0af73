#include "common/store/records.h"

#include <cstring>

#include "common/base/bytes.h"

namespace mailstead::store {

kv::EnvOptions index_options(kv::Access access) {
    kv::EnvOptions options;
    options.access = access;
    options.max_databases = 24;
    return options;
}

Result<Databases> open_databases(kv::Env& env) {
    TRY(list, env.open_databases({"meta",  "mailboxes",  "names",   "folders", "subscriptions", "messages",
                                  "runs",  "unseen",     "deleted", "changes", "expunged",      "renames",
                                  "tasks", "references", "cache",   "rare",    "threads",       "metadata",
                                  "acl",   "grants",     "headers"}));
    Databases d;
    std::size_t n = 0;
    for (kv::Database* database :
         {&d.meta,   &d.mailboxes, &d.names,   &d.folders,  &d.subscriptions, &d.messages, &d.runs,
          &d.unseen, &d.deleted,   &d.changes, &d.expunged, &d.renames,       &d.tasks,    &d.references,
          &d.cache,  &d.rare,      &d.threads, &d.metadata, &d.acl,           &d.grants,   &d.headers}) {
        *database = list[n++];
    }
    return d;
}

std::string AccountRecord::encode() const {
    ByteWriter out;
    for (const std::uint64_t v :
         {next_message, next_task, modseq, messages, octets, quota_octets, quota_messages})
        out.fixed64(v);
    out.fixed32(next_mailbox);
    out.fixed32(last_uidvalidity);
    for (const std::uint32_t id : special) out.fixed32(id);
    for (const std::uint64_t v : {entries, quota_mailboxes, metadata_modseq}) out.fixed64(v);
    return out.take();
}

Outcome<AccountRecord> AccountRecord::decode(std::string_view bytes) {
    ByteReader in(bytes);
    AccountRecord r;
    for (std::uint64_t* v : {&r.next_message, &r.next_task, &r.modseq, &r.messages, &r.octets,
                             &r.quota_octets, &r.quota_messages}) {
        *v = in.fixed64();
    }
    r.next_mailbox = in.fixed32();
    r.last_uidvalidity = in.fixed32();
    for (std::uint32_t& id : r.special) id = in.fixed32();
    r.knows_entries = !in.at_end();
    if (r.knows_entries) {
        for (std::uint64_t* v : {&r.entries, &r.quota_mailboxes, &r.metadata_modseq}) *v = in.fixed64();
    }
    if (!in.ok()) return Failure(Fault::damaged, "the account record is cut");
    return r;
}

std::string MailboxRecord::encode() const {
    ByteWriter out;
    for (const std::uint64_t v :
         {highestmodseq, vanished_floor, octets, deleted_octets, static_cast<std::uint64_t>(created)}) {
        out.fixed64(v);
    }
    for (const std::uint32_t v : {uidvalidity, uidnext, messages, unseen, deleted, expunged_rows})
        out.fixed32(v);
    out.u8(static_cast<std::uint8_t>(special_use));
    out.boolean(is_gone);
    out.string(name);
    out.string(folder);
    return out.take();
}

Outcome<MailboxRecord> MailboxRecord::decode(std::string_view bytes) {
    ByteReader in(bytes);
    MailboxRecord r;
    for (std::uint64_t* v : {&r.highestmodseq, &r.vanished_floor, &r.octets, &r.deleted_octets})
        *v = in.fixed64();
    r.created = static_cast<std::int64_t>(in.fixed64());
    for (std::uint32_t* v :
         {&r.uidvalidity, &r.uidnext, &r.messages, &r.unseen, &r.deleted, &r.expunged_rows})
        *v = in.fixed32();
    const std::uint8_t use = in.u8();
    r.is_gone = in.boolean();
    r.name = in.string();
    r.folder = in.string();
    if (!in.ok() || use > static_cast<std::uint8_t>(SpecialUse::trash)) {
        return Failure(Fault::damaged, "a mailbox record is cut");
    }
    r.special_use = static_cast<SpecialUse>(use);
    return r;
}

MessageRecord MessageRecord::decode(std::string_view bytes) {
    MessageRecord record;
    if (bytes.size() == sizeof record) std::memcpy(&record, bytes.data(), sizeof record);
    return record;
}

MessageInfo MessageRecord::info(std::uint32_t uid) const {
    MessageInfo info;
    info.uid = Uid(uid);
    info.message = MessageId(message);
    info.thread = ThreadId(thread);
    info.modseq = ModSeq(modseq);
    info.flags.system = flags();
    info.flags.keywords.words = keywords;
    info.internal_date = Time(Seconds(internal_date));
    info.save_date = Time(Seconds(save_date));
    info.size = size();
    info.file_task = task;
    info.file_place = place().bits();
    return info;
}

FileName file_name_of(std::uint32_t mailbox, std::uint32_t uid, const MessageRecord& record) {
    return {mailbox, uid, record.message, record.internal_date, record.size(), record.place()};
}

FileName Task::source() const {
    FileName name = file;
    name.mailbox = from_mailbox;
    name.uid = from_uid;
    name.place = from_place;
    return name;
}

std::string Task::encode() const {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(kind));
    out.varint(file.mailbox);
    out.varint(file.uid);
    out.varint(file.message);
    out.fixed64(static_cast<std::uint64_t>(file.date));
    out.varint(file.size);
    out.u8(file.place.bits());
    out.varint(from_mailbox);
    out.varint(from_uid);
    out.u8(from_place.bits());
    out.varint(after);
    out.boolean(last_reference);
    out.string(path);
    if (kind == Kind::unlink) {
        out.fixed64(static_cast<std::uint64_t>(at));
        out.u8(flags.bits());
        for (const std::uint64_t word : keywords) out.varint(word);
    }
    return out.take();
}

Outcome<Task> Task::decode(std::string_view bytes) {
    ByteReader in(bytes);
    Task t;
    const std::uint8_t kind = in.u8();
    t.kind = static_cast<Kind>(kind);
    t.file.mailbox = in.varint32();
    t.file.uid = in.varint32();
    t.file.message = in.varint();
    t.file.date = static_cast<std::int64_t>(in.fixed64());
    t.file.size = in.varint();
    t.file.place = Place(in.u8());
    t.from_mailbox = in.varint32();
    t.from_uid = in.varint32();
    t.from_place = Place(in.u8());
    t.after = in.varint();
    t.last_reference = in.boolean();
    t.path = in.string();
    if (t.kind == Kind::unlink && !in.at_end()) {
        t.at = static_cast<std::int64_t>(in.fixed64());
        t.flags = SystemFlags::from_bits(in.u8());
        for (std::uint64_t& word : t.keywords) word = in.varint();
    }
    if (!in.ok() || kind < 1 || kind > 7) return Failure(Fault::damaged, "a file task is cut");
    return t;
}

std::string ThreadEntry::encode() const {
    ByteWriter out;
    out.fixed64(thread);
    out.fixed32(subject);
    return out.take();
}

ThreadEntry ThreadEntry::decode(std::string_view bytes) {
    ByteReader in(bytes);
    ThreadEntry entry;
    entry.thread = in.fixed64();
    entry.subject = in.fixed32();
    return entry;
}

std::string encode_rights(Rights rights) {
    return encode_u32(rights.bits());
}

Rights decode_rights(std::string_view bytes) {
    return Rights::from_bits(static_cast<std::uint16_t>(decode_u32(bytes) & Rights::kAll));
}

std::string AnnotationRecord::encode() const {
    ByteWriter out;
    out.fixed64(modseq);
    out.boolean(removed);
    out.raw(value);
    return out.take();
}

Outcome<AnnotationRecord> AnnotationRecord::decode(std::string_view bytes) {
    ByteReader in(bytes);
    AnnotationRecord r;
    r.modseq = in.fixed64();
    r.removed = in.boolean();
    if (!in.ok()) return Failure(Fault::damaged, "an annotation is cut");
    r.value = in.rest();
    return r;
}

std::string encode_u32(std::uint32_t n) {
    ByteWriter out;
    out.fixed32(n);
    return out.take();
}

std::uint32_t decode_u32(std::string_view bytes) {
    return ByteReader(bytes).fixed32();
}

Outcome<bool> check_format(const kv::Transaction& transaction, const Databases& databases) {
    TRY(value, transaction.get(databases.meta, key::kFormatKey));
    if (!value) return false;
    const std::uint32_t format = decode_u32(*value);
    if (format == 0) return Failure(Fault::damaged, "the index has no format version");
    if (format > kFormat) {
        return Failure(Fault::newer_format, "the index has format " + std::to_string(format) +
                                                "; this program knows " + std::to_string(kFormat));
    }
    return true;
}

}  // namespace mailstead::store
