// What the queue knows of its messages, kept beside their files as well: one small file for each entry that
// outlived a checkpoint. The queue's environment is made anew from them when it is damaged (rebuild.h).
//
// They say how the queue stood at the last checkpoint, and the journal holds what came after it: so nothing
// is flushed for them, and a message that was taken and sent between two checkpoints has none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/queue/entry.h"

namespace mailstead::queue {

// `spool/queue-7.entry`, relative to the data folder.
std::string sidecar_path(QueueId id);

// Replaces the entry's file as a whole; not flushed.
Result<void> write_sidecar(const std::filesystem::path& data_dir, const QueueEntry& entry);
// No error when there is none.
void remove_sidecar(const std::filesystem::path& data_dir, QueueId id);
bool has_sidecar(const std::filesystem::path& data_dir, QueueId id);

// Damaged ones, and those of another format, are errors with Fault::damaged.
Result<QueueEntry> read_sidecar(const std::filesystem::path& data_dir, QueueId id);
// In order of their numbers.
Result<std::vector<QueueId>> list_sidecars(const std::filesystem::path& data_dir);

// The number that the next entry gets.
Result<void> write_next_id(const std::filesystem::path& data_dir, QueueId next);
// nullopt: nobody wrote it down, or it is damaged.
std::optional<QueueId> read_next_id(const std::filesystem::path& data_dir);

// Whether the spool holds anything that belongs to a queue.
bool has_traces(const std::filesystem::path& data_dir);

}  // namespace mailstead::queue
