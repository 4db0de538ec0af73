// CREATE, DELETE, RENAME, SUBSCRIBE, special uses.
#include <algorithm>

#include "common/store/applier.h"
#include "common/store/maildir.h"

namespace mailstead::store {

Outcome<void> Applier::check_name(const MailboxName& name) {
    if (name.utf8().size() > kMaxMailboxName || maildir::folder_of(name).size() > maildir::kMaxFolder) {
        return Failure(Fault::limit, "the mailbox name is too long");
    }
    return {};
}

Outcome<void> Applier::check_own(const MailboxName& name) {
    if (name.levels().front() == kOtherUsersLevel)
        return Failure(Fault::cannot, "mailboxes of others have their names there");
    return {};
}

Outcome<Applier::Mailbox> Applier::create_one(const MailboxName& name, SpecialUse use, bool subscribe) {
    Mailbox mailbox;
    mailbox.id = account_.next_mailbox++;
    MailboxRecord& box = mailbox.record;
    box.name = name.utf8();
    box.special_use = use;
    box.created = at_.time_since_epoch().count();
    box.highestmodseq = modseq();
    // Rises by itself when the clock does not (RFC 9051, 2.3.1.1).
    const auto clock = static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds(), 1, UINT32_MAX / 2));
    account_.last_uidvalidity = std::max(account_.last_uidvalidity + 1, clock);
    box.uidvalidity = account_.last_uidvalidity;
    box.folder = maildir::folder_of(name);
    TRY(taken, txn_.get(db_.folders, box.folder));
    if (taken) box.folder = maildir::folder_with_number(box.folder, mailbox.id);
    if (use != SpecialUse::none) account_.special[static_cast<std::size_t>(use)] = mailbox.id;

    TRY_VOID(txn_.put(db_.names, box.name, encode_u32(mailbox.id)));
    if (!box.folder.empty()) TRY_VOID(txn_.put(db_.folders, box.folder, encode_u32(mailbox.id)));
    TRY_VOID(save_mailbox(mailbox));
    Task task;
    task.kind = Task::Kind::settle_folder;
    task.file.mailbox = mailbox.id;
    TRY_VOID(add_task(task));
    if (subscribe) TRY_VOID(set_subscribed(box.name, true));
    TRY_VOID(inherit_acl(name, mailbox.id));
    return mailbox;
}

Outcome<void> Applier::create_parents(const MailboxName& name) {
    const auto parent = name.parent();
    if (!parent) return {};
    TRY(existing, find_mailbox(parent->utf8()));
    if (existing) return {};
    TRY_VOID(create_parents(*parent));
    TRY_VOID(create_one(*parent, SpecialUse::none, false));
    return {};
}

// The mailbox itself and its ancestors, as far as they do not exist.
Outcome<std::size_t> Applier::count_missing(const MailboxName& name) {
    std::size_t missing = 0;
    for (std::optional<MailboxName> level = name; level; level = level->parent()) {
        TRY(existing, find_mailbox(level->utf8()));
        if (existing) break;
        ++missing;
    }
    return missing;
}

// RFC 9208, 5.3: what was deleted counts no more, even while its files go.
Outcome<void> Applier::check_mailbox_quota(std::size_t more) {
    if (account_.quota_mailboxes == 0 || more == 0) return {};
    TRY(count, txn_.count(db_.names));
    if (count + more > account_.quota_mailboxes) return Failure(Fault::over_quota, "too many mailboxes");
    return {};
}

Outcome<Applier::Mailbox> Applier::create_mailbox(const MailboxName& name, SpecialUse use, bool subscribe) {
    TRY_VOID(check_name(name));
    TRY(count, txn_.count(db_.mailboxes));
    if (count + name.levels().size() > kMaxMailboxes) return Failure(Fault::limit, "too many mailboxes");
    TRY(missing, count_missing(name));
    TRY_VOID(check_mailbox_quota(missing));
    TRY_VOID(create_parents(name));
    return create_one(name, use, subscribe);
}

Outcome<ChangeResult> Applier::run(const CreateMailbox& action) {
    TRY_VOID(check_own(action.name));
    TRY(existing, find_mailbox(action.name.utf8()));
    if (existing) return Failure(Fault::already_exists, "the mailbox exists");
    const auto use = static_cast<std::size_t>(action.special_use);
    // RFC 6154, 3: a use that cannot be given refuses the command.
    if (use != 0 && account_.special[use] != 0) {
        return Failure(Fault::use_attribute, "another mailbox has this special use");
    }
    TRY(mailbox, create_mailbox(action.name, action.special_use, action.subscribe));
    return ChangeResult(MailboxMade{MailboxId(mailbox.id), UidValidity(mailbox.record.uidvalidity)});
}

Outcome<ChangeResult> Applier::run(const DeleteMailbox& action) {
    if (action.name.is_inbox()) return Failure(Fault::cannot, "INBOX cannot be deleted");
    TRY(mailbox, find_existing(action.name));
    {
        const std::string below = action.name.utf8() + MailboxName::kSeparator;
        TRY(cursor, kv::Cursor::open(txn_, db_.names));
        TRY(found, cursor.seek(below));
        if (found && cursor.key().starts_with(below)) {
            return Failure(Fault::has_children, "there are mailboxes below it");
        }
    }
    MailboxRecord& box = mailbox.record;
    TRY_VOID(txn_.erase(db_.names, box.name));
    TRY_VOID(erase_metadata(mailbox.id));
    TRY_VOID(erase_acl(mailbox.id));  // RFC 4314, 4
    if (box.special_use != SpecialUse::none) account_.special[static_cast<std::size_t>(box.special_use)] = 0;
    box.special_use = SpecialUse::none;
    box.is_gone = true;
    account_.entries -= box.messages;
    modseq();
    if (box.messages == 0) {
        TRY_VOID(clear_tables(mailbox));
    } else {
        Task task;
        task.kind = Task::Kind::purge;
        task.file.mailbox = mailbox.id;
        TRY_VOID(add_task(task));
    }
    TRY_VOID(save_mailbox(mailbox));
    return ChangeResult(Done{});
}

