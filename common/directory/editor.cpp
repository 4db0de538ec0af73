#include "common/directory/editor.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/directory/snapshot.h"
#include "common/kv/copy.h"
#include "common/kv/kept_copy.h"

namespace mailstead::directory {
namespace {

constexpr std::uint64_t kMapSize = std::uint64_t{4} << 30;

std::string encode_number(std::uint32_t number) {
    ByteWriter out;
    out.fixed32(number);
    return out.take();
}

Error refused(std::string what) {
    return permanent_error(std::move(what));
}

// One edit: the transaction and what it sees.
class Edit {
public:
    Edit(kv::WriteTransaction& transaction, const Databases& databases)
        : transaction_(transaction), databases_(databases), before_(transaction, databases) {}

    const Snapshot& sees() const { return before_; }

    Result<void> put(kv::Database database, std::string_view key, std::string_view value) {
        TRY_VOID(transaction_.put(database, key, value));
        return {};
    }
    Result<void> erase(kv::Database database, std::string_view key) {
        TRY_VOID(transaction_.erase(database, key));
        return {};
    }

    Result<DomainRecord> our_domain(const Domain& name) const {
        TRY(record, before_.domain(name));
        if (!record) {
            return refused("there is no domain " + name.unicode() + " here; `mailstead domain add " +
                           name.unicode() + "` makes it");
        }
        return *std::move(record);
    }
    Result<Account> our_account(AccountId id) const {
        TRY(record, before_.account(id));
        if (!record) return refused("there is no account with number " + std::to_string(id.value));
        return *std::move(record);
    }
    // A removed one that can come back.
    Result<RemovedAccount> removed_account(AccountId id) const {
        TRY(record, before_.removed_account(id));
        if (!record) return refused("no account with number " + std::to_string(id.value) + " was removed");
        if (record->deleting) {
            return refused("the mail of " + record->account.login.unicode() +
                           " is being deleted: it cannot come back");
        }
        return *std::move(record);
    }
    Result<void> put_account(const Account& account) {
        TRY_VOID(put(databases_.accounts, account_key(account.id), encode(account)));
        TRY_VOID(put(databases_.logins, login_key(account.login), encode_number(account.id.value)));
        return put(databases_.addresses, account.login.key(), encode(AddressRecord(account.id)));
    }
    // An address that may be given to an account or an alias.
    Result<void> check_free(const Address& address) const {
        TRY(domain, our_domain(address.domain()));
        if (domain.alias_of) {
            return refused(domain.name.unicode() + " is another name for " + domain.alias_of->unicode() +
                           ": make the address there, and it works in both");
        }
        TRY(taken, before_.address(address.key()));
        if (!taken) return {};
        const bool is_account = std::holds_alternative<AccountId>(*taken);
        return refused(address.unicode() + (is_account ? " is an account already" : " is an alias already"));
    }
    // After a change to routing: `address` must lead to somebody.
    Result<void> check_leads_somewhere(const Address& address) const {
        TRY(resolution, route(before_, address));
        if (std::holds_alternative<UnknownUser>(resolution))
            return refused(address.unicode() + " would lead to no one");
        return {};
    }

    kv::WriteTransaction& transaction_;
    const Databases& databases_;

private:
    Snapshot before_;
};

class LmdbEditor : public WithSnapshots<Editor> {
public:
    using WithSnapshots::WithSnapshots;

    Result<void> initialize() {
        {
            TRY(open, environment_->get());
            TRY(transaction, open->env->read());
            TRY(version, transaction.get(open->databases.meta, kVersionKey));
            if (version) return {};
        }
        return update([](Edit& edit) -> Result<void> {
            TRY(version, edit.transaction_.get(edit.databases_.meta, kVersionKey));
            if (version) return {};
            return edit.put(edit.databases_.meta, kVersionKey, encode_number(kFormatVersion));
        });
    }

    Result<void> copy_to(int to) const override {
        TRY(open, environment_->get());
        return kv::copy_compact(*open->env, to);
    }

    Result<void> add_domain(const Domain& domain, const std::optional<Domain>& alias_of) override {
        return update([&](Edit& edit) -> Result<void> {
            TRY(taken, edit.sees().domain(domain));
            if (taken) return refused("domain " + domain.unicode() + " exists already");
            if (domain.is_literal()) return refused("an address literal cannot be a domain of ours");
            if (alias_of) {
                TRY(original, edit.our_domain(*alias_of));
                if (original.alias_of)
                    return refused(alias_of->unicode() + " is itself another name for a domain");
            }
            return edit.put(edit.databases_.domains, domain.ascii(),
                            encode(DomainRecord{domain, now(), {}, alias_of}));
        });
    }

