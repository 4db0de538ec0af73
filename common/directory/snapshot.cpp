#include "common/directory/snapshot.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/text.h"
#include "common/kv/keys.h"

namespace mailstead::directory {

Snapshot::Snapshot(const kv::ReadTransaction& transaction, const Databases& databases)
    : transaction_(transaction), reader_(&transaction), databases_(databases) {}
Snapshot::Snapshot(kv::WriteTransaction& transaction, const Databases& databases)
    : transaction_(transaction), writer_(&transaction), databases_(databases) {}

Result<kv::Cursor> Snapshot::cursor(kv::Database database) const {
    return reader_ != nullptr ? kv::Cursor::open(*reader_, database) : kv::Cursor::open(*writer_, database);
}

std::string account_key(AccountId id) {
    return std::string(kv::Key().u32(id.value).view());
}

std::string login_key(const Address& login) {
    return login.local().folded() + '\0' + login.domain().ascii();
}

std::string removed_key(AccountId id) {
    return std::string(kRemovedPrefix) + account_key(id);
}

Result<std::optional<DomainRecord>> Snapshot::domain(const Domain& name) const {
    TRY(bytes, transaction_.get(databases_.domains, name.ascii()));
    if (!bytes) return std::optional<DomainRecord>();
    TRY(record, decode_domain(name.ascii(), *bytes));
    return std::optional(std::move(record));
}

Result<std::optional<Account>> Snapshot::account(AccountId id) const {
    TRY(bytes, transaction_.get(databases_.accounts, account_key(id)));
    if (!bytes) return std::optional<Account>();
    TRY(record, decode_account(id, *bytes));
    return std::optional(std::move(record));
}

Result<std::optional<AddressRecord>> Snapshot::address(const std::string& key) const {
    TRY(bytes, transaction_.get(databases_.addresses, key));
    if (!bytes) return std::optional<AddressRecord>();
    TRY(record, decode_address(*bytes));
    return std::optional(std::move(record));
}

Result<std::optional<DomainRules>> Snapshot::rules(const Domain& name) const {
    TRY(record, domain(name));
    if (!record) return std::optional<DomainRules>();
    return std::optional(DomainRules{std::move(record->alias_of), std::move(record->catch_all)});
}

Result<Entry> Snapshot::entry(const std::string& key) const {
    TRY(record, address(key));
    if (!record) return Entry();
    if (const auto* account = std::get_if<AccountId>(&*record)) return Entry(*account);
    return Entry(std::move(std::get<AliasRecord>(*record).targets));
}

Result<AccountId> Snapshot::first_account(const Domain& domain) const {
    TRY(all, accounts());
    const auto here = [&](const Account& account) { return account.login.domain() == domain; };
    const auto found = std::find_if(all.begin(), all.end(), here);
    if (found != all.end()) return found->id;
    return all.empty() ? AccountId() : all.front().id;
}

Result<std::optional<Account>> Snapshot::account_by_login(std::string_view login) const {
    if (login.find('@') == std::string_view::npos) return account_by_local_part(login);
    const auto parsed = Address::parse(login);
    if (!parsed) return std::optional<Account>();
    TRY(record, address(parsed->key()));
    const auto* id = record ? std::get_if<AccountId>(&*record) : nullptr;
    if (id == nullptr) return std::optional<Account>();
    return account(*id);
}

// Two accounts with the same local part: neither, since a password that fits both would be nobody's.
Result<std::optional<Account>> Snapshot::account_by_local_part(std::string_view local) const {
    const auto parsed = LocalPart::parse(local);
    if (!parsed) return std::optional<Account>();
    const std::string prefix = parsed->folded() + '\0';
    TRY(logins, cursor(databases_.logins));
    TRY(found, logins.seek(prefix));
    if (!found || !logins.key().starts_with(prefix)) return std::optional<Account>();
    const AccountId id(ByteReader(logins.value()).fixed32());
    TRY(another, logins.next());
    if (another && logins.key().starts_with(prefix)) return std::optional<Account>();
    return account(id);
}

Result<bool> Snapshot::may_send_as(AccountId account, const Address& from) const {
    TRY(resolution, route(*this, from));
    const auto* targets = std::get_if<Targets>(&resolution);
    if (targets == nullptr) return false;
    const auto is_theirs = [&](const LocalTarget& target) { return target.account == account; };
    return std::any_of(targets->local.begin(), targets->local.end(), is_theirs);
}

Result<Resolution> Snapshot::postmaster() const {
    TRY(all, accounts());
    if (all.empty()) return Resolution(UnknownUser{});
    return route(*this, Address(*LocalPart::parse("postmaster"), all.front().login.domain()));
}

Result<std::vector<DomainRecord>> Snapshot::domains() const {
    std::vector<DomainRecord> out;
    TRY(walk, cursor(databases_.domains));
    while (true) {
        TRY(more, walk.next());
        if (!more) return out;
        TRY(record, decode_domain(walk.key(), walk.value()));
        out.push_back(std::move(record));
    }
}

Result<std::vector<Account>> Snapshot::accounts() const {
    std::vector<Account> out;
    TRY(walk, cursor(databases_.accounts));
    while (true) {
        TRY(more, walk.next());
        if (!more) return out;
        TRY(record, decode_account(AccountId(kv::KeyReader(walk.key()).u32()), walk.value()));
        out.push_back(std::move(record));
    }
}

Result<std::vector<Alias>> Snapshot::aliases() const {
    std::vector<Alias> out;
    TRY(walk, cursor(databases_.addresses));
    while (true) {
        TRY(more, walk.next());
        if (!more) return out;
        TRY(record, decode_address(walk.value()));
        auto* alias = std::get_if<AliasRecord>(&record);
        if (alias == nullptr) continue;
        const std::string_view key = walk.key();
        const std::size_t at = key.rfind('@');
        // The key's local part is decoded; it must be quoted again before it can be parsed.
        std::string quoted = "\"";
        for (const char c : key.substr(0, at)) {
            if (c == '"' || c == '\\') quoted += '\\';
            quoted += c;
        }
        auto address = Address::parse(quoted + "\"@" + std::string(key.substr(at + 1)));
        if (!address) return transient_error("the directory holds a damaged record: an alias's address");
        out.push_back({*std::move(address), std::move(alias->targets), alias->created});
    }
}

Result<std::optional<RemovedAccount>> Snapshot::removed_account(AccountId id) const {
    TRY(bytes, transaction_.get(databases_.meta, removed_key(id)));
    if (!bytes) return std::optional<RemovedAccount>();
    TRY(record, decode_removed(id, *bytes));
    return std::optional(std::move(record));
}

Result<std::vector<RemovedAccount>> Snapshot::removed_accounts() const {
    std::vector<RemovedAccount> out;
    TRY(walk, cursor(databases_.meta));
    TRY(found, walk.seek(kRemovedPrefix));
    for (bool more = found; more && walk.key().starts_with(kRemovedPrefix);) {
        const AccountId id(kv::KeyReader(walk.key().substr(kRemovedPrefix.size())).u32());
        TRY(record, decode_removed(id, walk.value()));
        out.push_back(std::move(record));
        TRY(next, walk.next());
        more = next;
    }
    return out;
}

Result<bool> Snapshot::has_addresses(const Domain& domain) const {
    const std::string suffix = '@' + domain.ascii();
    TRY(walk, cursor(databases_.addresses));
    while (true) {
        TRY(more, walk.next());
        if (!more) return false;
        if (walk.key().ends_with(suffix)) return true;
    }
}

Result<Databases> open_databases(kv::Env& env) {
    TRY(handles, env.open_databases({"meta", "domains", "accounts", "addresses", "logins"}));
    const Databases databases{handles[0], handles[1], handles[2], handles[3], handles[4]};
    TRY(transaction, env.read());
    TRY(version, transaction.get(databases.meta, kVersionKey));
    if (version && ByteReader(*version).fixed32() > kFormatVersion) {
        return permanent_error(env.directory().string() +
                               " was written by a newer Mailstead: install that version");
    }
    return databases;
}

}  // namespace mailstead::directory
