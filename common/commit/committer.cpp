#include "common/commit/committer.h"

#include <algorithm>
#include <fcntl.h>

#include "common/commit/recovery.h"

namespace mailstead::commit {
namespace {

constexpr std::size_t kSmallPayload = std::size_t{64} * 1024;

}  // namespace

Committer::Committer(const EngineOptions& options, FileLayer& files)
    : options_(options),
      files_(files),
      volumes_(files, options.root),
      reserve_(files, options.root / options.reserve, options.reserve_size),
      holdings_(options, volumes_) {}

Committer::~Committer() {
    stop();
}

Result<std::unique_ptr<Journal>> Committer::open_journal() {
    Journal::Options options;
    options.directory = options_.root / options_.journal;
    options.segment_size = options_.segment_size;
    options.max_segments = options_.max_segments;
    options.expected = environments_exist(options_.root);
    auto journal = Journal::open(files_, options);
    if (journal || journal.error().fault != Fault::damaged) return journal;
    const Error why = journal.error();
    if (!is_accepted(files_, options.directory, {{options.directory / "control", 0, why.what}})) {
        return permanent_error(why.what +
                                   ". Nothing was changed. Put the file back from the disk it was on, "
                                   "or let `mailstead verify --repair` go on without it",
                               Fault::damaged);
    }
    log("the journal begins anew: " + why.what);
    options.start_anew = true;
    journal = Journal::open(files_, options);
    if (journal) files_.remove(options.directory / kAcceptanceFile);
    return journal;
}

Result<RecoveryReport> Committer::start() {
    for (const auto& folder :
         {options_.root, options_.root / options_.staging, options_.root / options_.journal}) {
        if (folder == options_.root / options_.journal && environments_exist(options_.root)) continue;
        if (const int rc = make_directories(files_, folder)) {
            return transient_error("cannot create " + folder.string() + ": " + errno_text(rc));
        }
    }
    TRY_VOID(volumes_.find(
        {options_.root / options_.staging, options_.root / options_.journal, options_.root / "accounts"},
        [this](std::string_view line) { log(line); }));
    TRY(journal, open_journal());
    journal_ = std::move(journal);
    reserve_.open();
    Recovery recovery({options_, files_, holdings_, *journal_, volumes_, reserve_});
    TRY(report, recovery.run());
    TRY_VOID(journal_->renew_segments());
    next_batch_number_ = recovery.next_batch();
    last_activity_ = no_checkpoint_before_ = next_retry_ = Clock::now();
    for (SetAside& aside : recovery.take_set_aside()) know_aside(std::move(aside));
    // Now nobody here has them open.
    retry_asides();
    std::uint64_t space = 0;
    if (volumes_.free_space(space) == 0) reserve_.refill(space, options_.reserved_space);
    sync_thread_ = std::thread([this] { run_syncs(); });
    thread_ = std::thread([this] { run(); });
    return report;
}

void Committer::stop() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    work_.notify_all();
    thread_.join();
    {
        const std::lock_guard lock(mutex_);
        sync_stopping_ = true;
    }
    sync_work_.notify_all();
    sync_thread_.join();
    kept_.clear();
    holdings_.close_all();
    journal_.reset();
}

bool Committer::admit(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (stopping_ || admitted_ >= options_.max_waiting_transactions) return false;
    if (admitted_bytes_ + bytes > options_.max_waiting_bytes) return false;
    ++admitted_;
    admitted_bytes_ += bytes;
    return true;
}

void Committer::release(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    --admitted_;
    admitted_bytes_ -= bytes;
    work_.notify_one();
}

void Committer::submit(std::unique_ptr<Waiting> waiting) {
    {
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(waiting));
    }
    work_.notify_one();
}

void Committer::checkpoint(Done done) {
    {
        const std::lock_guard lock(mutex_);
        checkpoint_requests_.push_back(std::move(done));
    }
    work_.notify_one();
}

void Committer::request(std::function<Result<void>()> work, Done done) {
    {
        const std::lock_guard lock(mutex_);
        requests_.emplace_back(std::move(work), std::move(done));
    }
    work_.notify_one();
}

