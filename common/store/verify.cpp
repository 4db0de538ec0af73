#include "common/store/verify.h"

#include <algorithm>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <unordered_map>

#include "common/store/beneath.h"
#include "common/store/index.h"
#include "common/store/index_check.h"
#include "common/store/range_table.h"
#include "common/store/sidecar.h"

namespace mailstead::store {
namespace {

using Kind = Finding::Kind;
using Repair = Finding::Repair;

constexpr std::uint64_t kReportEvery = 4'096;  // messages
constexpr Seconds kSidecarLag{300};            // what is younger need not be in it yet

// What walking a mailbox's messages gives.
struct Walked {
    UidSet all, unseen, deleted;
    std::uint64_t octets = 0;
    std::uint64_t deleted_octets = 0;
    std::map<std::uint64_t, UidSet> changes;  // as the index has them
};

class Verifier {
public:
    Verifier(const std::filesystem::path& root, Reader& reader, AccountId account,
             const VerifyOptions& options, const VerifyProgress& progress)
        : root_(root), reader_(reader), account_(account), options_(options), progress_(progress) {}

    VerifyReport run() {
        if (auto done = run_all(); !done && !is_stopped_)
            found({Kind::unreadable_index, Repair::rebuild, {}, {}, done.error().what});
        return std::move(report_);
    }

private:
    Outcome<void> run_all();
    Outcome<void> check_index_alone(const Snapshot& snapshot);
    Outcome<void> check_mailbox(const Snapshot& snapshot, std::uint32_t id, const MailboxRecord& box);
    Outcome<void> look_at(const Snapshot& snapshot, const MailboxRecord& box, const MessageInfo& message,
                          Walked& walked);
    Outcome<void> check_account(const Snapshot& snapshot);
    Outcome<void> check_files(const MailboxInfo& mailbox);
    void check_names(const MailboxInfo& mailbox, const std::string& folder,
                     std::unordered_map<std::uint32_t, std::uint64_t>& named);
    void check_leftover(const MailboxInfo& mailbox, const std::string& folder, Uid uid, MessageId message);
    void check_sidecar(const std::vector<MailboxInfo>& mailboxes);
    void found(Finding finding);
    Outcome<void> step();

