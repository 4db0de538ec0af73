// Changes of the queue as values, as the commit engine journals and applies them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/ipc/messages.h"
#include "common/queue/entry.h"

namespace mailstead::queue {

// The queue's environment for the commit engine.
inline constexpr std::string_view kQueueEnvironment = "queue";

// What Enqueue is refused with when there are too many.
inline constexpr std::string_view kQueueFull = "the outbound queue is full";

// A message comes in. `entry.id` is given out here; its file is number `file` of the transaction. Answers the
// id.
struct Enqueue {
    QueueEntry entry;
    std::uint32_t file = 0;
    std::uint64_t limit =
        0;  // refused as transient when the queue holds that many messages; 0: never (our own reports)
};

// What an attempt came to. Nothing happens when the entry is gone. With its last recipient the entry goes,
// too. Answers nothing.
struct Record {
    QueueId id;
    std::vector<std::pair<std::uint32_t, Progress>> recipients;  // by index in the entry
};

// The administrator's word. `retry` makes waiting recipients due at `at`. Answers how many entries it
// touched.
struct Control {
    ipc::QueueCommand::Op op = ipc::QueueCommand::Op::retry;
    ipc::QueueCommand::Selector selector;
    Time at{};
};

using QueueChange = std::variant<Enqueue, Record, Control>;

std::string encode(const QueueChange& change);
Parsed<QueueChange> decode_queue_change(std::string_view bytes);

// Results of Enqueue (the id) and Control (a count).
std::string encode_number(std::uint64_t number);
Parsed<std::uint64_t> decode_number(std::string_view bytes);

// Whether the selector means the entry or one of its recipients.
bool selects(const ipc::QueueCommand::Selector& selector, const QueueEntry& entry);
bool selects(const ipc::QueueCommand::Selector& selector, const QueueEntry& entry,
             const QueuedRecipient& recipient);

}  // namespace mailstead::queue