    Result<void> remove_domain(const Domain& domain) override {
        return update([&](Edit& edit) -> Result<void> {
            TRY_VOID(edit.our_domain(domain));
            TRY(used, edit.sees().has_addresses(domain));
            if (used) {
                return refused(
                    domain.unicode() +
                    " still has accounts or aliases: remove those first (`mailstead account list`)");
            }
            TRY(all, edit.sees().domains());
            for (const DomainRecord& other : all) {
                if (other.alias_of == domain)
                    return refused(other.name.unicode() + " is another name for it: remove that first");
            }
            return edit.erase(edit.databases_.domains, domain.ascii());
        });
    }

    Result<void> set_catch_all(const Domain& domain, const std::optional<Address>& target) override {
        return update([&](Edit& edit) -> Result<void> {
            TRY(record, edit.our_domain(domain));
            record.catch_all = target;
            TRY_VOID(edit.put(edit.databases_.domains, domain.ascii(), encode(record)));
            return target ? edit.check_leads_somewhere(*target) : Result<void>();
        });
    }

    Result<AccountId> add_account(const NewAccount& wanted) override {
        AccountId id;
        TRY_VOID(update([&](Edit& edit) -> Result<void> {
            TRY_VOID(edit.check_free(wanted.login));
            TRY(next, edit.transaction_.get(edit.databases_.meta, kNextAccountKey));
            id = AccountId(next ? ByteReader(*next).fixed32() : 1);
            const Account account{id,
                                  wanted.login,
                                  wanted.display_name,
                                  wanted.limits,
                                  wanted.hidden_capabilities,
                                  now(),
                                  AccountState::active,
                                  false};
            TRY_VOID(edit.put(edit.databases_.meta, kNextAccountKey, encode_number(id.value + 1)));
            return edit.put_account(account);
        }));
        return id;
    }

    Result<std::vector<std::string>> remove_account(AccountId id, std::optional<Time> delete_at) override {
        std::vector<std::string> dangling;
        TRY_VOID(update([&](Edit& edit) -> Result<void> {
            TRY(account, edit.our_account(id));
            TRY_VOID(edit.erase(edit.databases_.accounts, account_key(id)));
            TRY_VOID(edit.erase(edit.databases_.logins, login_key(account.login)));
            TRY_VOID(edit.erase(edit.databases_.addresses, account.login.key()));
            TRY_VOID(edit.put(edit.databases_.meta, removed_key(id),
                              encode(RemovedAccount{account, now(), delete_at, false})));
            TRY(left, leading_to(edit.sees(), account.login));
            dangling = std::move(left);
            return {};
        }));
        return dangling;
    }

    Result<std::vector<RemovedAccount>> removed_accounts() const override {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        return Snapshot(transaction, open->databases).removed_accounts();
    }

    Result<void> set_deletion(AccountId id, std::optional<Time> delete_at) override {
        return update([&](Edit& edit) -> Result<void> {
            TRY(removed, edit.removed_account(id));
            removed.delete_at = delete_at;
            return edit.put(edit.databases_.meta, removed_key(id), encode(removed));
        });
    }

    Result<Account> undelete_account(AccountId id, const std::optional<Address>& address) override {
        std::optional<Account> back;
        TRY_VOID(update([&](Edit& edit) -> Result<void> {
            TRY(removed, edit.removed_account(id));
            Account& account = removed.account;
            if (address) account.login = *address;
            TRY_VOID(edit.check_free(account.login));
            TRY_VOID(edit.erase(edit.databases_.meta, removed_key(id)));
            TRY_VOID(edit.put_account(account));
            back = account;
            return {};
        }));
        return *std::move(back);
    }

    Result<bool> begin_deletion(AccountId id, Time now) override {
        bool begun = false;
        TRY_VOID(update([&](Edit& edit) -> Result<void> {
            begun = false;
            TRY(removed, edit.sees().removed_account(id));
            if (!removed || !removed->delete_at || *removed->delete_at > now) return {};
            begun = true;
            removed->deleting = true;
            return edit.put(edit.databases_.meta, removed_key(id), encode(*removed));
        }));
        return begun;
    }

    Result<void> forget_removed(AccountId id) override {
        return update([&](Edit& edit) { return edit.erase(edit.databases_.meta, removed_key(id)); });
    }

