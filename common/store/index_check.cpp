#include "common/store/index_check.h"

#include <cerrno>
#include <sys/stat.h>

#include "common/store/rebuild.h"

namespace mailstead::store {
namespace {

Failure damaged(std::string_view what) {
    return Failure(Fault::damaged, std::string(what));
}

// What the sums of all mailboxes should be.
struct Sums {
    std::uint64_t entries = 0;
    std::uint64_t messages = 0;  // those of deleted mailboxes too, which wait to be purged
    std::uint64_t mailboxes = 0;
};

Outcome<Sums> sum_mailboxes(const kv::ReadTransaction& transaction, const Databases& databases) {
    Sums sums;
    TRY(cursor, kv::Cursor::open(transaction, databases.mailboxes));
    TRY(found, cursor.first());
    for (bool there = found; there;) {
        TRY(box, MailboxRecord::decode(cursor.value()));
        if (box.unseen > box.messages || box.deleted > box.messages || box.messages >= box.uidnext)
            return damaged("the counts of a mailbox contradict each other");
        sums.messages += box.messages;
        if (!box.is_gone) {
            sums.entries += box.messages;
            ++sums.mailboxes;
        }
        TRY(next, cursor.next());
        there = next;
    }
    return sums;
}

}  // namespace

bool lost_index(const std::filesystem::path& root, AccountId account) {
    struct stat status {};
    const bool is_there = ::stat((root / maildir::index_path(account) / "data.mdb").c_str(), &status) == 0;
    const bool is_lost = is_there ? status.st_size == 0 : errno == ENOENT;
    return is_lost && had_index(root, account);
}

Outcome<bool> check_index(const kv::ReadTransaction& transaction, const Databases& databases,
                          AccountId account) {
    TRY(exists, check_format(transaction, databases));
    if (!exists) return false;
    TRY(id, transaction.get(databases.meta, key::kIdKey));
    // One that no newer program has written to has no sidecar either, and would lose more by a rebuild.
    if (!id) return true;
    if (decode_u32(*id) != account.value) return damaged("the index is that of another account");
    TRY(bytes, transaction.get(databases.meta, key::kAccountKey));
    if (!bytes) return damaged("the account record is missing");
    TRY(record, AccountRecord::decode(*bytes));
    TRY(sums, sum_mailboxes(transaction, databases));
    TRY(rows, transaction.count(databases.messages));
    TRY(names, transaction.count(databases.names));
    if (rows != sums.messages || names != sums.mailboxes ||
        (record.knows_entries && record.entries != sums.entries))
        return damaged("the index counts other messages or mailboxes than it has");
    return true;
}

}  // namespace mailstead::store
