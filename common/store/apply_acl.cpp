// SETACL and DELETEACL; what CREATE and DELETE do to access lists (RFC 4314).
#include <algorithm>

#include "common/store/applier.h"

namespace mailstead::store {
namespace {

Rights changed(Rights before, SetAcl::How how, Rights by) {
    switch (how) {
        case SetAcl::How::add:
            return before | by;
        case SetAcl::How::remove:
            return before.without(by);
        case SetAcl::How::replace:
            break;
    }
    return by;
}

}  // namespace

Outcome<std::vector<AclEntry>> Applier::read_acl(std::uint32_t mailbox) {
    std::vector<AclEntry> list;
    TRY(cursor, kv::Cursor::open(txn_, db_.acl));
    TRY(found, cursor.seek(key::mailbox(mailbox)));
    for (bool there = found; there;) {
        kv::KeyReader row(cursor.key());
        if (row.u32() != mailbox) break;
        const AccountId who(row.u32());
        list.push_back({who, row.u8() != 0, decode_rights(cursor.value())});
        TRY(next, cursor.next());
        there = next;
    }
    return list;
}

// A line without rights says nothing and is not kept.
Outcome<void> Applier::put_acl(std::uint32_t mailbox, const AclEntry& entry) {
    const kv::Key place = key::acl(mailbox, entry.who, entry.negative);
    const kv::Key grant = key::grant(entry.who, mailbox);
    if (entry.rights.empty()) {
        TRY_VOID(txn_.erase(db_.acl, place));
        if (!entry.negative) TRY_VOID(txn_.erase(db_.grants, grant));
        return {};
    }
    TRY_VOID(txn_.put(db_.acl, place, encode_rights(entry.rights)));
    if (!entry.negative) TRY_VOID(txn_.put(db_.grants, grant, "1"));
    return {};
}

// RFC 4314, 4: a new mailbox has the list of its parent. Later changes of one do not reach the other.
Outcome<void> Applier::inherit_acl(const MailboxName& name, std::uint32_t mailbox) {
    const auto parent = name.parent();
    if (!parent) return {};
    TRY(id, find_mailbox(parent->utf8()));
    if (!id) return {};
    TRY(list, read_acl(*id));
    for (const AclEntry& entry : list) TRY_VOID(put_acl(mailbox, entry));
    return {};
}

Outcome<void> Applier::erase_acl(std::uint32_t mailbox) {
    TRY(list, read_acl(mailbox));
    for (AclEntry& entry : list) {
        entry.rights = Rights();
        TRY_VOID(put_acl(mailbox, entry));
    }
    return {};
}

Outcome<ChangeResult> Applier::run(const SetAcl& action) {
    // Nobody can lock himself out of his own mailbox.
    if (action.who == id_) return Failure(Fault::cannot, "the owner has all rights always");
    TRY(mailbox, find_existing(action.mailbox));
    TRY(list, read_acl(mailbox.id));
    const auto line = std::find_if(list.begin(), list.end(), [&](const AclEntry& entry) {
        return entry.who == action.who && entry.negative == action.negative;
    });
    const Rights before = line == list.end() ? Rights() : line->rights;
    const Rights after = changed(before, action.how, action.rights);
    if (line == list.end() && !after.empty() && list.size() >= kMaxAclEntries)
        return Failure(Fault::limit, "the access list is too long");
    if (after != before) {
        TRY_VOID(put_acl(mailbox.id, {action.who, action.negative, after}));
        modseq();
    }
    TRY(cursor, kv::Cursor::open(txn_, db_.grants));
    TRY(found, cursor.seek(key::grant(action.who, 0)));
    AclSet result;
    result.still_granted = found && kv::KeyReader(cursor.key()).u32() == action.who.value;
    return ChangeResult(result);
}

}  // namespace mailstead::store
