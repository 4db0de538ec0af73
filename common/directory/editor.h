// The write side of the directory: the admin CLI, and deliver for SETQUOTA. Every change is one durable
// transaction that readers see at once.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/directory/directory.h"
#include "common/directory/on_restored.h"

namespace mailstead::directory {

struct NewAccount {
    Address login;
    std::string display_name;
    Limits limits;
    std::vector<std::string> hidden_capabilities;
};

// Errors are permanent ones with a sentence for the administrator ("alias sales@example.org exists already"),
// or transient ones of the disk.
class Editor : public Directory {
public:
    // An error if it exists; `alias_of` must name a domain of ours that is no alias itself.
    virtual Result<void> add_domain(const Domain& domain, const std::optional<Domain>& alias_of) = 0;
    // An error while accounts or aliases have addresses in it.
    virtual Result<void> remove_domain(const Domain& domain) = 0;
    virtual Result<void> set_catch_all(const Domain& domain, const std::optional<Address>& target) = 0;

    // Writes a data file with all of it to the empty file `to`.
    virtual Result<void> copy_to(int to) const = 0;

    // The login's domain must be ours and the address free. Ids are never given twice.
    virtual Result<AccountId> add_account(const NewAccount& account) = 0;
    // Nobody gets mail or logs in by it any more; a record stays from which it can come back. Its mail is
    // deleted at `delete_at`, or not until that is set. Returns the aliases and catch-alls that still lead to
    // it, for the administrator to see.
    virtual Result<std::vector<std::string>> remove_account(AccountId id, std::optional<Time> delete_at) = 0;
    // In order of their numbers.
    virtual Result<std::vector<RemovedAccount>> removed_accounts() const = 0;
    // When the mail of a removed account is deleted; nullopt: it is kept.
    virtual Result<void> set_deletion(AccountId id, std::optional<Time> delete_at) = 0;
    // As it was, number included; under `address` instead of its own when that is given. An error when the
    // address is somebody else's by now, or its mail is being deleted.
    virtual Result<Account> undelete_account(AccountId id, const std::optional<Address>& address) = 0;
    // True when the time to delete the mail of the removed account has come: from now on it cannot come back.
    virtual Result<bool> begin_deletion(AccountId id, Time now) = 0;
    // Its mail and credentials are gone: so is the record.
    virtual Result<void> forget_removed(AccountId id) = 0;
    virtual Result<void> set_limits(AccountId id, const Limits& limits) = 0;
    virtual Result<void> set_admin(AccountId id, bool is_admin) = 0;
    virtual Result<void> set_state(AccountId id, AccountState state) = 0;
    virtual Result<void> set_display_name(AccountId id, const std::string& name) = 0;
    virtual Result<void> set_hidden_capabilities(AccountId id, const std::vector<std::string>& names) = 0;

    // The alias's domain must be ours, the address free, and the result must lead somewhere.
    virtual Result<void> add_alias(const Address& address, const std::vector<Address>& targets) = 0;
    // Takes targets away, or with none named the alias as a whole. False if there was nothing to take.
    virtual Result<bool> remove_alias(const Address& address, const std::vector<Address>& targets) = 0;
};

// Opens `data_dir`/directory and creates it where it is missing. A damaged one is restored from the copy that
// is kept beside it after each change; `on_restored` hears of that.
Result<std::unique_ptr<Editor>> edit_directory(const std::filesystem::path& data_dir,
                                               const OnRestored& on_restored = {});

}  // namespace mailstead::directory
