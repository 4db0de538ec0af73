#include "common/queue/rebuild.h"

#include <system_error>
#include <unistd.h>
#include <vector>

#include "common/base/bytes.h"
#include "common/commit/file_layer.h"
#include "common/kv/env.h"
#include "common/kv/keys.h"
#include "common/queue/change.h"
#include "common/queue/codec.h"
#include "common/queue/sidecar.h"

namespace mailstead::queue {
namespace {

Result<void> fill(kv::Env& env, const std::vector<QueueEntry>& entries, QueueId next) {
    TRY(databases, env.open_databases({kEntries, kMeta}));
    return env.update([&](kv::WriteTransaction& transaction) -> Result<void> {
        for (const QueueEntry& entry : entries)
            TRY_VOID(transaction.put(databases[0], kv::Key().u64(entry.id.value), encode(entry)));
        ByteWriter number;
        number.fixed64(next.value);
        TRY_VOID(transaction.put(databases[1], kNextId, number.bytes()));
        TRY_VOID(transaction.put(databases[1], kFormatKey, encode_number(kFormat)));
        return {};
    });
}

Result<void> move(const std::filesystem::path& from, const std::filesystem::path& to) {
    std::error_code error;
    std::filesystem::create_directories(to.parent_path(), error);
    if (!error) std::filesystem::rename(from, to, error);
    if (error) return transient_error("move " + from.string() + ": " + error.message());
    return {};
}

}  // namespace

Result<RebuildReport> rebuild_queue(const std::filesystem::path& data_dir, Time now) {
    RebuildReport report;
    std::vector<QueueEntry> entries;
    QueueId next(1);
    TRY(ids, list_sidecars(data_dir));
    for (const QueueId id : ids) {
        next = QueueId(id.value + 1);
        auto entry = read_sidecar(data_dir, id);
        if (!entry && entry.error().retry == Retry::later_may_help) return entry.error();
        if (entry) {
            entries.push_back(*std::move(entry));
        } else {
            ++report.damaged;
        }
    }
    // Changes in the journal name entries by the numbers that they got when they came.
    if (const auto known = read_next_id(data_dir)) next = std::max(next, *known);
    report.entries = entries.size();

    const std::filesystem::path queue = data_dir / "queue";
    const std::filesystem::path fresh = queue / "new";
    std::error_code error;
    std::filesystem::remove_all(fresh, error);
    {
        kv::EnvOptions options;
        options.access = kv::Access::durable_writer;
        TRY(env, kv::Env::open(fresh, options));
        TRY_VOID(fill(*env, entries, next));
    }
    const auto aside = queue / ("damaged-" + std::to_string(now.time_since_epoch().count()));
    for (const char* name : {"data.mdb", "lock.mdb"}) {
        if (!std::filesystem::exists(queue / name, error)) continue;
        TRY_VOID(move(queue / name, aside / name));
        report.old_queue = aside;
    }
    TRY_VOID(move(fresh / "data.mdb", queue / "data.mdb"));
    std::filesystem::remove_all(fresh, error);
    // The engine lets go of what it is owed once it has this one.
    if (const int rc = commit::flush_folder(commit::FileLayer::real(), queue))
        return transient_error("cannot sync " + queue.string() + ": " + commit::errno_text(rc));
    return report;
}

}  // namespace mailstead::queue
