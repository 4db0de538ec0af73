#include "common/store/applier.h"

#include "common/store/maildir.h"
#include "common/store/vintages.h"

namespace mailstead::store {

Outcome<ChangeResult> Applier::apply(const Change& change) {
    at_ = change.at;
    TRY_VOID(load());
    TRY(result, std::visit([this](const auto& action) { return run(action); }, change.action));
    TRY_VOID(save());
    return result;
}

// ---- the account

Outcome<void> Applier::load() {
    TRY(exists, check_format(txn_, db_));
    if (!exists) return create_account();
    TRY(bytes, txn_.get(db_.meta, key::kAccountKey));
    if (!bytes) return Failure(Fault::damaged, "the account record is missing");
    account_bytes_ = *bytes;
    TRY(record, AccountRecord::decode(account_bytes_));
    account_ = record;
    if (!account_.knows_entries) TRY_VOID(count_entries());
    return {};
}

// Once, for an account of an older program.
Outcome<void> Applier::count_entries() {
    TRY(cursor, kv::Cursor::open(txn_, db_.mailboxes));
    TRY(found, cursor.first());
    for (bool there = found; there;) {
        TRY(record, MailboxRecord::decode(cursor.value()));
        if (!record.is_gone) account_.entries += record.messages;
        TRY(next, cursor.next());
        there = next;
    }
    account_.knows_entries = true;
    return {};
}

Outcome<void> Applier::save() {
    if (keywords_ && keywords_->names().size() != keywords_before_) {
        TRY_VOID(txn_.put(db_.meta, key::kKeywordsKey, keywords_->encode()));
    }
    if (std::string bytes = account_.encode(); bytes != account_bytes_) {
        TRY_VOID(txn_.put(db_.meta, key::kAccountKey, bytes));
        TRY_VOID(txn_.put(db_.meta, key::kIdKey, encode_u32(id_.value), kv::PutMode::keep_existing));
    }
    return {};
}

Outcome<void> Applier::create_account() {
    struct Default {
        const char* name;
        SpecialUse use;
    };
    constexpr Default kDefaults[] = {{"INBOX", SpecialUse::none},    {"Archive", SpecialUse::archive},
                                     {"Drafts", SpecialUse::drafts}, {"Junk", SpecialUse::junk},
                                     {"Sent", SpecialUse::sent},     {"Trash", SpecialUse::trash}};
    TRY_VOID(txn_.put(db_.meta, key::kFormatKey, encode_u32(kFormat)));
    for (const Default& mailbox : kDefaults) {
        const auto name = MailboxName::parse(mailbox.name);
        TRY_VOID(create_one(*name, mailbox.use, true));
    }
    return {};
}

std::uint64_t Applier::modseq() {
    if (modseq_ == 0) modseq_ = ++account_.modseq;
    return modseq_;
}

Outcome<KeywordTable*> Applier::keywords() {
    if (!keywords_) {
        TRY(bytes, txn_.get(db_.meta, key::kKeywordsKey));
        keywords_.emplace();
        if (bytes) {
            TRY(table, KeywordTable::decode(*bytes));
            keywords_ = std::move(table);
        }
        keywords_before_ = keywords_->names().size();
    }
    return &*keywords_;
}

Outcome<ChangeResult> Applier::run(const CreateAccount&) {
    return ChangeResult(Done{});  // load() did it
}

Outcome<ChangeResult> Applier::run(const SetQuota& action) {
    account_.quota_octets = action.octets;
    account_.quota_messages = action.messages;
    account_.quota_mailboxes = action.mailboxes;
    modseq();
    return ChangeResult(Done{});
}

// ---- mailbox records

Outcome<Applier::Mailbox> Applier::load_mailbox_even_gone(std::uint32_t id) {
    TRY(bytes, txn_.get(db_.mailboxes, key::mailbox(id)));
    if (!bytes) return Failure(Fault::non_existent, "no such mailbox");
    TRY(record, MailboxRecord::decode(*bytes));
    return Mailbox{id, std::move(record)};
}

Outcome<Applier::Mailbox> Applier::load_mailbox(MailboxId id) {
    TRY(mailbox, load_mailbox_even_gone(id.value));
    if (mailbox.record.is_gone) return Failure(Fault::non_existent, "the mailbox was deleted");
    return mailbox;
}

Outcome<void> Applier::save_mailbox(const Mailbox& mailbox) {
    TRY_VOID(txn_.put(db_.mailboxes, key::mailbox(mailbox.id), mailbox.record.encode()));
    return {};
}

Outcome<std::optional<std::uint32_t>> Applier::find_mailbox(std::string_view name) {
    TRY(value, txn_.get(db_.names, name));
    if (!value) return std::optional<std::uint32_t>();
    return std::optional<std::uint32_t>(decode_u32(*value));
}

Outcome<Applier::Mailbox> Applier::find_existing(const MailboxName& name) {
    TRY(id, find_mailbox(name.utf8()));
    if (!id) return Failure(Fault::non_existent, "no such mailbox");
    return load_mailbox(MailboxId(*id));
}

Outcome<Applier::Mailbox> Applier::destination(const Destination& to) {
    if (to.prefer != SpecialUse::none) {
        if (const std::uint32_t id = account_.special[static_cast<std::size_t>(to.prefer)]; id != 0) {
            return load_mailbox(MailboxId(id));
        }
    }
    TRY(id, find_mailbox(to.name.utf8()));
    if (id) return load_mailbox(MailboxId(*id));
    if (!to.create) return Failure(Fault::try_create, "no such mailbox");
    TRY_VOID(check_own(to.name));
    return create_mailbox(to.name, SpecialUse::none, true);
}

// ---- walking messages

Outcome<void> Applier::walk(std::uint32_t mailbox, const UidSet& uids, Walk visit) {
    TRY(cursor, kv::Cursor::open(txn_, db_.messages));
    std::uint32_t at = 0;
    bool stands = false;
    for (const UidRange range : uids.ranges()) {
        if (!stands || at < range.first) {
            TRY(found, cursor.seek(key::message(mailbox, range.first)));
            if (!found) return {};
        }
        while (true) {
            kv::KeyReader place(cursor.key());
            if (place.u32() != mailbox) return {};
            at = place.u32();
            stands = true;
            if (at > range.last) break;
            MessageRecord record = MessageRecord::decode(cursor.value());
            if (record.message == 0) return Failure(Fault::damaged, "a message record is cut");
            TRY(step, visit(at, record));
            if (step == Step::stop) return {};
            if (step == Step::replace) TRY_VOID(cursor.replace(record.view()));
            if (step == Step::erase) TRY_VOID(cursor.erase());
            TRY(next, cursor.next());
            if (!next) return {};
        }
    }
    return {};
}

Outcome<void> Applier::check_room(const Mailbox& mailbox, std::size_t messages) {
    if (messages > kMaxMessages - mailbox.record.uidnext)
        return Failure(Fault::limit, "the mailbox has no UIDs left");
    return {};
}

// ---- into and out of a mailbox

Outcome<UidRange> Applier::put_in(Mailbox& mailbox, Records& records) {
    MailboxRecord& box = mailbox.record;
    const std::uint32_t first = box.uidnext;
    UidSet unseen;
    UidSet deleted;
    for (MessageRecord& record : records) {
        const std::uint32_t uid = box.uidnext++;
        record.modseq = modseq();
        record.save_date = seconds();
        TRY_VOID(txn_.put(db_.messages, key::message(mailbox.id, uid), record.view()));
        ++box.messages;
        ++account_.entries;
        box.octets += record.size();
        if (!record.flags().has(SystemFlag::seen)) {
            ++box.unseen;
            unseen.add(Uid(uid));
        }
        if (record.flags().has(SystemFlag::deleted)) {
            ++box.deleted;
            box.deleted_octets += record.size();
            deleted.add(Uid(uid));
        }
    }
    const UidRange range{first, box.uidnext - 1};
    const kv::Key prefix = key::mailbox(mailbox.id);
    TRY_VOID(RangeTable(txn_, db_.runs).add(prefix, range));
    TRY_VOID(RangeTable(txn_, db_.unseen).add(prefix, unseen));
    TRY_VOID(RangeTable(txn_, db_.deleted).add(prefix, deleted));
    TRY_VOID(RangeTable(txn_, db_.changes).add(key::modseq(mailbox.id, modseq()), range));
    box.highestmodseq = modseq();
    return range;
}

Outcome<UidSet> Applier::take_out(Mailbox& mailbox, const UidSet& uids, Taken visit) {
    MailboxRecord& box = mailbox.record;
    UidSet taken;
    Vintages vintages;
    const auto take = [&](std::uint32_t uid, MessageRecord& record) -> Outcome<Step> {
        taken.add(Uid(uid));
        vintages.add(record.modseq, uid);
        --box.messages;
        if (!box.is_gone) --account_.entries;  // DELETE took them off already
        box.octets -= record.size();
        if (!record.flags().has(SystemFlag::seen)) --box.unseen;
        if (record.flags().has(SystemFlag::deleted)) {
            --box.deleted;
            box.deleted_octets -= record.size();
        }
        TRY_VOID(visit(uid, record));
        return Step::erase;
    };
    TRY_VOID(walk(mailbox.id, uids, take));
    const kv::Key prefix = key::mailbox(mailbox.id);
    for (const kv::Database database : {db_.runs, db_.unseen, db_.deleted, db_.renames}) {
        TRY_VOID(RangeTable(txn_, database).remove(prefix, taken));
    }
    RangeTable changes(txn_, db_.changes);
    TRY_VOID(vintages.remove_from(changes, mailbox.id));
    return taken;
}

Outcome<void> Applier::bury(Mailbox& mailbox, const UidSet& uids) {
    RangeTable expunged(txn_, db_.expunged);
    TRY_VOID(expunged.add(key::modseq(mailbox.id, modseq()), uids));
    mailbox.record.expunged_rows += static_cast<std::uint32_t>(expunged.rows_added());
    mailbox.record.highestmodseq = modseq();
    return forget_oldest(mailbox);
}

Outcome<void> Applier::forget_oldest(Mailbox& mailbox) {
    MailboxRecord& box = mailbox.record;
    if (box.expunged_rows <= kMaxExpungedRanges) return {};
    TRY(cursor, kv::Cursor::open(txn_, db_.expunged));
    TRY(found, cursor.seek(key::mailbox(mailbox.id)));
    bool there = found;
    while (there && box.expunged_rows > kMaxExpungedRanges) {
        kv::KeyReader row(cursor.key());
        if (row.u32() != mailbox.id) break;
        box.vanished_floor = row.u64();
        TRY_VOID(cursor.erase());
        --box.expunged_rows;
        TRY(next, cursor.next());
        there = next;
    }
    return {};
}

// ---- files

Outcome<std::uint64_t> Applier::add_task(const Task& task) {
    const std::uint64_t number = account_.next_task++;
    TRY_VOID(txn_.put(db_.tasks, key::number(number), task.encode(), kv::PutMode::append));
    return number;
}

Outcome<void> Applier::add_reference(std::uint64_t message) {
    TRY(value, txn_.get(db_.references, key::number(message)));
    const std::uint32_t count = value ? decode_u32(*value) : 1;
    TRY_VOID(txn_.put(db_.references, key::number(message), encode_u32(count + 1)));
    return {};
}

Outcome<bool> Applier::drop_reference(std::uint64_t message) {
    TRY(value, txn_.get(db_.references, key::number(message)));
    if (!value) return true;
    const std::uint32_t count = decode_u32(*value);
    if (count <= 2) {
        TRY_VOID(txn_.erase(db_.references, key::number(message)));
    } else {
        TRY_VOID(txn_.put(db_.references, key::number(message), encode_u32(count - 1)));
    }
    return false;
}

Outcome<std::string> Applier::path_of(const FileName& name) {
    TRY(mailbox, load_mailbox_even_gone(name.mailbox));
    return maildir::file_path(id_, mailbox.record.folder, name);
}

}  // namespace mailstead::store