    std::filesystem::path root_;
    Reader& reader_;
    AccountId account_;
    const VerifyOptions& options_;
    const VerifyProgress& progress_;
    FileDescriptor mail_;
    VerifyReport report_;
    bool is_stopped_ = false;
    std::uint64_t done_ = 0;
    std::uint64_t total_ = 0;
    std::unordered_map<std::uint64_t, std::uint32_t>
        shared_;  // messages of several mailboxes: how many have it
    std::uint64_t alone_ = 0;
    std::uint64_t octets_ = 0;
    std::uint64_t entries_ = 0;
};

void Verifier::found(Finding finding) {
    ++report_.findings_found;
    if (report_.findings.size() < options_.max_findings) report_.findings.push_back(std::move(finding));
}

Outcome<void> Verifier::step() {
    if (++done_ % kReportEvery != 0 || !progress_ || progress_(done_, total_)) return {};
    is_stopped_ = true;
    return Failure(Fault::unavailable, "interrupted");
}

Outcome<void> Verifier::run_all() {
    if (lost_index(root_, account_)) return Failure(Fault::damaged, std::string(kLostIndex));
    TRY(opened, reader_.open(account_));
    std::vector<MailboxInfo> mailboxes;
    {
        TRY(snapshot, opened.snapshot());
        TRY(info, snapshot.account());
        TRY(list, snapshot.mailboxes());
        mailboxes = std::move(list);
        total_ = info.entries * (options_.files ? 2 : 1);
        report_.mailboxes = mailboxes.size();
        TRY_VOID(check_index_alone(snapshot));
        TRY_VOID(check_account(snapshot));
    }
    check_sidecar(mailboxes);
    if (!options_.files) return {};
    mail_ = open_folder((root_ / maildir::mail_path(account_)).string());
    for (const MailboxInfo& mailbox : mailboxes) {
        auto done = check_files(mailbox);
        if (!done && done.error().fault != Fault::non_existent) return done;
    }
    return {};
}

// ---- the index with itself

Outcome<void> Verifier::check_index_alone(const Snapshot& snapshot) {
    const Snapshot::State& state = snapshot.state();
    TRY(cursor, kv::Cursor::open(state.txn, state.index->db.mailboxes));
    TRY(there, cursor.first());
    for (bool more = there; more;) {
        TRY(box, MailboxRecord::decode(cursor.value()));
        TRY_VOID(check_mailbox(snapshot, kv::KeyReader(cursor.key()).u32(), box));
        TRY(next, cursor.next());
        more = next;
    }
    return {};
}

Outcome<void> Verifier::look_at(const Snapshot& snapshot, const MailboxRecord& box,
                                const MessageInfo& message, Walked& walked) {
    const Snapshot::State& state = snapshot.state();
    const auto complain = [&](Kind kind, Repair repair, const char* what) {
        found({kind, repair, box.name, message.uid, what});
    };
    ++report_.messages;
    walked.all.add(message.uid);
    walked.octets += message.size;
    if (!message.flags.system.has(SystemFlag::seen)) walked.unseen.add(message.uid);
    if (message.flags.system.has(SystemFlag::deleted)) {
        walked.deleted.add(message.uid);
        walked.deleted_octets += message.size;
    }
    if (message.uid.value >= box.uidnext)
        complain(Kind::wrong_count, Repair::rebuild, "the UID is above UIDNEXT");
    const auto changed = walked.changes.find(message.modseq.value);
    if (changed == walked.changes.end() || !changed->second.contains(message.uid))
        complain(Kind::wrong_ranges, Repair::rebuild, "the message is not listed under its mod-sequence");
    TRY(references, state.txn.get(state.index->db.references, key::number(message.message.value)));
    if (references) {
        if (++shared_[message.message.value] == 1) octets_ += message.size;
        if (shared_[message.message.value] == 1) ++alone_;
    } else {
        ++alone_;
        octets_ += message.size;
    }
    if (!snapshot.cached(message.message))
        complain(Kind::damaged_cache, Repair::by_itself, "the fetch cache of the message cannot be read");
    return step();
}

Outcome<void> Verifier::check_mailbox(const Snapshot& snapshot, std::uint32_t id, const MailboxRecord& box) {
    const Snapshot::State& state = snapshot.state();
    Walked walked;
    {
        TRY(cursor, kv::Cursor::open(state.txn, state.index->db.changes));
        TRY(there, cursor.seek(key::mailbox(id)));
        for (bool more = there; more;) {
            kv::KeyReader row(cursor.key());
            if (row.u32() != id) break;
            const std::uint64_t modseq = row.u64();
            walked.changes[modseq].add(UidRange{row.u32(), decode_u32(cursor.value())});
            TRY(next, cursor.next());
            more = next;
        }
    }
    {
        TRY(cursor, kv::Cursor::open(state.txn, state.index->db.messages));
        TRY(there, cursor.seek(key::message(id, 0)));
        for (bool more = there; more;) {
            kv::KeyReader place(cursor.key());
            if (place.u32() != id) break;
            const MessageRecord record = MessageRecord::decode(cursor.value());
            if (record.message == 0) return Failure(Fault::damaged, "a message record is cut");
            TRY_VOID(look_at(snapshot, box, record.info(place.u32()), walked));
            TRY(next, cursor.next());
            more = next;
        }
    }
    const auto compare = [&](const char* what, kv::Database database, const UidSet& right) -> Outcome<void> {
        TRY(kept, state.ranges(database, MailboxId(id)));
        if (kept != right)
            found({Kind::wrong_ranges,
                   Repair::rebuild,
                   box.name,
                   {},
                   std::string("the set of ") + what + " is wrong"});
        return {};
    };
    TRY_VOID(compare("messages", state.index->db.runs, walked.all));
    TRY_VOID(compare("unseen messages", state.index->db.unseen, walked.unseen));
    TRY_VOID(compare("messages to be deleted", state.index->db.deleted, walked.deleted));
    if (box.messages != walked.all.count() || box.unseen != walked.unseen.count() ||
        box.deleted != walked.deleted.count() || box.octets != walked.octets ||
        box.deleted_octets != walked.deleted_octets) {
        found({Kind::wrong_count,
               Repair::rebuild,
               box.name,
               {},
               "the mailbox counts other messages than it has"});
    }
    if (!box.is_gone) entries_ += walked.all.count();
    return {};
}

Outcome<void> Verifier::check_account(const Snapshot& snapshot) {
    const Snapshot::State& state = snapshot.state();
    TRY(info, snapshot.account());
    if (info.messages != alone_ || info.octets != octets_ || info.entries != entries_)
        found({Kind::wrong_count, Repair::rebuild, {}, {}, "the account counts other messages than it has"});
    for (const auto& [message, count] : shared_) {
        TRY(value, state.txn.get(state.index->db.references, key::number(message)));
        if (value && decode_u32(*value) != count) {
            found({Kind::wrong_count,
                   Repair::rebuild,
                   {},
                   {},
                   "a message is counted in other mailboxes than have it"});
            break;
        }
    }
    return {};
}

// ---- the index with the files

// File names of the mailbox by UID, message id with them; sizes are compared on the way.
void Verifier::check_names(const MailboxInfo& mailbox, const std::string& folder,
                           std::unordered_map<std::uint32_t, std::uint64_t>& named) {
    for (const char* name : {"cur", "new"}) {
        const std::string path = (folder.empty() ? "" : folder + '/') + name;
        const FileDescriptor directory = open_beneath(mail_.get(), path, O_RDONLY | O_DIRECTORY);
        if (!directory) continue;
        maildir::list_directory(directory.get(), [&](std::string_view file) {
            const auto own = maildir::parse_name(file);
            if (!own || own->account != account_ || own->name.mailbox != mailbox.id.value) return true;
            ++report_.files;
            named[own->name.uid] = own->name.message;
            struct stat status {};
            const std::string spelled(file);
            if (::fstatat(directory.get(), spelled.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != own->name.size)) {
                found({Kind::damaged_body, Repair::from_backup, mailbox.name.utf8(), Uid(own->name.uid),
                       "the file has " + std::to_string(status.st_size) + " bytes of " +
                           std::to_string(own->name.size) + ": " + path + '/' + spelled});
            }
            return step().has_value();
        });
    }
}

// A file that the snapshot did not know may have come since, or be about to go.
void Verifier::check_leftover(const MailboxInfo& mailbox, const std::string& folder, Uid uid,
                              MessageId message) {
    auto opened = reader_.open(account_);
    if (!opened) return;
    const auto now = opened->snapshot();
    if (!now) return;
    const auto tasks = now->state().txn.count(now->state().index->db.tasks);
    if (!tasks || *tasks != 0) return;
    const auto there = now->message(mailbox.id, uid);
    if (!there || (*there && (*there)->message == message)) return;
    const std::string base = ".A" + std::to_string(account_.value) + "B" + std::to_string(mailbox.id.value) +
                             "U" + std::to_string(uid.value) + "M" + std::to_string(message.value) + ".";
    bool is_left = false;
    for (const char* name : {"/cur", "/new"}) {
        maildir::list_directory((root_ / maildir::folder_path(account_, folder)).string() + name,
                                [&](std::string_view file) {
                                    is_left = is_left || file.find(base) != std::string_view::npos;
                                    return !is_left;
                                });
    }
    if (is_left)
        found({Kind::file_without_entry, Repair::adopt, mailbox.name.utf8(), uid,
               "a file that no message has"});
}

Outcome<void> Verifier::check_files(const MailboxInfo& mailbox) {
    std::unordered_map<std::uint32_t, std::uint64_t> named;
    TRY(opened, reader_.open(account_));
    std::string folder;
    {
        TRY(snapshot, opened.snapshot());
        TRY(record, snapshot.state().mailbox(mailbox.id));
        folder = record.folder;
    }
    check_names(mailbox, folder, named);
    if (is_stopped_) return Failure(Fault::unavailable, "interrupted");
    std::vector<MessageInfo> missing;
    {
        TRY(snapshot, opened.snapshot());
        TRY_VOID(snapshot.messages(mailbox.id, UidSet::all(), [&](const MessageInfo& message) {
            const auto file = named.find(message.uid.value);
            if (file == named.end() || file->second != message.message.value) {
                missing.push_back(message);
            } else {
                named.erase(file);
            }
            return true;
        }));
    }
    for (const MessageInfo& message : missing) {
        TRY(snapshot, opened.snapshot());
        const auto file = snapshot.open_message(mailbox.id, message);
        if (!file && file.error().fault == Fault::damaged)
            found({Kind::missing_body, Repair::from_backup, mailbox.name.utf8(), message.uid,
                   file.error().what});
    }
    for (const auto& [uid, message] : named) check_leftover(mailbox, folder, Uid(uid), MessageId(message));
    return {};
}

// ---- the sidecar

void Verifier::check_sidecar(const std::vector<MailboxInfo>& mailboxes) {
    const auto side = sidecar::read_account(root_, account_);
    const auto lacking = [&](const MailboxInfo& mailbox, const char* what) {
        found({Kind::wrong_sidecar, Repair::by_itself, mailbox.name.utf8(), {}, what});
    };
    for (const MailboxInfo& mailbox : mailboxes) {
        if (now() - mailbox.created < kSidecarLag) continue;
        if (!side) {
            found({Kind::wrong_sidecar, Repair::by_itself, {}, {}, "the list beside the files is missing"});
            return;
        }
        const auto line = std::find_if(side->mailboxes.begin(), side->mailboxes.end(),
                                       [&](const auto& box) { return box.id == mailbox.id.value; });
        if (line == side->mailboxes.end()) {
            lacking(mailbox, "the list beside the files lacks the mailbox");
        } else if (line->uidvalidity != mailbox.uidvalidity.value) {
            lacking(mailbox, "the list beside the files has another UIDVALIDITY");
        } else if (line->uidnext < mailbox.uidnext.value) {
            lacking(mailbox, "the list beside the files has an older UIDNEXT");
        }
    }
}

}  // namespace

std::string_view name_of(Finding::Kind kind) {
    switch (kind) {
        case Kind::unreadable_index:
            return "unreadable_index";
        case Kind::wrong_count:
            return "wrong_count";
        case Kind::wrong_ranges:
            return "wrong_ranges";
        case Kind::missing_body:
            return "missing_body";
        case Kind::damaged_body:
            return "damaged_body";
        case Kind::file_without_entry:
            return "file_without_entry";
        case Kind::damaged_cache:
            return "damaged_cache";
        case Kind::wrong_sidecar:
            return "wrong_sidecar";
    }
    return "";
}

std::string_view name_of(Finding::Repair repair) {
    switch (repair) {
        case Repair::rebuild:
            return "rebuild";
        case Repair::adopt:
            return "adopt";
        case Repair::by_itself:
            return "by_itself";
        case Repair::from_backup:
            return "from_backup";
    }
    return "";
}

VerifyReport verify_account(const std::filesystem::path& root, Reader& reader, AccountId account,
                            const VerifyOptions& options, const VerifyProgress& progress) {
    return Verifier(root, reader, account, options, progress).run();
}

VerifyReport verify_account(const std::filesystem::path& root, AccountId account,
                            const VerifyOptions& options, const VerifyProgress& progress) {
    ReaderOptions reading;
    reading.root = root;
    Reader reader(reading);
    return verify_account(root, reader, account, options, progress);
}

}  // namespace mailstead::store
