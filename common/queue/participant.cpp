#include "common/queue/participant.h"

#include <map>
#include <mutex>
#include <utility>

#include "common/base/bytes.h"
#include "common/kv/keys.h"
#include "common/queue/change.h"
#include "common/queue/codec.h"
#include "common/queue/sidecar.h"

namespace mailstead::queue {
namespace {

// What the sidecars do not say yet. The work beside a checkpoint holds it, too.
class Pending {
public:
    void note(QueueId id, const std::optional<QueueEntry>& entry) {
        const std::lock_guard lock(mutex_);
        entries_.insert_or_assign(id, entry);
    }
    void note_next(QueueId next) {
        const std::lock_guard lock(mutex_);
        next_ = next;
    }
    bool is_empty() const {
        const std::lock_guard lock(mutex_);
        return entries_.empty() && !next_;
    }

    // As of the moment of the call: what comes later is for the next checkpoint.
    std::function<void()> take(const std::shared_ptr<Pending>& self, const std::filesystem::path& data_dir) {
        const std::lock_guard lock(mutex_);
        return [self, data_dir, entries = std::exchange(entries_, {}), next = std::exchange(next_, {})] {
            for (const auto& [id, entry] : entries) {
                if (!entry) {
                    remove_sidecar(data_dir, id);
                } else if (!write_sidecar(data_dir, *entry)) {
                    self->try_again(id, *entry);
                }
            }
            if (next && !write_next_id(data_dir, *next)) self->note_next_again(*next);
        };
    }

private:
    // Unless something newer is to be written.
    void try_again(QueueId id, const QueueEntry& entry) {
        const std::lock_guard lock(mutex_);
        entries_.try_emplace(id, entry);
    }
    void note_next_again(QueueId next) {
        const std::lock_guard lock(mutex_);
        if (!next_) next_ = next;
    }

    mutable std::mutex mutex_;
    std::map<QueueId, std::optional<QueueEntry>> entries_;
    std::optional<QueueId> next_;
};

class QueueEnvironment final : public commit::Environment {
public:
    QueueEnvironment(std::shared_ptr<kv::Env> env, kv::Database entries, kv::Database meta,
                     const QueueParticipant::Listener& listener)
        : env_(std::move(env)),
          entries_(entries),
          meta_(meta),
          data_dir_(env_->directory().parent_path()),
          listener_(listener) {}

    // Entries from before there were sidecars, or whose sidecar somebody removed.
    Result<void> find_missing_sidecars() {
        TRY(transaction, env_->read());
        TRY(cursor, kv::Cursor::open(transaction, entries_));
        TRY(first, cursor.first());
        for (bool more = first; more;) {
            const QueueId id(kv::KeyReader(cursor.key()).u64());
            const auto entry = decode_entry(id, cursor.value());
            if (entry && !has_sidecar(data_dir_, id)) pending_->note(id, *entry);
            TRY(next, cursor.next());
            more = next;
        }
        return {};
    }

    Result<std::string> apply(kv::WriteTransaction& transaction, std::string_view change,
                              commit::ApplyContext& context) override {
        auto decoded = decode_queue_change(change);
        if (!decoded) return permanent_error(std::string(decoded.error().what));
        return std::visit([&](auto& each) { return apply(transaction, each, context); }, *decoded);
    }

    void after_commit() override {
        const auto touched = std::exchange(touched_, {});
        for (const auto& [id, entry] : touched) pending_->note(id, entry);
        if (const auto next = std::exchange(next_, {})) pending_->note_next(*next);
        if (!listener_) return;
        for (const auto& [id, entry] : touched) listener_(id, entry);
    }
    void after_undo() override {
        touched_.clear();
        next_.reset();
    }

    std::function<void()> beside_checkpoint() override {
        return pending_->is_empty() ? std::function<void()>() : pending_->take(pending_, data_dir_);
    }

private:
    Result<std::string> apply(kv::WriteTransaction& transaction, Enqueue& change,
                              commit::ApplyContext& context) {
        if (change.file >= context.file_count()) return permanent_error("the message's file is missing");
        TRY(count, transaction.count(entries_));
        if (change.limit != 0 && count >= change.limit) return transient_error(std::string(kQueueFull));
        TRY(id, next_id(transaction));
        change.entry.id = id;
        context.link_file(change.file, spool_path(id));
        TRY_VOID(store(transaction, change.entry));
        return encode_number(id.value);
    }

    Result<std::string> apply(kv::WriteTransaction& transaction, Record& change,
                              commit::ApplyContext& context) {
        TRY(found, load(transaction, change.id));
        if (!found) return std::string{};
        for (auto& [index, progress] : change.recipients) {
            if (index >= found->recipients.size()) continue;
            Progress& current = found->recipients[index].progress;
            // What was settled stays settled: the administrator may have removed it during the attempt.
            if (!is_final(current.state)) current = std::move(progress);
        }
        TRY_VOID(keep_or_remove(transaction, *found, context));
        return std::string{};
    }

