// Deletes the mail of removed accounts when its time has come.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "common/commit/engine.h"
#include "common/directory/credentials.h"
#include "common/directory/editor.h"
#include "common/store/store.h"

namespace mailstead::deliver {

// Until then all of it stays where it is, so that the account can come back. One thread, which sleeps.
class Removals {
public:
    // All outlive it.
    struct Parts {
        commit::Engine* engine = nullptr;
        store::Reader* reader = nullptr;
        directory::Editor* directory = nullptr;
        directory::CredentialsRecorder* credentials = nullptr;
        std::filesystem::path data_dir;
    };
    explicit Removals(const Parts& parts) : parts_(parts) {}
    ~Removals();  // stop()

    void start();
    // Lets the account in hand come to its end. Call it before Engine::stop().
    void stop();

    // Nothing is deleted from the return of pause() on until resume(). On a thread that may block.
    void pause();
    void resume();

    // Deletes what is due at `now`; what was begun and interrupted is due. From any thread that may block.
    // An error names the first account whose mail could not be deleted; the others are done.
    Result<void> delete_due(Time now);

private:
    void run();
    Result<void> remove(AccountId account);

    Parts parts_;
    std::mutex deleting_;  // one at a time
    bool paused_ = false;  // under `deleting_`
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace mailstead::deliver
