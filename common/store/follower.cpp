#include "common/store/follower.h"

#include "common/base/clock.h"
#include "common/store/follower_state.h"
#include "common/store/range_table.h"

namespace mailstead::store {
namespace {

// One call of follow(): files first, then one change that says what was done.
class Pass {
public:
    Pass(const Snapshot::State& snapshot, const Follower::State& state, std::size_t limit)
        : snapshot_(snapshot), work_(snapshot, *state.files, state.keep_deleted), left_(limit) {}

    Outcome<void> run() {
        TRY_VOID(do_tasks());
        if (!more_ && left_ > 0) TRY_VOID(follow_flags());
        return work_.flush_links();
    }
    bool has_facts() const {
        return facts_.tasks_through != 0 || facts_.moved_mailbox || facts_.purge || facts_.names_checked;
    }
    bool more() const { return more_; }
    Followed take_facts() { return std::move(facts_); }

private:
    enum class Next { go_on, stop };

    Outcome<void> do_tasks();
    Outcome<Next> do_task(const Task& task);
    Outcome<Next> settle_folder(const Task& task);
    Outcome<std::string> folder_to_take(std::uint32_t id, const MailboxRecord& mailbox,
                                        const std::string& wanted) const;
    Outcome<Next> purge(const Task& task);
    Outcome<void> follow_flags();
    Outcome<void> follow_flags_of(std::uint32_t mailbox, UidRange range);

