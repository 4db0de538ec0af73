// The directory as one transaction sees it: every question of the read side, for readers and for the editor's
// own checks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/directory/directory.h"
#include "common/directory/environment.h"
#include "common/directory/records.h"
#include "common/directory/routing.h"
#include "common/kv/env.h"

namespace mailstead::directory {

constexpr std::uint32_t kFormatVersion = 1;
constexpr std::string_view kVersionKey = "version";
constexpr std::string_view kNextAccountKey = "next_account";
constexpr std::string_view kRemovedPrefix = "removed/";

struct Databases {
    kv::Database meta;       // name -> number (fixed32); kRemovedPrefix and id, big-endian -> RemovedAccount
    kv::Database domains;    // name -> DomainRecord
    kv::Database accounts;   // id, big-endian -> Account
    kv::Database addresses;  // Address::key() -> AddressRecord
    kv::Database logins;     // local part, zero byte, domain -> account id: logins without domain
};

class Snapshot : public RoutingTable {
public:
    // A walk over all entries of a database needs the transaction's own kind of cursor.
    Snapshot(const kv::ReadTransaction& transaction, const Databases& databases);
    Snapshot(kv::WriteTransaction& transaction, const Databases& databases);

    Result<std::optional<DomainRules>> rules(const Domain& domain) const override;
    Result<Entry> entry(const std::string& key) const override;
    Result<AccountId> first_account(const Domain& domain) const override;

    Result<std::optional<DomainRecord>> domain(const Domain& name) const;
    Result<std::optional<Account>> account(AccountId id) const;
    Result<std::optional<AddressRecord>> address(const std::string& key) const;
    Result<std::optional<Account>> account_by_login(std::string_view login) const;
    Result<bool> may_send_as(AccountId account, const Address& from) const;
    Result<Resolution> postmaster() const;
    Result<std::vector<DomainRecord>> domains() const;
    Result<std::vector<Account>> accounts() const;
    Result<std::vector<Alias>> aliases() const;
    Result<std::optional<RemovedAccount>> removed_account(AccountId id) const;
    Result<std::vector<RemovedAccount>> removed_accounts() const;
    // Whether any address lies in the domain.
    Result<bool> has_addresses(const Domain& domain) const;

private:
    Result<kv::Cursor> cursor(kv::Database database) const;
    Result<std::optional<Account>> account_by_local_part(std::string_view local) const;

    const kv::Transaction& transaction_;
    const kv::ReadTransaction* reader_ = nullptr;
    kv::WriteTransaction* writer_ = nullptr;
    const Databases& databases_;
};

std::string account_key(AccountId id);
std::string login_key(const Address& login);
std::string removed_key(AccountId id);

// Opens the databases and refuses a format that this program does not know.
Result<Databases> open_databases(kv::Env& env);

// The read side of both Directory and Editor: each call on a snapshot of its own.
template <class Interface>
class WithSnapshots : public Interface {
public:
    explicit WithSnapshots(std::unique_ptr<Environment<Databases>> environment)
        : environment_(std::move(environment)) {}

    Result<bool> has_domain(const Domain& domain) const override {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        TRY(record, Snapshot(transaction, open->databases).domain(domain));
        return record.has_value();
    }
    Result<Resolution> resolve(const Address& recipient) const override {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        return route(Snapshot(transaction, open->databases), recipient);
    }
    Result<Resolution> resolve_postmaster() const override {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        return Snapshot(transaction, open->databases).postmaster();
    }
    Result<std::optional<Account>> find_account(AccountId id) const override {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        return Snapshot(transaction, open->databases).account(id);
    }
    Result<std::optional<Account>> find_by_login(std::string_view login) const override {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        return Snapshot(transaction, open->databases).account_by_login(login);
    }
    Result<bool> may_send_as(AccountId account, const Address& from) const override {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        return Snapshot(transaction, open->databases).may_send_as(account, from);
    }
    Result<std::vector<DomainRecord>> domains() const override {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        return Snapshot(transaction, open->databases).domains();
    }
    Result<std::optional<DomainRecord>> find_domain(const Domain& domain) const override {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        return Snapshot(transaction, open->databases).domain(domain);
    }
    Result<std::vector<Account>> accounts() const override {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        return Snapshot(transaction, open->databases).accounts();
    }
    Result<std::vector<Alias>> aliases() const override {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        return Snapshot(transaction, open->databases).aliases();
    }

protected:
    std::unique_ptr<Environment<Databases>> environment_;
};

}  // namespace mailstead::directory
