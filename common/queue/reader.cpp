#include "common/queue/reader.h"

#include "common/kv/keys.h"
#include "common/queue/codec.h"

namespace mailstead::queue {

Result<QueueReader> QueueReader::open(const std::filesystem::path& data_dir) {
    TRY(env, kv::Env::open(data_dir / "queue", kv::EnvOptions{}));
    TRY(entries, env->open_database(kEntries));
    return QueueReader(std::move(env), entries);
}

Result<std::optional<QueueEntry>> QueueReader::find(QueueId id) const {
    TRY(transaction, env_->read());
    TRY(bytes, transaction.get(entries_, kv::Key().u64(id.value)));
    if (!bytes) return std::optional<QueueEntry>{};
    auto entry = decode_entry(id, *bytes);
    if (!entry) return permanent_error(std::string(entry.error().what));
    return std::optional<QueueEntry>(*std::move(entry));
}

Result<std::size_t> QueueReader::for_each(const std::function<bool(const QueueEntry&)>& visit) const {
    TRY(transaction, env_->read());
    TRY(cursor, kv::Cursor::open(transaction, entries_));
    std::size_t damaged = 0;
    TRY(first, cursor.first());
    for (bool more = first; more;) {
        const auto entry = decode_entry(QueueId(kv::KeyReader(cursor.key()).u64()), cursor.value());
        if (!entry) {
            ++damaged;
        } else if (!visit(*entry)) {
            break;
        }
        TRY(next, cursor.next());
        more = next;
    }
    return damaged;
}

Result<std::uint64_t> QueueReader::size() const {
    TRY(transaction, env_->read());
    return transaction.count(entries_);
}

}  // namespace mailstead::queue
