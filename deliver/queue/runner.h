// Works the outbound queue off: starts what is due, and turns what came of it into changes.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/commit/engine.h"
#include "common/net/event.h"
#include "common/net/task.h"
#include "common/net/task_group.h"
#include "common/queue/reader.h"
#include "common/runtime/offload.h"
#include "deliver/queue/schedule.h"
#include "deliver/relay/relay.h"
#include "deliver/report/report.h"

namespace mailstead::deliver {

struct RunnerParts {
    commit::Engine* engine = nullptr;
    const queue::QueueReader* reader = nullptr;
    Relay* relay = nullptr;
    const Reporter* reporter = nullptr;
    DepositPart deposit;
    std::function<commit::Part(const ipc::LedgerLine& line)> ledger;
    runtime::OffloadPool* pool = nullptr;
    std::filesystem::path data_dir;
    Schedule::Limits limits;
};

// Belongs to one io thread: that of the Relay.
class QueueRunner {
public:
    // The parts outlive the runner.
    QueueRunner(boost::asio::io_context& context, RunnerParts parts);
    ~QueueRunner();

    // Reads the whole queue, before run().
    Result<void> load();
    // The same later on, when the queue was made anew. From any thread.
    void load_again();
    // An entry came, changed, or went (see queue::QueueParticipant::Listener). From any thread.
    void changed(QueueId id, const std::optional<queue::QueueEntry>& entry);

    // Until the task is asked to stop; then waits for the attempts in hand.
    net::Task<void> run();

    std::size_t waiting() const { return schedule_.waiting(); }
    std::size_t running() const { return schedule_.running(); }

private:
    net::Task<void> attempt(Job job);
    net::Task<void> attempt_remote(queue::QueueEntry entry, std::vector<std::uint32_t> recipients,
                                   std::string destination);
    net::Task<void> attempt_local(queue::QueueEntry entry, std::vector<std::uint32_t> recipients);
    net::Task<void> conclude(queue::QueueEntry entry, Attempt attempt);
    commit::Transaction outcome_of(const queue::QueueEntry& entry, const Attempt& attempt,
                                   const std::string& original, Time at) const;
    std::vector<std::uint32_t> due_recipients(const queue::QueueEntry& entry, const std::string& destination,
                                              Time at) const;

    boost::asio::io_context& context_;
    RunnerParts parts_;
    Schedule schedule_;
    net::Event wake_;
    net::TaskGroup attempts_;
};

// How a recipient stands after an attempt: delivered, failed, waiting for its next attempt, or expired.
// `chance` in [0, 1).
queue::Progress progress_after(const queue::QueueEntry& entry, const queue::Progress& before,
                               const RecipientVerdict& verdict, const std::string& host, Time at,
                               double chance);

}  // namespace mailstead::deliver
