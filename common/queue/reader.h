// The queue as its readers see it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "common/base/result.h"
#include "common/kv/env.h"
#include "common/queue/entry.h"

namespace mailstead::queue {

// Reads the queue: deliver itself at start and for each attempt, the admin CLI for listings. Thread-safe.
// Opens the environment with the first question, and anew when it was replaced; in deliver ask only after
// Engine::start().
class QueueReader {
public:
    explicit QueueReader(const std::filesystem::path& data_dir) : directory_(data_dir / "queue") {}
    // Opens `data_dir`/queue at once.
    static Result<std::unique_ptr<QueueReader>> open(const std::filesystem::path& data_dir);
    // Lets go of the files until the next question.
    void close();

    Result<std::optional<QueueEntry>> find(QueueId id) const;
    // In order of id, that is of arrival; the visitor returns false to stop. Damaged entries are passed over
    // and counted.
    Result<std::size_t> for_each(const std::function<bool(const QueueEntry&)>& visit) const;
    Result<std::uint64_t> size() const;

private:
    struct Open {
        std::shared_ptr<kv::Env> env;
        kv::Database entries;
    };
    Result<Open> open_now() const;

    std::filesystem::path directory_;
    mutable std::mutex mutex_;
    mutable std::optional<Open> open_;
};

}  // namespace mailstead::queue
