// Makes whole again what the commit engine has set aside, in the background, while everyone else goes on.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/ids.h"
#include "common/commit/engine.h"
#include "common/ipc/messages.h"
#include "common/ipc/notices.h"
#include "common/queue/reader.h"
#include "common/store/shares.h"
#include "common/store/store.h"

namespace mailstead::deliver {

struct RepairerParts {
    std::filesystem::path data_dir;
    commit::Engine* engine = nullptr;
    store::Reader* reader = nullptr;
    store::SharesReader* shares = nullptr;
    queue::QueueReader* queue = nullptr;
    // Tells imapd what has happened to an account's index. Any thread.
    std::function<void(AccountId, ipc::ChangeNotice::Index)> tell;
    // The account, or the queue, is back. On the repairer's thread.
    std::function<void(AccountId)> account_is_back;
    std::function<void()> queue_is_back;
};

// One thread of low priority, one repair at a time: the queue and the table of shares first, then the
// accounts that somebody asked for last.
class Repairer {
public:
    struct Pace {
        std::chrono::milliseconds first_retry{10'000};  // after a repair that failed; doubled each time
        std::chrono::milliseconds longest_retry{900'000};
        // Between two looks at the files of what is open.
        std::chrono::milliseconds patrol{5'000};
        // Between two looks whether the copies of directory and credentials are up to date.
        std::chrono::milliseconds copies{600'000};
        // An account that was repaired is not set aside again for this long because imapd says so.
        std::chrono::milliseconds trusted{600'000};
    };
    // The parts outlive it.
    explicit Repairer(RepairerParts parts) : Repairer(std::move(parts), Pace()) {}
    Repairer(RepairerParts parts, const Pace& pace);
    ~Repairer();  // stop()

    // The engine says so (EngineOptions::on_set_aside). Any thread, also before start().
    void set_aside(const commit::SetAside& what);

    // The engine has committed to this environment: one that it had set aside for a while by itself is back.
    // On the committer's thread, for each one; cheap.
    void committed(const std::string& environment) {
        if (has_paused_.load(std::memory_order_relaxed)) resume(environment);
    }

    // After Engine::start().
    void start();
    // A repair under way is given up and begun anew after the next start. Before Engine::stop().
    void stop();

    // imapd met damage in the account's index. It is set aside when it is damaged indeed, or when imapd died
    // of it for the second time.
    void report(AccountId account, ipc::DamageReport::Kind kind, std::string_view what);
    // The table of shares is made anew from the access lists of all accounts. Any thread.
    void rebuild_shares();

    // What is out of service now.
    std::vector<ipc::Repair> list() const;
    // For the person who asks for an account that is set aside; its repair comes next.
    std::string explain(AccountId account);

private:
    using Clock = std::chrono::steady_clock;
    struct Case {
        Clock::time_point not_before{};
        Clock::time_point asked{};  // when somebody wanted it last
        std::uint32_t failures = 0;
        std::string last_failure;
        std::uint8_t percent = 0;
    };

    void resume(const std::string& environment);
    void run();
    std::optional<std::string> next(Clock::time_point& wake) const;
    void repair(const std::string& environment);
    Result<void> repair_one(const std::string& environment);
    Result<void> repair_account(AccountId account);
    Result<void> repair_queue();
    Result<void> repair_shares();
    Result<void> note_all_shares();
    Result<void> readmit(const std::string& environment);
    void refresh_copies();
    void patrol();
    void set_aside_now(const std::string& environment, Error why);
    void progress(const std::string& environment, std::uint64_t done, std::uint64_t total);
    bool is_stopping() const;

    RepairerParts parts_;
    const Pace pace_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::map<std::string, Case> cases_;
    std::map<AccountId, Clock::time_point> repaired_;
    // Out of service without damage, such as by a disk that refuses: the engine tries by itself.
    std::set<std::string> paused_;
    std::set<AccountId> resumed_;  // are to be told of
    std::atomic<bool> has_paused_{false};
    std::map<AccountId, unsigned> crashes_;  // of imapd, since this start
    bool shares_wanted_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace mailstead::deliver
