// Checkpoints: the committer takes a snapshot of each environment that changed, a helper thread makes
// everything so far durable while commits go on, then the journal's start moves to where the snapshots were
// taken.
#include "common/commit/committer.h"

namespace mailstead::commit {
namespace {

constexpr auto kRetryCheckpoint = std::chrono::seconds(10);

}  // namespace

bool Committer::is_checkpoint_due() const {
    if (checkpointing_) return false;
    if (!answered_by_next_.empty()) return true;
    if (sync_failed_ || Clock::now() < no_checkpoint_before_) return false;
    if (checkpoint_due_ || holdings_.too_many()) return true;
    if (journal_->bytes_since_start() >= options_.segment_size / 2) return true;
    return growth_due_;
}

void Committer::begin_checkpoint() {
    if (checkpointing_) return;
    checkpoint_due_ = growth_due_ = false;
    if (sync_failed_)
        return answer_checkpoint_requests(transient_error("a sync failed: deliver must be started anew"));
    if (!write_debts() || !capture()) {
        abandon_capture();
        no_checkpoint_before_ = Clock::now() + kRetryCheckpoint;
        answer_checkpoint_requests(transient_error("an index cannot be checkpointed now"));
        return;
    }
    checkpoint_start_ = journal_->end();
    checkpoint_batch_ = next_batch_number_;
    for (Done& done : answered_by_next_) answered_by_this_.push_back(std::move(done));
    answered_by_next_.clear();
    for (std::string& name : staged_) staged_synced_.push_back(std::move(name));
    staged_.clear();
    if (checkpoint_start_ == journal_->control().start) {  // nothing happened
        for (Done& done : std::exchange(answered_by_this_, {})) done({});
        return;
    }
    checkpointing_ = true;
    {
        const std::lock_guard lock(mutex_);
        sync_wanted_ = true;
        before_sync_ = std::exchange(beside_, {});
        sync_result_.reset();
    }
    sync_work_.notify_one();
}

bool Committer::capture() {
    bool whole = true;
    holdings_.for_each([&](Holding& holding) {
        if (!whole) return;
        if (auto work = holding.environment->beside_checkpoint()) beside_.push_back(std::move(work));
        if (!holding.journaled) return;
        auto pin = holding.env->pin();
        auto meta = holding.env->read_meta_pages();
        if (!pin || !meta) {
            whole = false;
            return;
        }
        holding.next_pin = std::move(*pin);
        holding.meta = std::move(*meta);
        holding.journaled = false;
        holding.commits = 0;
        holding.pages_at_checkpoint = holding.env->pages();
    });
    return whole;
}

// The checkpoint does not come about: recovery still starts where it did, with the meta pages that are in the
// journal already.
void Committer::abandon_capture() {
    holdings_.for_each([](Holding& holding) {
        if (!holding.next_pin) return;
        holding.next_pin.drop();
        holding.journaled = true;
    });
}

void Committer::finish_checkpoint(int sync_result) {
    checkpointing_ = false;
    Result<void> done;
    if (sync_result != 0) {
        // The kernel reports a lost write once and then takes the page for clean: a second sync that succeeds
        // would mean nothing. From now on the journal alone is certain. It goes on until it is full; the next
        // start returns to the checkpoint and applies it anew.
        sync_failed_ = true;
        if (!journal_->mark_suspect()) log("the journal cannot be marked suspect");
        done = transient_error("sync: " + errno_text(sync_result));
    } else if (!unwritten_debts_.empty()) {
        done = write_debts();
        if (done) done = journal_->set_start(checkpoint_start_, checkpoint_batch_);
    } else {
        done = journal_->set_start(checkpoint_start_, checkpoint_batch_);
    }
    auto requests = std::exchange(answered_by_this_, {});
    if (!done) {
        abandon_capture();
        for (std::string& name : staged_synced_) staged_.push_back(std::move(name));
        staged_synced_.clear();
        no_checkpoint_before_ = Clock::now() + kRetryCheckpoint;
        log("checkpoint failed: " + done.error().what);
    } else {
        holdings_.for_each([](Holding& holding) {
            if (holding.next_pin) holding.pin = std::move(holding.next_pin);
        });
        remove_staged(std::exchange(staged_synced_, {}));
        ++checkpoints_;
    }
    for (Done& request : requests) request(done);
}

// True when a checkpoint under way came to its end.
bool Committer::poll_checkpoint(bool wait) {
    if (!checkpointing_) return false;
    int result = 0;
    {
        std::unique_lock lock(mutex_);
        if (wait) work_.wait(lock, [this] { return sync_result_.has_value(); });
        if (!sync_result_) return false;
        result = *sync_result_;
        sync_result_.reset();
    }
    finish_checkpoint(result);
    return true;
}

void Committer::answer_checkpoint_requests(const Result<void>& result) {
    for (Done& done : std::exchange(answered_by_next_, {})) done(result);
    for (Done& done : std::exchange(answered_by_this_, {})) done(result);
}

void Committer::run_syncs() {
    std::unique_lock lock(mutex_);
    for (;;) {
        sync_work_.wait(lock, [this] { return sync_wanted_ || sync_stopping_; });
        if (!sync_wanted_) return;
        sync_wanted_ = false;
        const auto work = std::exchange(before_sync_, {});
        lock.unlock();
        for (const auto& each : work) each();
        const int result = volumes_.sync();
        lock.lock();
        sync_result_ = result;
        work_.notify_all();
    }
}

}  // namespace mailstead::commit
