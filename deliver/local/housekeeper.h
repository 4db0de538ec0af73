// Keeps Maildir folders in line with the accounts' indexes, in the background.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "common/base/ids.h"
#include "common/commit/engine.h"
#include "common/store/follower.h"
#include "common/store/function_ref.h"
#include "common/store/store.h"

namespace mailstead::deliver {

struct HousekeeperOptions {
    Seconds keep_deleted{0};       // how long expunged messages stay; zero: not at all
    std::uint64_t free_space = 0;  // bytes of the disk: below it the oldest of them go
};

// One thread. An account is looked after a moment after it changed, so that a burst of changes is one visit.
// After the start, and then twice a day, every account is looked at: for what was left to be done, and for
// expunged messages whose time has come.
class Housekeeper {
public:
    // Engine and reader outlive it.
    Housekeeper(std::filesystem::path data_dir, commit::Engine& engine, store::Reader& reader,
                HousekeeperOptions options);
    ~Housekeeper();  // stop()

    void start();
    // Lets the step in hand end, and brings accounts that changed a moment ago in line, as far as some
    // seconds suffice. Call it before Engine::stop().
    void stop();
    // No file is renamed or removed from the return of pause() on until resume(). On a thread that may block.
    void pause();
    void resume();
    // From any thread; cheap.
    void changed(AccountId account);

private:
    using Clock = std::chrono::steady_clock;
    void run();
    // Runs `task` with the lock released, for pause() to wait for.
    void work(std::unique_lock<std::mutex>& lock, store::FunctionRef<void()> task);
    void visit(AccountId account);
    void keep_sidecar(AccountId account, bool at_once);
    void begin_round();
    void look_at(AccountId account);
    void make_room();
    void finish_accounts();
    store::Outcome<store::ChangeResult> submit(AccountId account, const store::Change& change);

    std::filesystem::path data_dir_;
    commit::Engine& engine_;
    HousekeeperOptions options_;
    store::Follower follower_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::map<AccountId, Clock::time_point> due_;
    std::map<AccountId, Clock::time_point>
        in_use_;                   // when it changed last: these are searched for foreign files
    std::set<AccountId> unkept_;   // changed since their sidecar was written
    std::deque<AccountId> round_;  // of all accounts, those that this round has still to look at
    Clock::time_point next_round_;
    Clock::time_point next_look_at_disk_;
    bool stopping_ = false;
    bool paused_ = false;
    bool visiting_ = false;
    std::thread thread_;
};

}  // namespace mailstead::deliver
