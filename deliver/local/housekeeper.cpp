#include "deliver/local/housekeeper.h"

#include <algorithm>

#include "common/runtime/log.h"

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;

constexpr auto kSettle = 500ms;     // a burst of changes is one visit
constexpr auto kForeignFiles = 5s;  // how often an account in use is searched for files of other programs
constexpr auto kInUse = 24h;
constexpr auto kAfterFailure = 30s;

}  // namespace

Housekeeper::Housekeeper(std::filesystem::path data_dir, commit::Engine& engine, store::Reader& reader)
    : engine_(engine),
      follower_(std::move(data_dir), reader,
                [this](AccountId account, const store::Change& change) { return submit(account, change); }) {}

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
    if (thread_.joinable()) thread_.join();
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
        // A visit that is due anyway comes no later, so that a busy account is visited, too.
        wake = due_.emplace(account, at + kSettle).second;
    }
    if (wake) wake_.notify_one();
}

void Housekeeper::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        const auto next = std::min_element(due_.begin(), due_.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
        if (next == due_.end() || paused_) {
            wake_.wait(lock);
            continue;
        }
        if (next->second > Clock::now()) {
            const auto until = next->second;
            wake_.wait_until(lock, until);
            continue;
        }
        const AccountId account = next->first;
        due_.erase(next);
        visiting_ = true;
        lock.unlock();
        visit(account);
        lock.lock();
        visiting_ = false;
        if (paused_) wake_.notify_all();
    }
}

void Housekeeper::visit(AccountId account) {
    using Progress = store::Follower::Progress;
    const auto followed = follower_.follow(account);
    const auto adopted = followed ? follower_.adopt(account, now()) : followed;
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