void Committer::drop(std::string environment, Done done) {
    request([this, environment = std::move(environment)] { return drop_now(environment); }, std::move(done));
}

void Committer::hold(HoldDone done) {
    auto batch = std::make_shared<std::uint64_t>();
    const auto work = [this, batch]() -> Result<void> {
        TRY(last, hold_now());
        *batch = last;
        return {};
    };
    request(work, [batch, done = std::move(done)](const Result<void>& held) {
        done(held ? Result<std::uint64_t>(*batch) : Result<std::uint64_t>(held.error()));
    });
}

void Committer::release_hold() {
    const auto waited = holdings_.hold().end();
    if (const std::string failures = run_after_steps(files_, options_.root, waited); !failures.empty())
        log("files left behind:" + failures);
}

EngineStatus Committer::status() const {
    EngineStatus status;
    status.batches = batches_;
    status.transactions = transactions_;
    status.checkpoints = checkpoints_;
    status.failed_batches = failed_;
    status.open_environments = open_environments_;
    status.journal_bytes = journal_bytes_;
    status.accepting = accepting_;
    const std::lock_guard lock(mutex_);
    status.waiting = admitted_;
    status.set_aside = asides_.size();
    return status;
}

void Committer::log(std::string_view line) const {
    if (options_.log) options_.log(line);
}

void Committer::set_accepting(bool accepting, std::string_view why) {
    if (accepting_.exchange(accepting) == accepting) return;
    log(accepting ? "commits go on" : "commits are refused for now: " + std::string(why));
}

void Committer::run() {
    for (bool stopping = false; !stopping;) {
        auto waiting = next_batch(stopping);
        handle_requests();
        if (!waiting.empty()) commit_batch(std::move(waiting));
        poll_checkpoint(false);
        if (is_checkpoint_due()) begin_checkpoint();
        retry_asides();
        open_environments_ = holdings_.size();
        journal_bytes_ = journal_->bytes_since_start();
    }
    // The last checkpoint: the next start finds nothing to do.
    poll_checkpoint(true);
    begin_checkpoint();
    poll_checkpoint(true);
    answer_checkpoint_requests(transient_error("the engine stops"));
    release_hold();
    const bool is_at_rest = journal_->control().start == journal_->end() && !sync_failed_ &&
                            unwritten_debts_.empty() && to_revoke_.empty();
    if (is_at_rest && !journal_->mark_clean())
        log("the journal cannot be marked clean: the next start recovers");
}

