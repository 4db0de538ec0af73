// Keeps one state of everything for a backup, for as long as the connection that asked for it is alive.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "common/commit/engine.h"
#include "common/directory/credentials.h"
#include "common/directory/editor.h"
#include "common/ipc/channel.h"
#include "common/ipc/hold_messages.h"
#include "deliver/local/housekeeper.h"
#include "deliver/local/removals.h"

namespace mailstead::deliver {

// While there is a hold the commit engine keeps a batch boundary, and no message file is renamed or removed.
// A backup that says nothing for ipc::kHoldPatience loses it, so that one that hangs does not let files grow.
class BackupHold {
public:
    // All outlive it.
    struct Parts {
        commit::Engine* engine = nullptr;
        const directory::Editor* directory = nullptr;
        const directory::CredentialsRecorder* credentials = nullptr;
        Housekeeper* housekeeper = nullptr;
        Removals* removals = nullptr;
    };
    explicit BackupHold(const Parts& parts) : parts_(parts) {}
    ~BackupHold();  // stop()

    void start();
    // Ends a hold.
    void stop();

    // On a thread that may block. `files` are those of the request.
    ipc::HoldAnswer handle(const ipc::HoldCommand& command, const ipc::Descriptors& files,
                           std::uint64_t connection);
    // The connection is gone; from any thread, does not block.
    void forget(std::uint64_t connection);

private:
    using Clock = std::chrono::steady_clock;
    void run();
    Result<std::uint64_t> begin(const ipc::Descriptors& files);
    void end();

    Parts parts_;
    std::mutex working_;  // one command at a time
    std::mutex mutex_;
    std::condition_variable wake_;
    std::uint64_t holder_ = 0;  // a connection; 0: nobody
    bool ends_ = false;         // its connection is gone
    Clock::time_point heard_of_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace mailstead::deliver
