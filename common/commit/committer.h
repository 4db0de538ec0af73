// Private to this folder: the committer's thread, its queue, and the checkpoints.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/commit/batch.h"
#include "common/commit/company.h"
#include "common/commit/debt.h"
#include "common/commit/holdings.h"
#include "common/commit/journal.h"
#include "common/commit/preparer.h"
#include "common/commit/reserve.h"
#include "common/commit/volumes.h"

namespace mailstead::commit {

using Done = std::function<void(Result<void>)>;
using HoldDone = std::function<void(Result<std::uint64_t>)>;

class Committer {
public:
    Committer(const EngineOptions& options, FileLayer& files);
    ~Committer();

    void add(std::string kind, Participant& participant) { holdings_.add(std::move(kind), participant); }
    Result<RecoveryReport> start();
    // After everything that waits is done and checkpointed.
    void stop();

    // Reserves room for a transaction of about this size; false: too much waits already.
    bool admit(std::size_t bytes);
    void submit(std::unique_ptr<Waiting> waiting);  // admitted
    void release(std::size_t bytes);                // admitted, but refused on the way
    void checkpoint(Done done);
    void drop(std::string environment, Done done);
    void hold(HoldDone done);
    Hold& held() { return holdings_.hold(); }
    void release_hold();
    void set_aside(std::string environment, Error why, Done done);
    void readmit(std::string environment, Done done);
    std::vector<SetAside> set_aside() const;
    EngineStatus status() const;

private:
    using Clock = std::chrono::steady_clock;

    Result<std::unique_ptr<Journal>> open_journal();

    // The thread.
    void run();
    std::vector<std::unique_ptr<Waiting>> next_batch(bool& stopping);
    void await_company(std::unique_lock<std::mutex>& lock);
    void handle_requests();
    void commit_batch(std::vector<std::unique_ptr<Waiting>> waiting);
    std::vector<std::unique_ptr<Waiting>> refuse_for_lack_of_space(
        std::vector<std::unique_ptr<Waiting>> waiting);
    bool try_commit(Batch& batch);
    Result<void> append(const Record& record);
    Result<void> make_room(std::size_t payload_size);
    void revoke(std::uint64_t batch);
    void remove_staged(const std::vector<std::string>& names);
    void give_back(std::vector<std::unique_ptr<Waiting>> rest);
    Result<std::uint64_t> hold_now();
    Result<void> drop_now(const std::string& environment);
    void request(std::function<Result<void>()> work, Done done);
    Clock::time_point next_wake(bool dirty) const;
    bool has_room_for_small_changes(std::uint64_t& space);

    // Environments out of service (set_aside.cpp).
    void take_trouble(std::vector<std::pair<std::string, Error>> troubled);
    Result<void> put_out(const std::string& key, Error why);
    Result<void> begin_anew(const std::string& key, const Error& why);
    void know_aside(SetAside aside);
    Result<void> write_debts();
    Result<void> readmit_now(const std::string& key);
    Result<void> pay(const std::string& key, Debt& debt);
    Result<void> append_drop(const std::string& key);
    void retry_asides();

    // Checkpoints: begun and finished here, synced by a helper thread.
    bool is_checkpoint_due() const;
    void begin_checkpoint();
    bool capture();
    void finish_checkpoint(int sync_result);
    void abandon_capture();
    bool poll_checkpoint(bool wait);
    void answer_checkpoint_requests(const Result<void>& result);
    void run_syncs();

    void log(std::string_view line) const;
    void set_accepting(bool accepting, std::string_view why);

    const EngineOptions& options_;
    FileLayer& files_;
    Volumes volumes_;
    Reserve reserve_;
    Holdings holdings_;
    std::unique_ptr<Journal> journal_;
    std::thread thread_;
    std::thread sync_thread_;

    mutable std::mutex mutex_;
    std::condition_variable work_;
    std::deque<std::unique_ptr<Waiting>> queue_;
    std::vector<Done> checkpoint_requests_;
    std::vector<std::pair<std::function<Result<void>()>, Done>> requests_;
    std::map<std::string, SetAside> asides_;
    std::size_t admitted_ = 0;
    std::size_t admitted_bytes_ = 0;
    bool stopping_ = false;
    std::condition_variable sync_work_;
    std::vector<std::function<void()>> beside_;       // Environment::beside_checkpoint() of the next one
    std::vector<std::function<void()>> before_sync_;  // and of the one that begins
    bool sync_wanted_ = false;
    bool sync_stopping_ = false;
    std::optional<int> sync_result_;

    // The thread's own.
    FrameBuffer frame_;
    Company company_;
    std::uint64_t next_batch_number_ = 1;
    bool checkpointing_ = false;
    bool sync_failed_ = false;
    bool short_of_space_ = false;
    Position checkpoint_start_;
    std::uint64_t checkpoint_batch_ = 1;
    Clock::time_point last_activity_;
    Clock::time_point no_checkpoint_before_;
    bool checkpoint_due_ = false;
    bool growth_due_ = false;                 // an environment took many commits or pages since the last one
    std::vector<Done> answered_by_next_;      // requests which the next checkpoint answers
    std::vector<Done> answered_by_this_;      // ... the one under way
    std::vector<std::string> staged_;         // removed by the checkpoint after next
    std::vector<std::string> staged_synced_;  // ... by the one under way
    std::vector<std::uint64_t> to_revoke_;
    std::set<std::string> unwritten_debts_;  // the journal's start stays where it is until they are on disk
    std::set<std::string> to_retry_;         // out of service for what may pass by itself
    std::map<std::string, kv::Pin> kept_;    // of those: the checkpoint that their debts return to
    Clock::time_point next_retry_;

    std::atomic<std::uint64_t> batches_{0};
    std::atomic<std::uint64_t> transactions_{0};
    std::atomic<std::uint64_t> checkpoints_{0};
    std::atomic<std::uint64_t> failed_{0};
    std::atomic<std::size_t> open_environments_{0};
    std::atomic<std::uint64_t> journal_bytes_{0};
    std::atomic<bool> accepting_{true};
};

}  // namespace mailstead::commit