std::vector<std::unique_ptr<Waiting>> Committer::next_batch(bool& stopping) {
    std::unique_lock lock(mutex_);
    const auto anything = [this] {
        return !queue_.empty() || !checkpoint_requests_.empty() || !requests_.empty() || sync_result_ ||
               (stopping_ && admitted_ == 0);
    };
    const bool dirty = journal_->control().start != journal_->end() && !checkpointing_ && !sync_failed_;
    const auto wake = next_wake(dirty);
    if (wake != Clock::time_point::max()) {
        work_.wait_until(lock, wake, anything);
        const auto idle = std::max(last_activity_ + options_.checkpoint_idle, no_checkpoint_before_);
        if (dirty && !anything() && Clock::now() >= idle) checkpoint_due_ = true;
    } else {
        work_.wait(lock, anything);
    }
    await_company(lock);
    std::vector<std::unique_ptr<Waiting>> batch;
    std::size_t bytes = 0;
    while (!queue_.empty() && batch.size() < options_.max_batch_transactions) {
        bytes += queue_.front()->bytes;
        if (!batch.empty() && bytes > options_.max_batch_bytes) break;
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    stopping = stopping_ && admitted_ == 0 && batch.empty();
    return batch;
}

// When there is something to do though nobody asks.
Committer::Clock::time_point Committer::next_wake(bool dirty) const {
    auto wake = Clock::time_point::max();
    if (dirty) wake = std::max(last_activity_ + options_.checkpoint_idle, no_checkpoint_before_);
    if (!to_retry_.empty()) wake = std::min(wake, next_retry_);
    return wake;
}

void Committer::await_company(std::unique_lock<std::mutex>& lock) {
    const std::size_t before = queue_.size();
    const std::size_t wanted = std::min(company_.expected(), options_.max_batch_transactions);
    const auto patience = stopping_ || before >= wanted ? Company::Duration() : company_.patience(before);
    if (patience == Company::Duration()) return;
    work_.wait_for(lock, patience, [&] { return queue_.size() >= wanted || stopping_; });
    company_.waited(before, queue_.size());
}

void Committer::handle_requests() {
    std::vector<std::pair<std::function<Result<void>()>, Done>> requests;
    {
        const std::lock_guard lock(mutex_);
        for (Done& done : checkpoint_requests_) answered_by_next_.push_back(std::move(done));
        checkpoint_requests_.clear();
        requests = std::exchange(requests_, {});
    }
    if (!answered_by_next_.empty()) checkpoint_due_ = true;
    for (auto& [work, done] : requests) done(work());
}

// With little space left only changes without message files pass: they make room, or mark something read.
// What they need meanwhile comes out of the reserve, piece by piece, before an index runs out of space at its
// commit, when the journal has the change already.
std::vector<std::unique_ptr<Waiting>> Committer::refuse_for_lack_of_space(
    std::vector<std::unique_ptr<Waiting>> waiting) {
    std::uint64_t space = 0;
    short_of_space_ = volumes_.free_space(space) == 0 && space < options_.reserved_space;
    if (!short_of_space_) {
        reserve_.refill(space, options_.reserved_space);
        return waiting;
    }
    set_accepting(false, kDiskFull);
    const auto is_small = [](const std::unique_ptr<Waiting>& one) {
        return !one->is_spare && one->prepared.empty() && one->bytes <= kSmallPayload;
    };
    const bool small_pass =
        std::any_of(waiting.begin(), waiting.end(), is_small) && has_room_for_small_changes(space);
    std::vector<std::unique_ptr<Waiting>> passed;
    for (auto& one : waiting) {
        if (small_pass && is_small(one)) {
            passed.push_back(std::move(one));
            continue;
        }
        release(one->admitted);
        for (const PreparedFile& file : one->prepared) {
            if (!file.staged.empty()) files_.remove(options_.root / file.staged);
        }
        refuse(*one, transient_error(std::string(kDiskFull), Fault::disk_full));
    }
    return passed;
}

bool Committer::has_room_for_small_changes(std::uint64_t& space) {
    while (space < kLeastSpace && reserve_.release()) {
        if (volumes_.free_space(space) != 0) return false;
    }
    return space >= std::min(kLastSpace, options_.reserved_space / 4);
}

void Committer::commit_batch(std::vector<std::unique_ptr<Waiting>> waiting) {
    last_activity_ = Clock::now();
    waiting = refuse_for_lack_of_space(std::move(waiting));
    if (waiting.empty()) {
        ++failed_;
        return;
    }
    std::size_t bytes = 0;
    std::size_t count = waiting.size();
    for (const auto& one : waiting) bytes += one->admitted;

    Batch batch(holdings_, files_, options_, [this] { return reserve_.release(); });
    const Result<void> applied = batch.apply(std::move(waiting), next_batch_number_);
    auto rest = batch.take_rest();
    count -= rest.size();
    for (const auto& one : rest) bytes -= one->admitted;
    give_back(std::move(rest));
    {
        const std::lock_guard lock(mutex_);
        admitted_ -= count;
        admitted_bytes_ -= bytes;
    }
    if (!applied) {
        batch.undo();
        remove_staged(batch.staged_names(true));
        remove_staged(batch.staged_names(false));
        batch.refuse_all(applied.error());
        ++failed_;
        return;
    }
    remove_staged(batch.staged_names(false));
    const bool stands = try_commit(batch);
    take_trouble(batch.take_troubled());
    if (!stands) return;
    if (!short_of_space_) set_accepting(true, "");
    ++batches_;
    transactions_ += batch.transactions();
    {
        const std::lock_guard lock(mutex_);
        company_.answered(batch.transactions(), queue_.size());
    }
    batch.answer();
}

// True when the batch stands and waits for being answered.
bool Committer::try_commit(Batch& batch) {
    if (!batch.changes_anything()) {
        batch.undo();
        return true;
    }
    const auto give_up = [&](const Error& why) {
        batch.undo();
        remove_staged(batch.staged_names(true));
        ++failed_;
        set_accepting(false, why.what);
        batch.refuse_all(why);
        return false;
    };
    // A batch that failed after it was journaled must be revoked before anything else is promised.
    while (!to_revoke_.empty()) {
        Record record;
        record.kind = Record::Kind::revoke;
        record.batch = to_revoke_.back();
        if (const Result<void> revoked = append(record); !revoked) return give_up(revoked.error());
        to_revoke_.pop_back();
    }
    if (const Result<void> appended = append(batch.record()); !appended) return give_up(appended.error());
    next_batch_number_ = batch.number() + 1;
    if (const Result<void> linked = batch.link(); !linked) {
        revoke(batch.number());
        return give_up(linked.error());
    }
    batch.mark_journaled();
    batch.commit();
    growth_due_ = growth_due_ || batch.grew_much();
    for (std::string& name : batch.staged_names(true)) staged_.push_back(std::move(name));
    if (const std::string failures = batch.run_after_steps(); !failures.empty())
        log("files left behind:" + failures);
    if (options_.on_committed) {
        const auto changed = batch.changed_environments();
        options_.on_committed(changed);
    }
    return true;
}

Result<void> Committer::append(const Record& record) {
    frame_.clear();
    encode_record(frame_, record);
    TRY_VOID(make_room(frame_.payload_size()));
    const auto begun = Clock::now();
    Result<void> appended = journal_->append(frame_);
    company_.flushed(Clock::now() - begun);
    return appended;
}

Result<void> Committer::make_room(std::size_t payload_size) {
    if (payload_size > journal_->max_payload()) return permanent_error("too much for one transaction");
    // Twice: a checkpoint under way may have begun too early to free enough.
    for (int attempt = 0; attempt < 2 && !journal_->has_room(payload_size); ++attempt) {
        if (!checkpointing_) begin_checkpoint();
        poll_checkpoint(true);
    }
    if (!journal_->has_room(payload_size))
        return transient_error("the journal is full, since no checkpoint succeeds");
    return {};
}

void Committer::revoke(std::uint64_t batch) {
    Record record;
    record.kind = Record::Kind::revoke;
    record.batch = batch;
    if (const Result<void> revoked = append(record); !revoked) to_revoke_.push_back(batch);
}

void Committer::remove_staged(const std::vector<std::string>& names) {
    for (const std::string& name : names) files_.remove(options_.root / name);
}

void Committer::give_back(std::vector<std::unique_ptr<Waiting>> rest) {
    const std::lock_guard lock(mutex_);
    for (auto one = rest.rbegin(); one != rest.rend(); ++one) queue_.push_front(std::move(*one));
}

// Between two batches: everything open is at the same one.
Result<std::uint64_t> Committer::hold_now() {
    Hold& hold = holdings_.hold();
    TRY_VOID(hold.begin());
    Result<void> taken;
    holdings_.for_each([&](Holding& holding) {
        if (!taken) return;
        taken = hold.take(holding.key, holding.env);
    });
    if (!taken) {
        release_hold();
        return taken.error();
    }
    return next_batch_number_ - 1;
}

Result<void> Committer::drop_now(const std::string& environment) {
    TRY_VOID(append_drop(environment));
    holdings_.close(environment);
    holdings_.take_in(environment);
    unwritten_debts_.erase(environment);
    to_retry_.erase(environment);
    kept_.erase(environment);
    {
        const std::lock_guard lock(mutex_);
        if (asides_.erase(environment) == 0) return {};
    }
    return remove_debt(files_, options_.root / options_.journal, environment);
}

}  // namespace mailstead::commit