    Result<std::string> apply(kv::WriteTransaction& transaction, Control& change,
                              commit::ApplyContext& context) {
        TRY(chosen, matching(transaction, change.selector));
        for (QueueEntry& entry : chosen) {
            control(entry, change);
            TRY_VOID(keep_or_remove(transaction, entry, context));
        }
        return encode_number(chosen.size());
    }

    static void control(QueueEntry& entry, const Control& change) {
        using Op = ipc::QueueCommand::Op;
        if (change.op == Op::hold || change.op == Op::release) entry.held = change.op == Op::hold;
        for (QueuedRecipient& each : entry.recipients) {
            if (is_final(each.progress.state) || !selects(change.selector, entry, each)) continue;
            if (change.op == Op::retry) each.progress.next_attempt = change.at;
            if (change.op == Op::remove) each.progress.state = RecipientState::removed;
        }
    }

    Result<std::vector<QueueEntry>> matching(kv::WriteTransaction& transaction,
                                             const ipc::QueueCommand::Selector& selector) {
        std::vector<QueueEntry> chosen;
        if (const auto* id = std::get_if<QueueId>(&selector)) {
            TRY(found, load(transaction, *id));
            if (found) chosen.push_back(std::move(*found));
            return chosen;
        }
        TRY(cursor, kv::Cursor::open(transaction, entries_));
        TRY(first, cursor.first());
        for (bool more = first; more;) {
            auto entry = decode_entry(QueueId(kv::KeyReader(cursor.key()).u64()), cursor.value());
            if (entry && selects(selector, *entry)) chosen.push_back(*std::move(entry));
            TRY(next, cursor.next());
            more = next;
        }
        return chosen;
    }

    Result<QueueId> next_id(kv::WriteTransaction& transaction) {
        TRY(found, transaction.get(meta_, kNextId));
        const QueueId id(found ? ByteReader(*found).fixed64() : 1);
        ByteWriter next;
        next.fixed64(id.value + 1);
        TRY_VOID(transaction.put(meta_, kNextId, next.bytes()));
        next_ = QueueId(id.value + 1);
        return id;
    }

    Result<std::optional<QueueEntry>> load(kv::WriteTransaction& transaction, QueueId id) {
        TRY(bytes, transaction.get(entries_, kv::Key().u64(id.value)));
        if (!bytes) return std::optional<QueueEntry>{};
        auto entry = decode_entry(id, *bytes);
        if (!entry) return permanent_error(std::string(entry.error().what));
        return std::optional<QueueEntry>(*std::move(entry));
    }

    Result<void> store(kv::WriteTransaction& transaction, const QueueEntry& entry) {
        TRY_VOID(transaction.put(entries_, kv::Key().u64(entry.id.value), encode(entry)));
        touched_.emplace_back(entry.id, entry);
        return {};
    }

    Result<void> keep_or_remove(kv::WriteTransaction& transaction, const QueueEntry& entry,
                                commit::ApplyContext& context) {
        for (const auto& each : entry.recipients) {
            if (!is_final(each.progress.state)) return store(transaction, entry);
        }
        TRY_VOID(transaction.erase(entries_, kv::Key().u64(entry.id.value)));
        context.remove_after_commit(spool_path(entry.id));
        touched_.emplace_back(entry.id, std::nullopt);
        return {};
    }

    std::shared_ptr<kv::Env> env_;
    kv::Database entries_;
    kv::Database meta_;
    std::filesystem::path data_dir_;
    const QueueParticipant::Listener& listener_;
    std::vector<std::pair<QueueId, std::optional<QueueEntry>>> touched_;
    std::optional<QueueId> next_;  // as of the batch in hand
    std::shared_ptr<Pending> pending_ = std::make_shared<Pending>();
};

Result<void> check_format(kv::Env& env, kv::Database meta) {
    return env.update([&](kv::WriteTransaction& transaction) -> Result<void> {
        TRY(found, transaction.get(meta, kFormatKey));
        if (found && ByteReader(*found).varint() > kFormat) {
            return permanent_error("the queue was written by a newer version of Mailstead");
        }
        if (!found) TRY_VOID(transaction.put(meta, kFormatKey, encode_number(kFormat)));
        return {};
    });
}

}  // namespace

QueueParticipant::QueueParticipant(Listener listener, std::filesystem::path data_dir)
    : listener_(std::move(listener)), data_dir_(std::move(data_dir)) {}

Result<commit::EnvironmentPlace> QueueParticipant::locate(std::string_view name) {
    if (!name.empty()) return permanent_error("there is one queue");
    commit::EnvironmentPlace place;
    place.directory = "queue";
    // Messages wait for it: an environment that is not there was lost.
    place.must_exist = !data_dir_.empty() && has_traces(data_dir_);
    return place;
}

Result<std::unique_ptr<commit::Environment>> QueueParticipant::attach(std::string_view,
                                                                      std::shared_ptr<kv::Env> env) {
    TRY(databases, env->open_databases({kEntries, kMeta}));
    TRY_VOID(check_format(*env, databases[1]));
    auto queue = std::make_unique<QueueEnvironment>(std::move(env), databases[0], databases[1], listener_);
    TRY_VOID(queue->find_missing_sidecars());
    return std::unique_ptr<commit::Environment>(std::move(queue));
}

}  // namespace mailstead::queue