// ---- RENAME

Outcome<void> Applier::rename_one(Mailbox& mailbox, const MailboxName& to) {
    MailboxRecord& box = mailbox.record;
    TRY(subscribed, txn_.get(db_.subscriptions, box.name));
    if (subscribed) {
        TRY_VOID(set_subscribed(box.name, false));
        TRY_VOID(set_subscribed(to.utf8(), true));
    }
    TRY_VOID(txn_.erase(db_.names, box.name));
    box.name = to.utf8();
    TRY_VOID(txn_.put(db_.names, box.name, encode_u32(mailbox.id)));
    TRY_VOID(save_mailbox(mailbox));
    Task task;
    task.kind = Task::Kind::settle_folder;
    task.file.mailbox = mailbox.id;
    TRY_VOID(add_task(task));
    return {};
}

Outcome<ChangeResult> Applier::rename_inbox(const MailboxName& to) {
    TRY(inbox, find_existing(MailboxName::inbox()));
    TRY(made, create_mailbox(to, SpecialUse::none, false));
    Destination destination;
    destination.name = to;
    TRY_VOID(copy(inbox, UidSet::all(), destination, true));
    TRY_VOID(copy_metadata(inbox.id, made.id));  // RFC 5464, 4.1: INBOX keeps its own
    return ChangeResult(MailboxMade{MailboxId(made.id), UidValidity(made.record.uidvalidity)});
}

Outcome<ChangeResult> Applier::run(const RenameMailbox& action) {
    TRY(source, find_existing(action.from));
    TRY_VOID(check_own(action.to));
    TRY(existing, find_mailbox(action.to.utf8()));
    if (existing) return Failure(Fault::already_exists, "the new name is taken");
    if (action.from.is_inbox()) return rename_inbox(action.to);
    if (action.to.is_below(action.from))
        return Failure(Fault::cannot, "a mailbox cannot become its own child");

    struct Renaming {
        std::uint32_t id;
        MailboxName to;
    };
    std::vector<Renaming> list = {{source.id, action.to}};
    TRY_VOID(check_name(action.to));
    {
        const std::string below = action.from.utf8() + MailboxName::kSeparator;
        TRY(cursor, kv::Cursor::open(txn_, db_.names));
        TRY(found, cursor.seek(below));
        for (bool there = found; there && cursor.key().starts_with(below);) {
            const auto name = MailboxName::parse(cursor.key());
            if (!name) return Failure(Fault::damaged, "a mailbox name is damaged");
            auto to = name->rebased(action.from, action.to);
            if (!to) return Failure(Fault::limit, "a mailbox name below it gets too long");
            TRY_VOID(check_name(*to));
            list.push_back({decode_u32(cursor.value()), *std::move(to)});
            TRY(next, cursor.next());
            there = next;
        }
    }
    TRY(count, txn_.count(db_.mailboxes));
    if (count + action.to.levels().size() > kMaxMailboxes) return Failure(Fault::limit, "too many mailboxes");
    if (const auto parent = action.to.parent()) {
        TRY(missing, count_missing(*parent));
        TRY_VOID(check_mailbox_quota(missing));
    }
    TRY_VOID(create_parents(action.to));
    modseq();
    for (const Renaming& renaming : list) {
        TRY(mailbox, load_mailbox(MailboxId(renaming.id)));
        TRY_VOID(rename_one(mailbox, renaming.to));
    }
    return ChangeResult(MailboxMade{MailboxId(source.id), UidValidity(source.record.uidvalidity)});
}

// ---- SUBSCRIBE

Outcome<void> Applier::set_subscribed(std::string_view name, bool subscribed) {
    if (!subscribed) {
        TRY_VOID(txn_.erase(db_.subscriptions, name));
        return {};
    }
    TRY_VOID(txn_.put(db_.subscriptions, name, "1"));
    return {};
}

Outcome<ChangeResult> Applier::run(const Subscribe& action) {
    if (action.name.utf8().size() > kMaxSubscribedName)
        return Failure(Fault::limit, "the mailbox name is too long");
    TRY(count, txn_.count(db_.subscriptions));
    if (action.subscribed && count >= kMaxSubscriptions)
        return Failure(Fault::limit, "too many subscriptions");
    TRY_VOID(set_subscribed(action.name.utf8(), action.subscribed));
    modseq();
    return ChangeResult(Done{});
}

// ---- special use

Outcome<ChangeResult> Applier::run(const SetSpecialUse& action) {
    TRY(mailbox, find_existing(action.name));
    const auto use = static_cast<std::size_t>(action.special_use);
    if (use != 0 && account_.special[use] != 0 && account_.special[use] != mailbox.id) {
        return Failure(Fault::use_attribute, "another mailbox has this special use");
    }
    if (use != 0 && action.name.is_inbox())
        return Failure(Fault::use_attribute, "INBOX takes no special use");
    account_.special[static_cast<std::size_t>(mailbox.record.special_use)] = 0;
    mailbox.record.special_use = action.special_use;
    if (use != 0) account_.special[use] = mailbox.id;
    modseq();
    TRY_VOID(save_mailbox(mailbox));
    return ChangeResult(Done{});
}

}  // namespace mailstead::store
