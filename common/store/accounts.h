// The writing side: the accounts' indexes as the commit engine's participant. deliver adds it as kind
// "account".
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/commit/participant.h"
#include "common/store/failure.h"

namespace mailstead::store {

// Payloads are encode(Change); what submit answers is encode(ChangeResult), or an Error whose fault
// Failure(error) finds again.
class Accounts final : public commit::Participant {
public:
    // `log` takes one line about what an operator should know (an index migrated, or damaged and waiting for
    // a rebuild). With the data folder `root` an account whose index is gone although its files are there is
    // Fault::damaged (rebuild_index() makes it again) and not a new one; so is an index that does not belong
    // here or whose counts contradict each other.
    explicit Accounts(std::function<void(std::string_view)> log = {}, std::filesystem::path root = {});
    ~Accounts() override;

    Result<commit::EnvironmentPlace> locate(std::string_view name) override;
    Result<std::unique_ptr<commit::Environment>> attach(std::string_view name,
                                                        std::shared_ptr<kv::Env> env) override;

    // What has changed in an account since the last call, for those who tell its sessions.
    struct Changed {
        bool visible = false;              // false: files were tidied up and nothing else
        std::vector<MailboxId> mailboxes;  // empty: any mailbox, or names and subscriptions
    };
    // On the thread that applies (the committer's).
    Changed take_changed(AccountId account);

    class Memory;  // the store's own

private:
    std::function<void(std::string_view)> log_;
    std::filesystem::path root_;
    std::shared_ptr<Memory> memory_;
};

}  // namespace mailstead::store
