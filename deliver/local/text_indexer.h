// Keeps the accounts' full-text indexes behind their mailboxes, in the background.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "common/base/ids.h"
#include "common/fulltext/account_indexer.h"
#include "common/store/store.h"

namespace mailstead::deliver {

// One thread of low priority. An account has its turn when nothing has come for some seconds, so that an
// import is not slowed down; a few messages wait for company, since a commit costs flushes and searches read
// the last messages themselves.
class TextIndexer {
public:
    struct Pace {
        std::chrono::milliseconds settle{5'000};     // without a change, until the messages are counted
        std::chrono::milliseconds at_start{10'000};  // until accounts are looked at that may be behind
        std::chrono::milliseconds longest{600'000};  // that a message waits for company
        std::uint64_t enough = 200;                  // messages that make a commit worth its flushes
    };
    // `reader` outlives it.
    TextIndexer(std::filesystem::path data_dir, store::Reader& reader)
        : TextIndexer(std::move(data_dir), reader, Pace()) {}
    TextIndexer(std::filesystem::path data_dir, store::Reader& reader, const Pace& pace);
    ~TextIndexer();  // stop()

    void start();
    // Lets the step in hand end, and commits it.
    void stop();
    // From any thread; cheap.
    void changed(AccountId account);

private:
    using Clock = std::chrono::steady_clock;
    struct Waiting {
        Clock::time_point since;         // the first change that is not indexed
        Clock::time_point look;          // the next look at how many there are
        Clock::time_point not_before{};  // after a failure
    };
    void run();
    void find_accounts();
    // Zero: nothing is left to do; otherwise how long to wait.
    std::chrono::milliseconds visit(AccountId account, bool long_enough);
    store::Outcome<bool> index(AccountId account, bool long_enough);
    bool is_stopping();

    const std::filesystem::path data_dir_;
    store::Reader& reader_;
    const Pace pace_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::map<AccountId, Waiting> waiting_;
    bool stopping_ = false;
    // The thread's own: what an account held when all of it was indexed.
    struct Seen {
        MessageId last;
        std::uint64_t stored = 0;
        friend bool operator==(const Seen&, const Seen&) = default;
    };
    store::Outcome<Seen> look(AccountId account);
    std::map<AccountId, Seen> complete_;
    std::thread thread_;
};

}  // namespace mailstead::deliver
