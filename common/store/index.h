// An account's environment as readers hold it. Internal to the store.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "common/base/file_descriptor.h"
#include "common/store/maildir.h"
#include "common/store/reader.h"
#include "common/store/records.h"

namespace mailstead::store {

class Index {
public:
    AccountId id;
    std::filesystem::path root;
    std::shared_ptr<kv::Env> env;
    Databases db;
};

struct Snapshot::State {
    // Cursors end before their transaction.
    State(std::shared_ptr<Index> opened, kv::ReadTransaction transaction)
        : index(std::move(opened)), txn(std::move(transaction)) {}

    Outcome<MailboxRecord> mailbox(MailboxId id) const;
    // Also of a deleted mailbox that waits for its files to go.
    Outcome<MailboxRecord> mailbox_even_gone(std::uint32_t id) const;
    Outcome<std::optional<MessageRecord>> message(std::uint32_t mailbox, std::uint32_t uid) const;
    Outcome<UidSet> ranges(kv::Database database, MailboxId mailbox) const;
    Result<kv::Cursor*> message_cursor();
    // The value of a database keyed by message id: asked for in rising order it walks, otherwise it searches.
    std::optional<std::string_view> by_message(std::optional<kv::Cursor>& cursor, kv::Database database,
                                               MessageId message) const;

    std::shared_ptr<Index> index;
    kv::ReadTransaction txn;
    std::optional<kv::Cursor> messages;
    std::optional<kv::Cursor> cache;
    std::optional<kv::Cursor> rare;
    std::optional<kv::Cursor> headers;
    // The directory that the last file was opened in: the next one mostly lies there too.
    struct Folder {
        std::uint32_t mailbox = 0;
        bool in_new = false;
        FileDescriptor descriptor;
    };
    std::optional<Folder> folder;
};

// In a snapshot: where the file of a message may lie, best guess first. Paths relative to the data folder.
std::vector<std::string> file_candidates(const Snapshot::State& state, const FileName& name,
                                         std::uint64_t task);

}  // namespace mailstead::store
