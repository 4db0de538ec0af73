// How the intake puts messages into the queue.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/commit/engine.h"
#include "common/ipc/messages.h"
#include "common/queue/entry.h"

namespace mailstead::deliver {

// What the queue keeps of a message beside its recipients.
struct MessageFacts {
    std::string trace_id;
    ipc::Envelope envelope;  // its recipients are not looked at
    ipc::Service service = ipc::Service::submission;
    AccountId account;
    std::uint64_t size = 0;
    Time received{};
};

struct QueueLimits {
    Seconds lifetime = std::chrono::days(5);
    Seconds delay_notice = std::chrono::hours(4);
    std::uint64_t messages = 100'000;
};

// The part of a transaction that queues the message for these recipients: remote ones, and local ones whose
// mailbox would not take it now. Its file is number `file` of the transaction. Once committed, the scheduler
// hears of it by itself. The result is queue::decode_number(): the queue id.
commit::Part enqueue_part(const MessageFacts& facts, std::vector<ipc::Recipient> recipients,
                          std::uint32_t file, const QueueLimits& limits);

}  // namespace mailstead::deliver