    const Snapshot::State& snapshot_;
    FileWork work_;
    std::size_t left_;
    bool more_ = false;
    Followed facts_;
};

Outcome<void> Pass::do_tasks() {
    TRY(cursor, kv::Cursor::open(snapshot_.txn, snapshot_.index->db.tasks));
    TRY(found, cursor.first());
    for (bool there = found; there;) {
        if (left_ == 0) {
            more_ = true;
            return {};
        }
        TRY(task, Task::decode(cursor.value()));
        TRY(next_step, do_task(task));
        if (next_step == Next::stop) {
            more_ = true;
            return {};
        }
        --left_;
        facts_.tasks_through = kv::KeyReader(cursor.key()).u64();
        TRY(next, cursor.next());
        there = next;
    }
    return {};
}

Outcome<Pass::Next> Pass::do_task(const Task& task) {
    switch (task.kind) {
        case Task::Kind::link:
            TRY_VOID(work_.link(task));
            return Next::go_on;
        case Task::Kind::move:
            TRY_VOID(work_.flush_links());
            TRY_VOID(work_.move(task));
            return Next::go_on;
        case Task::Kind::unlink:
            TRY_VOID(work_.unlink(task));
            return Next::go_on;
        case Task::Kind::adopt:
            TRY_VOID(work_.adopt(task));
            return Next::go_on;
        case Task::Kind::settle_folder:
            return settle_folder(task);
        case Task::Kind::purge:
            return purge(task);
        case Task::Kind::remove_folder: {
            const auto mailbox = snapshot_.mailbox_even_gone(task.file.mailbox);
            TRY_VOID(work_.flush_links());
            if (mailbox) TRY_VOID(work_.remove_folder(mailbox->folder));
            more_ = true;  // somebody may be waiting for its name
            return Next::go_on;
        }
    }
    return Next::go_on;
}

Outcome<Pass::Next> Pass::settle_folder(const Task& task) {
    const auto mailbox = snapshot_.mailbox_even_gone(task.file.mailbox);
    if (!mailbox || mailbox->is_gone) return Next::go_on;
    const auto name = MailboxName::parse(mailbox->name);
    if (!name) return Failure(Fault::damaged, "a mailbox name is damaged");
    if (!task.path.empty()) TRY_VOID(work_.merge_folder(task.path, mailbox->folder));
    TRY(wanted, folder_to_take(task.file.mailbox, *mailbox, maildir::folder_of(*name)));
    if (wanted != mailbox->folder) {
        TRY_VOID(work_.flush_links());
        TRY(renamed, work_.rename_folder(mailbox->folder, wanted));
        if (renamed) {
            // The index hears of it at once; the task stays until the old folder was looked at again.
            facts_.moved_mailbox = MailboxId(task.file.mailbox);
            facts_.moved_folder = wanted;
            return Next::stop;
        }
    }
    TRY_VOID(work_.complete_folder(mailbox->folder));
    return Next::go_on;
}

// The folder that the name asks for, if it is free. Where its holder waits for another name itself, a name of
// its own, so that two mailboxes which swapped names do not wait for each other.
Outcome<std::string> Pass::folder_to_take(std::uint32_t id, const MailboxRecord& mailbox,
                                          const std::string& wanted) const {
    TRY(holder_id, snapshot_.txn.get(snapshot_.index->db.folders, wanted));
    if (!holder_id) return wanted;
    TRY(holder, snapshot_.mailbox_even_gone(decode_u32(*holder_id)));
    const auto holder_name = MailboxName::parse(holder.name);
    const bool holder_waits = !holder.is_gone && holder_name && maildir::folder_of(*holder_name) != wanted;
    return holder_waits ? maildir::folder_with_number(wanted, id) : mailbox.folder;
}

Outcome<Pass::Next> Pass::purge(const Task& task) {
    const auto mailbox = snapshot_.mailbox_even_gone(task.file.mailbox);
    if (!mailbox || mailbox->messages == 0) return Next::go_on;
    facts_.purge = MailboxId(task.file.mailbox);
    facts_.purge_limit = static_cast<std::uint32_t>(left_);
    return Next::stop;
}

Outcome<void> Pass::follow_flags() {
    TRY(cursor, kv::Cursor::open(snapshot_.txn, snapshot_.index->db.renames));
    TRY(found, cursor.first());
    std::uint32_t mailbox = 0;
    for (bool there = found; there;) {
        kv::KeyReader row(cursor.key());
        const std::uint32_t id = row.u32();
        if (mailbox != 0 && id != mailbox) {
            more_ = true;
            return {};
        }
        mailbox = id;
        facts_.names_checked = MailboxId(id);
        TRY_VOID(follow_flags_of(id, UidRange{row.u32(), decode_u32(cursor.value())}));
        if (left_ == 0) {
            more_ = true;
            return {};
        }
        TRY(next, cursor.next());
        there = next;
    }
    return {};
}

Outcome<void> Pass::follow_flags_of(std::uint32_t mailbox, UidRange range) {
    TRY(cursor, kv::Cursor::open(snapshot_.txn, snapshot_.index->db.messages));
    TRY(found, cursor.seek(key::message(mailbox, range.first)));
    std::uint32_t done_to = range.last;
    for (bool there = found; there;) {
        kv::KeyReader place(cursor.key());
        const std::uint32_t in_mailbox = place.u32();
        const std::uint32_t uid = place.u32();
        if (in_mailbox != mailbox || uid > range.last) break;
        if (left_ == 0) {
            done_to = uid - 1;
            break;
        }
        --left_;
        const MessageRecord record = MessageRecord::decode(cursor.value());
        if (record.name_is_stale()) {
            const FileName before = file_name_of(mailbox, uid, record);
            FileName after = before;
            after.place = Place::wanted(record.flags(), record.place());
            TRY_VOID(work_.rename(before, after));
            facts_.renamed.push_back({MailboxId(mailbox), Uid(uid), after.place.bits()});
        }
        TRY(next, cursor.next());
        there = next;
    }
    if (done_to >= range.first) facts_.checked.add(UidRange{range.first, done_to});
    return {};
}

}  // namespace

Follower::Follower(std::filesystem::path root, Reader& reader, Submit submit, commit::FileLayer* files,
                   FollowerOptions options)
    : state_(std::make_unique<State>()) {
    state_->root = std::move(root);
    state_->reader = &reader;
    state_->submit = std::move(submit);
    state_->files = files != nullptr ? files : &commit::FileLayer::real();
    state_->keep_deleted = options.keep_deleted;
    state_->log = std::move(options.log);
}
Follower::~Follower() = default;

Outcome<ChangeResult> Follower::State::say(AccountId account, Time at, Action action) const {
    return submit(account, Change{at, std::move(action)});
}

Outcome<Follower::Progress> Follower::follow(AccountId account, std::size_t limit) {
    limit = std::min<std::size_t>(limit, 4'096);  // what one change may tell
    auto opened = state_->reader->open(account);
    if (!opened) {
        if (opened.error().fault == Fault::non_existent) return Progress::nothing_left;
        return opened.error();
    }
    Followed facts;
    bool more = false;
    {
        TRY(snapshot, opened->snapshot());
        Pass pass(snapshot.state(), *state_, limit);
        TRY_VOID(pass.run());
        if (!pass.has_facts()) return Progress::nothing_left;
        more = pass.more();
        facts = pass.take_facts();
    }
    TRY_VOID(state_->say(account, now(), std::move(facts)));
    return more ? Progress::more_to_do : Progress::nothing_left;
}

}  // namespace mailstead::store
