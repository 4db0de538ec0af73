#include "deliver/queue/outbound_queue.h"

#include "common/queue/change.h"

namespace mailstead::deliver {

commit::Part enqueue_part(const MessageFacts& facts, std::vector<ipc::Recipient> recipients,
                          std::uint32_t file, const QueueLimits& limits) {
    queue::Enqueue change;
    change.file = file;
    change.limit = facts.envelope.reverse_path ? limits.messages : 0;
    queue::QueueEntry& entry = change.entry;
    entry.trace_id = facts.trace_id;
    entry.envelope = facts.envelope;
    entry.envelope.recipients.clear();
    entry.service = facts.service;
    entry.account = facts.account;
    entry.size = facts.size;
    entry.received = facts.received;
    entry.expires = facts.received + limits.lifetime;
    entry.delay_notice = facts.received + limits.delay_notice;
    for (auto& recipient : recipients) {
        queue::Progress progress;
        progress.next_attempt = facts.received;
        entry.recipients.push_back({std::move(recipient), std::move(progress)});
    }
    return commit::Part{
        std::string(queue::kQueueEnvironment), queue::encode(queue::QueueChange(std::move(change))), {}};
}

}  // namespace mailstead::deliver
