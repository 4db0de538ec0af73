#include "common/queue/participant.h"

#include <utility>

#include "common/base/bytes.h"
#include "common/kv/keys.h"
#include "common/queue/change.h"
#include "common/queue/codec.h"

namespace mailstead::queue {
namespace {

constexpr std::string_view kMeta = "meta";
constexpr std::string_view kNextId = "next-id";
constexpr std::string_view kFormatKey = "format";
constexpr std::uint64_t kFormat = 1;

class QueueEnvironment final : public commit::Environment {
public:
    QueueEnvironment(std::shared_ptr<kv::Env> env, kv::Database entries, kv::Database meta,
                     const QueueParticipant::Listener& listener)
        : env_(std::move(env)), entries_(entries), meta_(meta), listener_(listener) {}

    Result<std::string> apply(kv::WriteTransaction& transaction, std::string_view change,
                              commit::ApplyContext& context) override {
        auto decoded = decode_queue_change(change);
        if (!decoded) return permanent_error(std::string(decoded.error().what));
        return std::visit([&](auto& each) { return apply(transaction, each, context); }, *decoded);
    }

    void after_commit() override {
        const auto touched = std::exchange(touched_, {});
        if (!listener_) return;
        for (const auto& [id, entry] : touched) listener_(id, entry);
    }
    void after_undo() override { touched_.clear(); }

private:
    Result<std::string> apply(kv::WriteTransaction& transaction, Enqueue& change,
                              commit::ApplyContext& context) {
        if (change.file >= context.file_count()) return permanent_error("the message's file is missing");
        TRY(count, transaction.count(entries_));
        if (change.limit != 0 && count >= change.limit) return transient_error("the outbound queue is full");
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
    const QueueParticipant::Listener& listener_;
    std::vector<std::pair<QueueId, std::optional<QueueEntry>>> touched_;
};

Result<void> check_format(kv::Env& env, kv::Database meta) {
    return env.update([&](kv::WriteTransaction& transaction) -> Result<void> {
        TRY(found, transaction.get(meta, kFormatKey));
        if (found && ByteReader(*found).varint() > kFormat) {
            return permanent_error("the queue was written by a newer version of Mailstead");
        }
        if (!found || ByteReader(*found).varint() != kFormat)
            TRY_VOID(transaction.put(meta, kFormatKey, encode_number(kFormat)));
        return {};
    });
}

}  // namespace

QueueParticipant::QueueParticipant(Listener listener) : listener_(std::move(listener)) {}

Result<commit::EnvironmentPlace> QueueParticipant::locate(std::string_view name) {
    if (!name.empty()) return permanent_error("there is one queue");
    commit::EnvironmentPlace place;
    place.directory = "queue";
    return place;
}

Result<std::unique_ptr<commit::Environment>> QueueParticipant::attach(std::string_view,
                                                                      std::shared_ptr<kv::Env> env) {
    TRY(databases, env->open_databases({kEntries, kMeta}));
    TRY_VOID(check_format(*env, databases[1]));
    return std::unique_ptr<commit::Environment>(
        std::make_unique<QueueEnvironment>(std::move(env), databases[0], databases[1], listener_));
}

}  // namespace mailstead::queue