    Result<void> set_limits(AccountId id, const Limits& limits) override {
        return change_account(id, [&](Account& account) { account.limits = limits; });
    }
    Result<void> set_admin(AccountId id, bool is_admin) override {
        return change_account(id, [&](Account& account) { account.is_admin = is_admin; });
    }
    Result<void> set_state(AccountId id, AccountState state) override {
        return change_account(id, [&](Account& account) { account.state = state; });
    }

    Result<void> set_display_name(AccountId id, const std::string& name) override {
        return change_account(id, [&](Account& account) { account.display_name = name; });
    }
    Result<void> set_hidden_capabilities(AccountId id, const std::vector<std::string>& names) override {
        return change_account(id, [&](Account& account) { account.hidden_capabilities = names; });
    }

    Result<void> add_alias(const Address& address, const std::vector<Address>& targets) override {
        if (targets.empty()) return refused("an alias needs at least one target");
        if (targets.size() > kMaxTargets)
            return refused("an alias has at most " + std::to_string(kMaxTargets) + " targets");
        return update([&](Edit& edit) -> Result<void> {
            TRY_VOID(edit.check_free(address));
            const AddressRecord record(AliasRecord{targets, now()});
            TRY_VOID(edit.put(edit.databases_.addresses, address.key(), encode(record)));
            return edit.check_leads_somewhere(address);
        });
    }

    Result<bool> remove_alias(const Address& address, const std::vector<Address>& targets) override {
        bool removed = false;
        TRY_VOID(update([&](Edit& edit) -> Result<void> {
            removed = false;
            TRY(record, edit.sees().address(address.key()));
            auto* alias = record ? std::get_if<AliasRecord>(&*record) : nullptr;
            if (alias == nullptr) return {};
            const std::size_t before = alias->targets.size();
            std::erase_if(alias->targets, [&](const Address& known) {
                const auto same = [&](const Address& gone) { return gone.key() == known.key(); };
                return targets.empty() || std::any_of(targets.begin(), targets.end(), same);
            });
            removed = alias->targets.size() != before;
            if (!removed) return {};
            if (alias->targets.empty()) return edit.erase(edit.databases_.addresses, address.key());
            return edit.put(edit.databases_.addresses, address.key(), encode(*record));
        }));
        return removed;
    }

private:
    // `work` may run twice (the map grows), each time on the state as it was.
    template <class Work>
    Result<void> update(Work work) {
        TRY(open, environment_->get());
        TRY_VOID(open->env->update([&](kv::WriteTransaction& transaction) -> Result<void> {
            Edit edit(transaction, open->databases);
            return work(edit);
        }));
        // The change stands whatever becomes of the copy.
        (void)kv::keep_copy_now_and_then(*open->env);
        return {};
    }

    template <class Change>
    Result<void> change_account(AccountId id, Change change) {
        return update([&](Edit& edit) -> Result<void> {
            TRY(account, edit.our_account(id));
            change(account);
            return edit.put(edit.databases_.accounts, account_key(id), encode(account));
        });
    }

    static Result<std::vector<std::string>> leading_to(const Snapshot& snapshot, const Address& gone) {
        std::vector<std::string> out;
        TRY(aliases, snapshot.aliases());
        for (const Alias& alias : aliases) {
            const auto hits = [&](const Address& target) { return target.key() == gone.key(); };
            if (std::any_of(alias.targets.begin(), alias.targets.end(), hits))
                out.push_back("alias " + alias.address.unicode());
        }
        TRY(domains, snapshot.domains());
        for (const DomainRecord& domain : domains) {
            if (domain.catch_all && domain.catch_all->key() == gone.key())
                out.push_back("catch-all of " + domain.name.unicode());
        }
        return out;
    }
};

}  // namespace

Result<std::unique_ptr<Editor>> edit_directory(const std::filesystem::path& data_dir,
                                               const OnRestored& on_restored) {
    using Opened = Environment<Databases>::Opened;
    const auto open = [folder = data_dir / "directory", on_restored]() -> Result<Opened> {
        TRY(env, kv::open_with_copy(folder, {.access = kv::Access::durable_writer, .map_size = kMapSize},
                                    on_restored));
        TRY(databases, open_databases(*env));
        return Opened{std::move(env), databases};
    };
    TRY(environment, Environment<Databases>::open(open));
    auto editor = std::make_unique<LmdbEditor>(std::move(environment));
    TRY_VOID(editor->initialize());
    return std::unique_ptr<Editor>(std::move(editor));
}

}  // namespace mailstead::directory
