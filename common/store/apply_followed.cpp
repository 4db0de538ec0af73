// What the follower has done with files, written into the index. In recovery the same is done again to the
// files, since a journal record can outlive the renames that it tells of.
#include "common/store/applier.h"
#include "common/store/deleted_path.h"
#include "common/store/maildir.h"

namespace mailstead::store {

Outcome<ChangeResult> Applier::run(const Followed& action) {
    TRY_VOID(finish_tasks(action.tasks_through));
    if (action.moved_mailbox) TRY_VOID(move_folder(action.moved_mailbox.value, action.moved_folder));
    TRY_VOID(note_names(action));
    if (action.purge) TRY_VOID(purge(action.purge.value, action.purge_limit));
    return ChangeResult(Done{});
}

Outcome<void> Applier::finish_tasks(std::uint64_t through) {
    // Taken out first: finishing one may add another.
    std::vector<std::pair<std::uint64_t, Task>> done;
    {
        TRY(cursor, kv::Cursor::open(txn_, db_.tasks));
        TRY(found, cursor.first());
        for (bool there = found; there;) {
            const std::uint64_t number = kv::KeyReader(cursor.key()).u64();
            if (number > through) break;
            TRY(task, Task::decode(cursor.value()));
            done.emplace_back(number, std::move(task));
            TRY_VOID(cursor.erase());
            TRY(next, cursor.next());
            there = next;
        }
    }
    for (const auto& [number, task] : done) TRY_VOID(finish(number, task));
    return {};
}

Outcome<void> Applier::finish(std::uint64_t number, const Task& task) {
    switch (task.kind) {
        case Task::Kind::link:
        case Task::Kind::move:
        case Task::Kind::adopt:
            return arrived(number, task);
        case Task::Kind::unlink:
            if (task.last_reference) {
                TRY_VOID(txn_.erase(db_.cache, key::number(task.file.message)));
                TRY_VOID(txn_.erase(db_.rare, key::number(task.file.message)));
                TRY_VOID(txn_.erase(db_.headers, key::number(task.file.message)));
            }
            if (context_.replaying()) {
                TRY(path, path_of(task.file));
                // Whether it was kept is not known here; what should not be is purged.
                task.can_be_kept() ? context_.rename_after_commit(path, deleted::file_path(id_, task))
                                   : context_.remove_after_commit(path);
            }
            return {};
        case Task::Kind::remove_folder: {
            TRY(mailbox, load_mailbox_even_gone(task.file.mailbox));
            TRY_VOID(txn_.erase(db_.folders, mailbox.record.folder));
            TRY_VOID(txn_.erase(db_.mailboxes, key::mailbox(mailbox.id)));
            return offer_folder(mailbox.record.folder);
        }
        case Task::Kind::settle_folder:
        case Task::Kind::purge:
            return {};
    }
    return {};
}

// A file has come to where its message is.
Outcome<void> Applier::arrived(std::uint64_t number, const Task& task) {
    if (context_.replaying()) {
        TRY(to, path_of(task.file));
        if (task.kind == Task::Kind::adopt) {
            context_.rename_after_commit(maildir::mail_path(id_) + '/' + task.path, to);
        } else {
            TRY(from, path_of(task.source()));
            task.kind == Task::Kind::link ? context_.link_path(from, to)
                                          : context_.rename_after_commit(from, to);
        }
    }
    const kv::Key place = key::message(task.file.mailbox, task.file.uid);
    TRY(bytes, txn_.get(db_.messages, place));
    if (!bytes) return {};  // expunged or moved on meanwhile
    MessageRecord record = MessageRecord::decode(*bytes);
    if (record.task != number) return {};
    record.task = 0;
    TRY_VOID(txn_.put(db_.messages, place, record.view()));
    if (record.name_is_stale()) {
        TRY_VOID(RangeTable(txn_, db_.renames)
                     .add(key::mailbox(task.file.mailbox), UidRange{task.file.uid, task.file.uid}));
    }
    return {};
}

Outcome<void> Applier::note_names(const Followed& action) {
    for (const Followed::Renamed& renamed : action.renamed) {
        const kv::Key place = key::message(renamed.mailbox.value, renamed.uid.value);
        TRY(bytes, txn_.get(db_.messages, place));
        if (!bytes) continue;
        MessageRecord record = MessageRecord::decode(*bytes);
        if (record.task != 0) continue;
        const FileName before = file_name_of(renamed.mailbox.value, renamed.uid.value, record);
        record.set_place(Place(renamed.place));
        TRY_VOID(txn_.put(db_.messages, place, record.view()));
        if (context_.replaying()) {
            TRY(from, path_of(before));
            TRY(to, path_of(file_name_of(renamed.mailbox.value, renamed.uid.value, record)));
            if (from != to) context_.rename_after_commit(from, to);
        }
    }
    if (!action.names_checked) return {};
    RangeTable renames(txn_, db_.renames);
    const kv::Key prefix = key::mailbox(action.names_checked.value);
    TRY_VOID(renames.remove(prefix, action.checked));
    // Flags may have changed again between the follower's look and this change.
    UidSet again;
    const auto look = [&](std::uint32_t uid, MessageRecord& record) -> Outcome<Step> {
        if (record.name_is_stale()) again.add(Uid(uid));
        return Step::keep;
    };
    TRY_VOID(walk(action.names_checked.value, action.checked, look));
    TRY_VOID(renames.add(prefix, again));
    return {};
}

Outcome<void> Applier::move_folder(std::uint32_t id, const std::string& folder) {
    TRY(mailbox, load_mailbox_even_gone(id));
    if (folder.empty() || mailbox.record.folder.empty())
        return Failure(Fault::invalid, "INBOX keeps its folder");
    if (!maildir::mailbox_of(folder)) return Failure(Fault::invalid, "no folder of a Maildir");
    TRY(taken, txn_.get(db_.folders, folder));
    if (taken && decode_u32(*taken) != id)
        return Failure(Fault::already_exists, "the folder belongs to another mailbox");
    if (context_.replaying()) {
        context_.rename_after_commit(maildir::folder_path(id_, mailbox.record.folder),
                                     maildir::folder_path(id_, folder));
    }
    TRY_VOID(remember_old_folder(mailbox));
    TRY_VOID(txn_.erase(db_.folders, mailbox.record.folder));
    const std::string freed = std::exchange(mailbox.record.folder, folder);
    TRY_VOID(txn_.put(db_.folders, folder, encode_u32(id)));
    TRY_VOID(save_mailbox(mailbox));
    return offer_folder(freed);
}

// A folder's name is free: the mailbox that had to take another one may have it now.
Outcome<void> Applier::offer_folder(const std::string& folder) {
    const auto name = maildir::mailbox_of(folder);
    if (!name || maildir::folder_of(*name) != folder) return {};
    TRY(id, find_mailbox(name->utf8()));
    if (!id) return {};
    TRY(mailbox, load_mailbox_even_gone(*id));
    if (mailbox.record.folder == folder) return {};
    Task task;
    task.kind = Task::Kind::settle_folder;
    task.file.mailbox = mailbox.id;
    TRY_VOID(add_task(task));
    return {};
}

// Deliveries of the moments between the rename and this change lie in the old folder: the task stays and
// brings them over.
Outcome<void> Applier::remember_old_folder(const Mailbox& mailbox) {
    std::string number;
    Task task;
    {
        TRY(cursor, kv::Cursor::open(txn_, db_.tasks));
        TRY(found, cursor.first());
        if (!found) return {};
        number = cursor.key();
        TRY(head, Task::decode(cursor.value()));
        task = std::move(head);
    }
    if (task.kind != Task::Kind::settle_folder || task.file.mailbox != mailbox.id) return {};
    task.path = mailbox.record.folder;
    TRY_VOID(txn_.put(db_.tasks, number, task.encode()));
    return {};
}

Outcome<void> Applier::purge(std::uint32_t id, std::uint32_t limit) {
    TRY(mailbox, load_mailbox_even_gone(id));
    if (!mailbox.record.is_gone) return Failure(Fault::invalid, "the mailbox is in use");
    UidSet some;
    std::uint32_t count = 0;
    const auto gather = [&](std::uint32_t uid, MessageRecord&) -> Outcome<Step> {
        if (count == limit) return Step::stop;
        ++count;
        some.add(Uid(uid));
        return Step::keep;
    };
    TRY_VOID(walk(id, UidSet::all(), gather));
    TRY_VOID(expunge(mailbox, some));
    if (mailbox.record.messages == 0 && !some.empty()) TRY_VOID(clear_tables(mailbox));
    return save_mailbox(mailbox);
}

// The last of a deleted mailbox: its folder goes when the files in it are gone.
Outcome<void> Applier::clear_tables(const Mailbox& mailbox) {
    for (const kv::Database database :
         {db_.runs, db_.unseen, db_.deleted, db_.renames, db_.changes, db_.expunged}) {
        TRY_VOID(RangeTable(txn_, database).clear(key::mailbox(mailbox.id)));
    }
    Task task;
    task.kind = Task::Kind::remove_folder;
    task.file.mailbox = mailbox.id;
    TRY_VOID(add_task(task));
    return {};
}

}  // namespace mailstead::store
