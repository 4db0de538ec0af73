#include "deliver/local/housekeeper.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/text.h"
#include "common/runtime/log.h"
#include "common/store/deleted.h"

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;

constexpr auto kSettle = 500ms;     // a burst of changes is one visit
constexpr auto kForeignFiles = 5s;  // how often an account in use is searched for files of other programs
constexpr auto kInUse = 24h;
constexpr auto kAfterFailure = 30s;
constexpr auto kRound = 12h;  // how often every account is looked at
constexpr auto kLookAtDisk = 10s;
constexpr auto kLastWords = 10s;  // for accounts that changed just before a stop

}  // namespace

Housekeeper::Housekeeper(std::filesystem::path data_dir, commit::Engine& engine, store::Reader& reader,
                         HousekeeperOptions options)
    : data_dir_(data_dir),
      engine_(engine),
      options_(options),
      follower_(std::move(data_dir), reader,
                [this](AccountId account, const store::Change& change) { return submit(account, change); },
                nullptr, {options.keep_deleted.count() > 0, [](std::string_view line) {
                              log::warning("maildir.foreign", {{"what", line}});
                          }}) {}

Housekeeper::~Housekeeper() {
    stop();
}

void Housekeeper::start() {
    thread_ = std::thread([this] { run(); });
}

void Housekeeper::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (!thread_.joinable()) return;
    thread_.join();
    finish_accounts();
}

// What files and sidecar tell is then all that there is to know.
void Housekeeper::finish_accounts() {
    const auto until = Clock::now() + kLastWords;
    for (const AccountId account : std::exchange(unkept_, {})) {
        // While it is paused somebody else needs the files as they are.
        for (bool more = !paused_; more && Clock::now() < until;) {
            const auto followed = follower_.follow(account);
            more = followed && *followed == store::Follower::Progress::more_to_do;
        }
        keep_sidecar(account, true);
        if (Clock::now() >= until) return;
    }
}

void Housekeeper::pause() {
    std::unique_lock lock(mutex_);
    paused_ = true;
    wake_.wait(lock, [this] { return !visiting_; });
}

void Housekeeper::resume() {
    {
        const std::lock_guard lock(mutex_);
        paused_ = false;
    }
    wake_.notify_all();
}

void Housekeeper::changed(AccountId account) {
    const auto at = Clock::now();
    bool wake = false;
    {
        const std::lock_guard lock(mutex_);
        in_use_[account] = at;
        unkept_.insert(account);
        // A visit that is due anyway comes no later, so that a busy account is visited, too.
        wake = due_.emplace(account, at + kSettle).second;
    }
    if (wake) wake_.notify_one();
}

void Housekeeper::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (paused_) {
            wake_.wait(lock);
            continue;
        }
        const auto next = std::min_element(due_.begin(), due_.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
        const auto at = Clock::now();
        if (next != due_.end() && next->second <= at) {
            const AccountId account = next->first;
            due_.erase(next);
            work(lock, [&] { visit(account); });
        } else if (!round_.empty()) {
            const AccountId account = round_.front();
            round_.pop_front();
            work(lock, [&] { look_at(account); });
        } else if (at >= next_round_) {
            work(lock, [&] { begin_round(); });
        } else if (at >= next_look_at_disk_) {
            // By the clock: on a full disk nothing changes any more.
            next_look_at_disk_ = at + kLookAtDisk;
            work(lock, [&] { make_room(); });
        } else {
            auto until = std::min(next_round_, next_look_at_disk_);
            if (next != due_.end()) until = std::min(until, next->second);
            wake_.wait_until(lock, until);
        }
    }
}

void Housekeeper::work(std::unique_lock<std::mutex>& lock, store::FunctionRef<void()> task) {
    visiting_ = true;
    lock.unlock();
    task();
    lock.lock();
    visiting_ = false;
    if (paused_) wake_.notify_all();
}

void Housekeeper::begin_round() {
    next_round_ = Clock::now() + kRound;
    std::error_code error;
    std::vector<AccountId> accounts;
    for (const auto& entry : std::filesystem::directory_iterator(data_dir_ / "accounts", error)) {
        if (const auto id = text::parse_number<std::uint32_t>(entry.path().filename().string()))
            accounts.emplace_back(*id);
    }
    std::sort(accounts.begin(), accounts.end());
    const std::lock_guard lock(mutex_);
    round_.assign(accounts.begin(), accounts.end());
}

// Tasks that were left when deliver stopped, a sidecar that is not there yet, what was expunged long ago.
// Each step of the follower is a commit, after which the account is due for a visit.
void Housekeeper::look_at(AccountId account) {
    const auto followed = follower_.follow(account);
    if (!followed && followed.error().fault == store::Fault::unavailable)
        log::warning("maildir.follow", {{"account", account.value}, {"reason", followed.error().what}});
    if (followed) keep_sidecar(account, false);
    store::purge_deleted(data_dir_, account, options_.keep_deleted, now());
}

// Mail that can come is worth more than mail that somebody threw away.
void Housekeeper::make_room() {
    if (options_.free_space == 0) return;
    std::error_code error;
    const auto space = std::filesystem::space(data_dir_ / "accounts", error);
    if (error || space.available >= options_.free_space) return;
    const std::uint64_t freed = store::free_deleted(data_dir_, options_.free_space - space.available);
    if (freed != 0) log::warning("deleted.purged", {{"octets", freed}, {"reason", "the disk runs short"}});
}

void Housekeeper::keep_sidecar(AccountId account, bool at_once) {
    const auto kept = follower_.keep_sidecar(account, now(), at_once);
    if (!kept) {
        if (kept.error().fault == store::Fault::unavailable)
            log::warning("sidecar.write", {{"account", account.value}, {"reason", kept.error().what}});
        return;
    }
    if (*kept == store::Follower::Progress::more_to_do) return;
    const std::lock_guard lock(mutex_);
    // A change that came meanwhile makes the account due again.
    if (!due_.contains(account)) unkept_.erase(account);
}

void Housekeeper::visit(AccountId account) {
    using Progress = store::Follower::Progress;
    const auto followed = follower_.follow(account);
    const auto adopted = followed ? follower_.adopt(account, now()) : followed;
    if (followed) keep_sidecar(account, false);
    auto pause = std::chrono::duration_cast<Milliseconds>(kForeignFiles);
    if (!adopted) {
        if (adopted.error().fault != store::Fault::non_existent) {
            log::warning("maildir.follow", {{"account", account.value}, {"reason", adopted.error().what}});
        }
        pause = kAfterFailure;
    } else if (*followed == Progress::more_to_do || *adopted == Progress::more_to_do) {
        pause = Milliseconds::zero();
    }
    const std::lock_guard lock(mutex_);
    const auto used = in_use_.find(account);
    if (used == in_use_.end() || Clock::now() - used->second > kInUse) {
        in_use_.erase(account);
        return;
    }
    due_.emplace(account, Clock::now() + pause);
}

store::Outcome<store::ChangeResult> Housekeeper::submit(AccountId account, const store::Change& change) {
    commit::Transaction transaction;
    transaction.parts.push_back({store::environment_of(account), store::encode(change), {}});
    commit::Outcome outcome = engine_.submit_and_wait(std::move(transaction));
    if (!outcome.front().result) return store::Failure(outcome.front().result.error());
    return store::decode_result(*outcome.front().result);
}

}  // namespace mailstead::deliver
