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
#include "common/store/store.h"

namespace mailstead::deliver {

// One thread. An account is looked after a moment after it changed, so that a burst of changes is one visit.
class Housekeeper {
public:
    // Both outlive it.
    Housekeeper(std::filesystem::path data_dir, commit::Engine& engine, store::Reader& reader);
    ~Housekeeper();  // stop()

    void start();
    // Lets the step in hand end. Call it before Engine::stop().
    void stop();
    // No file is renamed or removed from the return of pause() on until resume(). On a thread that may block.
    void pause();
    void resume();
    // From any thread; cheap.
    void changed(AccountId account);

private:
    using Clock = std::chrono::steady_clock;
    void run();
    void visit(AccountId account);
    store::Outcome<store::ChangeResult> submit(AccountId account, const store::Change& change);

    commit::Engine& engine_;
    store::Follower follower_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::map<AccountId, Clock::time_point> due_;
    std::map<AccountId, Clock::time_point>
        in_use_;  // when it changed last: these are searched for foreign files
    bool stopping_ = false;
    bool paused_ = false;
    bool visiting_ = false;
    std::thread thread_;
};

}  // namespace mailstead::deliver
