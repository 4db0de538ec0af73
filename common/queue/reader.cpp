#include "common/queue/reader.h"

#include "common/kv/keys.h"
#include "common/queue/codec.h"

namespace mailstead::queue {

Result<std::unique_ptr<QueueReader>> QueueReader::open(const std::filesystem::path& data_dir) {
    auto reader = std::make_unique<QueueReader>(data_dir);
    TRY_VOID(reader->open_now());
    return reader;
}

void QueueReader::close() {
    const std::lock_guard lock(mutex_);
    open_.reset();
}

Result<QueueReader::Open> QueueReader::open_now() const {
    const std::lock_guard lock(mutex_);
    if (open_ && !open_->env->is_replaced()) return *open_;
    open_.reset();
    TRY(env, kv::Env::open(directory_, kv::EnvOptions{}));
    TRY(entries, env->open_database(kEntries));
    open_ = Open{std::move(env), entries};
    return *open_;
}

Result<std::optional<QueueEntry>> QueueReader::find(QueueId id) const {
    TRY(queue, open_now());
    TRY(transaction, queue.env->read());
    TRY(bytes, transaction.get(queue.entries, kv::Key().u64(id.value)));
    if (!bytes) return std::optional<QueueEntry>{};
    auto entry = decode_entry(id, *bytes);
    if (!entry) return permanent_error(std::string(entry.error().what));
    return std::optional<QueueEntry>(*std::move(entry));
}

Result<std::size_t> QueueReader::for_each(const std::function<bool(const QueueEntry&)>& visit) const {
    TRY(queue, open_now());
    TRY(transaction, queue.env->read());
    TRY(cursor, kv::Cursor::open(transaction, queue.entries));
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
    TRY(queue, open_now());
    TRY(transaction, queue.env->read());
    return transaction.count(queue.entries);
}

}  // namespace mailstead::queue
