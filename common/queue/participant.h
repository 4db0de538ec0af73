// The queue as the commit engine's participant.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "common/commit/participant.h"
#include "common/queue/entry.h"

namespace mailstead::queue {

// deliver adds it to the engine as kind "queue".
class QueueParticipant final : public commit::Participant {
public:
    // Hears of every entry that a commit made or changed (`entry` set) or took away; on the committer's
    // thread.
    using Listener = std::function<void(QueueId id, const std::optional<QueueEntry>& entry)>;
    // With the data folder it knows a queue that was lost from one that was never there.
    explicit QueueParticipant(Listener listener = {}, std::filesystem::path data_dir = {});

    Result<commit::EnvironmentPlace> locate(std::string_view name) override;
    Result<std::unique_ptr<commit::Environment>> attach(std::string_view name,
                                                        std::shared_ptr<kv::Env> env) override;
    // It is made anew as of the last checkpoint, from the sidecars alone.
    bool rebuild_finds_files(std::string_view) override { return false; }

private:
    Listener listener_;
    std::filesystem::path data_dir_;
};

}  // namespace mailstead::queue
