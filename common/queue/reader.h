// The queue as its readers see it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "common/base/result.h"
#include "common/kv/env.h"
#include "common/queue/entry.h"

namespace mailstead::queue {

// Reads the queue: deliver itself at start and for each attempt, the admin CLI for listings. Thread-safe.
class QueueReader {
public:
    // `data_dir`/queue; in deliver after Engine::start().
    static Result<QueueReader> open(const std::filesystem::path& data_dir);

    Result<std::optional<QueueEntry>> find(QueueId id) const;
    // In order of id, that is of arrival; the visitor returns false to stop. Damaged entries are passed over
    // and counted.
    Result<std::size_t> for_each(const std::function<bool(const QueueEntry&)>& visit) const;
    Result<std::uint64_t> size() const;

private:
    QueueReader(std::shared_ptr<kv::Env> env, kv::Database entries)
        : env_(std::move(env)), entries_(entries) {}
    std::shared_ptr<kv::Env> env_;
    kv::Database entries_;
};

}  // namespace mailstead::queue
