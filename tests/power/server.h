// deliver's writing side without its network: the commit engine with all that it owns.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/commit/engine.h"
#include "common/ledger/ledger.h"
#include "common/queue/participant.h"
#include "common/store/accounts.h"
#include "common/store/follower.h"
#include "common/store/reader.h"
#include "common/store/shares.h"

namespace mailstead::power {

class Server {
public:
    Server(std::filesystem::path root, commit::FileLayer* files);
    ~Server();

    Result<commit::RecoveryReport> start();
    void stop();
    commit::Engine& engine() { return *engine_; }
    const std::filesystem::path& root() const { return root_; }
    // Everything so far no longer needs the journal; false when that failed.
    bool checkpoint();
    // An environment that was set aside is back in service.
    Result<void> readmit(const std::string& environment);
    // Some of the background's work on the files of an account.
    void follow(std::uint32_t account);
    // A complete unnamed file, as smtpd hands it over.
    commit::MessageFile message_file(const std::string& bytes) const;

private:
    std::filesystem::path root_;
    commit::FileLayer* files_;
    store::Accounts accounts_;
    store::SharesParticipant shares_;
    queue::QueueParticipant queue_;
    ledger::LedgerParticipant ledger_;
    std::unique_ptr<commit::Engine> engine_;
    std::unique_ptr<store::Reader> reader_;
    std::unique_ptr<store::Follower> follower_;
};

}  // namespace mailstead::power
