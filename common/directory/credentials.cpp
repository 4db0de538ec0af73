#include "common/directory/credentials.h"

#include <algorithm>
#include <tuple>

#include "common/base/bytes.h"
#include "common/directory/credential_records.h"
#include "common/directory/environment.h"
#include "common/kv/copy.h"
#include "common/kv/env.h"
#include "common/kv/kept_copy.h"
#include "common/kv/keys.h"
#include "common/sasl/password_hash.h"
#include "common/sasl/saslprep.h"

namespace mailstead::directory {
namespace {

constexpr std::uint64_t kMapSize = std::uint64_t{1} << 30;
constexpr std::uint32_t kFormatVersion = 1;
constexpr std::string_view kVersionKey = "version";
constexpr std::string_view kInstallationKey = "installation_key";
constexpr std::size_t kInstallationKeySize = 32;
constexpr std::size_t kMaxPassword = 1000;
constexpr std::size_t kMaxAppPasswords = 100;  // each is tried at a login
constexpr std::size_t kMaxAppPasswordName = 100;

struct Databases {
    kv::Database meta;
    kv::Database accounts;  // account id, big-endian -> AccountCredentials
    kv::Database dkim;      // domain, zero byte, selector -> DkimKey
};

std::string account_key(AccountId id) {
    return std::string(kv::Key().u32(id.value).view());
}

Result<std::optional<AccountCredentials>> find_in(const kv::Transaction& transaction,
                                                  const Databases& databases, AccountId account) {
    TRY(bytes, transaction.get(databases.accounts, account_key(account)));
    if (!bytes) return std::optional<AccountCredentials>();
    TRY(credentials, decode_credentials(*bytes));
    return std::optional(std::move(credentials));
}

// Reads for both interfaces.
template <class Interface>
class WithReads : public Interface {
public:
    explicit WithReads(std::unique_ptr<Environment<Databases>> environment)
        : environment_(std::move(environment)) {}

    Result<void> load_installation_key() {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        TRY(version, transaction.get(open->databases.meta, kVersionKey));
        TRY(key, transaction.get(open->databases.meta, kInstallationKey));
        if (!version || !key || key->size() != kInstallationKeySize) {
            return permanent_error(open->env->directory().string() + " is not set up: run `mailstead init`");
        }
        if (ByteReader(*version).fixed32() > kFormatVersion) {
            return permanent_error(open->env->directory().string() +
                                   " was written by a newer Mailstead: install that version");
        }
        installation_key_ = Secret(*key);
        return {};
    }

    Result<std::optional<AccountCredentials>> find(AccountId account) const override {
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        return find_in(transaction, open->databases, account);
    }

    std::string_view installation_key() const override { return installation_key_.reveal(); }

    Result<std::vector<DkimKey>> dkim_keys(const Domain& domain) const override {
        std::vector<DkimKey> out;
        TRY(open, environment_->get());
        TRY(transaction, open->env->read());
        TRY(walk, kv::Cursor::open(transaction, open->databases.dkim));
        const std::string prefix = dkim_database_key(domain, "");
        TRY(found, walk.seek(prefix));
        for (bool more = found; more && walk.key().starts_with(prefix);) {
            TRY(key, decode_dkim_key(walk.key(), walk.value()));
            out.push_back(std::move(key));
            TRY(next, walk.next());
            more = next;
        }
        std::sort(out.begin(), out.end(), [](const DkimKey& a, const DkimKey& b) {
            return std::tie(a.created, a.selector) < std::tie(b.created, b.selector);
        });
        return out;
    }

protected:
    enum class Copy : std::uint8_t { is_kept, stays_behind };
    // `work` gets the transaction and the databases, and may run twice. The change stands whatever becomes of
    // the copy.
    template <class Work>
    Result<void> update(Copy copy, Work work) {
        TRY(open, environment_->get());
        TRY_VOID(open->env->update(
            [&](kv::WriteTransaction& transaction) { return work(transaction, open->databases); }));
        if (copy == Copy::is_kept) (void)kv::keep_copy_now_and_then(*open->env);
        return {};
    }

    Result<void> erase_account(AccountId account) {
        return update(Copy::is_kept,
                      [&](kv::WriteTransaction& transaction, const Databases& databases) -> Result<void> {
                          TRY_VOID(transaction.erase(databases.accounts, account_key(account)));
                          return {};
                      });
    }

    std::unique_ptr<Environment<Databases>> environment_;
    Secret installation_key_;
};

using LmdbCredentials = WithReads<Credentials>;

class LmdbCredentialsRecorder : public WithReads<CredentialsRecorder> {
public:
    using WithReads::WithReads;

    Result<void> copy_to(int to) const override {
        TRY(open, environment_->get());
        return kv::copy_compact(*open->env, to);
    }

    Result<void> note_app_password_use(AccountId account, const std::string& name, Time at) override {
        const auto note = [&](kv::WriteTransaction& transaction, const Databases& databases) -> Result<void> {
            TRY(credentials, find_in(transaction, databases, account));
            if (!credentials) return {};
            auto& known = credentials->app_passwords;
            const auto used = std::find_if(known.begin(), known.end(),
                                           [&](const AppPassword& app) { return app.name == name; });
            if (used == known.end()) return {};
            used->last_used = at;
            // The generation stays: what was proved before still holds.
            TRY_VOID(transaction.put(databases.accounts, account_key(account), encode(*credentials)));
            return {};
        };
        return update(Copy::stays_behind, note);
    }

    Result<void> remove_account(AccountId account) override { return erase_account(account); }
};

class LmdbCredentialsEditor : public WithReads<CredentialsEditor> {
public:
    using WithReads::WithReads;

    Result<void> initialize() {
        if (load_installation_key()) return {};
        const std::string key = random_bytes(kInstallationKeySize);
        const auto begin = [&](kv::WriteTransaction& transaction,
                               const Databases& databases) -> Result<void> {
            ByteWriter version;
            version.fixed32(kFormatVersion);
            TRY_VOID(
                transaction.put(databases.meta, kVersionKey, version.bytes(), kv::PutMode::keep_existing));
            TRY_VOID(transaction.put(databases.meta, kInstallationKey, key, kv::PutMode::keep_existing));
            return {};
        };
        TRY_VOID(update(Copy::is_kept, begin));
        return load_installation_key();
    }

    Result<void> set_password(AccountId account, const Secret& password) override {
        if (password.empty()) return permanent_error("the password is empty");
        if (password.reveal().size() > kMaxPassword)
            return permanent_error("the password is longer than 1000 bytes");
        const Secret prepared = sasl::prepare_password(password.reveal());
        TRY(hash, sasl::hash_password(prepared));
        return change(account, [&](AccountCredentials& credentials) -> Result<void> {
            credentials.password_hash = hash;
            credentials.scram = sasl::derive_scram_keys(prepared.reveal(), credentials.scram_salt,
                                                        credentials.scram_iterations);
            return {};
        });
    }

    Result<Secret> add_app_password(AccountId account, const std::string& name) override {
        if (name.empty() || name.size() > kMaxAppPasswordName) {
            return permanent_error("an app password needs a name of at most 100 bytes");
        }
        std::string generated = sasl::generate_password();
        Secret password = Secret::take(generated);
        TRY_VOID(change(account, [&](AccountCredentials& credentials) -> Result<void> {
            auto& known = credentials.app_passwords;
            const auto same = [&](const AppPassword& app) { return app.name == name; };
            if (std::any_of(known.begin(), known.end(), same)) {
                return permanent_error("there is an app password \"" + name +
                                       "\" already: remove it first, or choose another name");
            }
            if (known.size() >= kMaxAppPasswords)
                return permanent_error("there are 100 app passwords already: remove some first");
            known.push_back({name, now(), sasl::hash_random_password(installation_key(), password.reveal()),
                             sasl::derive_scram_keys(password.reveal(), credentials.scram_salt,
                                                     credentials.scram_iterations),
                             std::nullopt});
            return {};
        }));
        return password;
    }

    Result<bool> remove_app_password(AccountId account, const std::string& name) override {
        bool removed = false;
        TRY_VOID(change(account, [&](AccountCredentials& credentials) -> Result<void> {
            removed = std::erase_if(credentials.app_passwords,
                                    [&](const AppPassword& app) { return app.name == name; }) != 0;
            return {};
        }));
        return removed;
    }

    Result<void> remove_account(AccountId account) override { return erase_account(account); }

    Result<void> put_dkim_key(const DkimKey& key) override {
        return edit([&](kv::WriteTransaction& transaction, const Databases& databases) -> Result<void> {
            TRY_VOID(
                transaction.put(databases.dkim, dkim_database_key(key.domain, key.selector), encode(key)));
            return {};
        });
    }

    Result<void> remove_dkim_key(const Domain& domain, const std::string& selector) override {
        return edit([&](kv::WriteTransaction& transaction, const Databases& databases) -> Result<void> {
            TRY_VOID(transaction.erase(databases.dkim, dkim_database_key(domain, selector)));
            return {};
        });
    }

    Result<void> remove_dkim_keys(const Domain& domain) override {
        TRY(keys, dkim_keys(domain));
        return edit([&](kv::WriteTransaction& transaction, const Databases& databases) -> Result<void> {
            for (const DkimKey& key : keys) {
                TRY_VOID(transaction.erase(databases.dkim, dkim_database_key(domain, key.selector)));
            }
            return {};
        });
    }

private:
    template <class Work>
    Result<void> edit(Work work) {
        return update(Copy::is_kept, std::move(work));
    }

    template <class Change>
    Result<void> change(AccountId account, Change apply) {
        const std::string new_salt = random_bytes(sasl::kScramSaltSize);
        return edit([&](kv::WriteTransaction& transaction, const Databases& databases) -> Result<void> {
            TRY(found, find_in(transaction, databases, account));
            AccountCredentials credentials;
            if (found) {
                credentials = *std::move(found);
            } else {
                credentials.scram_salt = new_salt;
                credentials.scram_iterations = sasl::kScramIterations;
            }
            TRY_VOID(apply(credentials));
            ++credentials.generation;
            TRY_VOID(transaction.put(databases.accounts, account_key(account), encode(credentials)));
            return {};
        });
    }
};

Result<Databases> open_databases(kv::Env& env) {
    TRY(handles, env.open_databases({"meta", "accounts", "dkim"}));
    return Databases{handles[0], handles[1], handles[2]};
}

Result<std::unique_ptr<Environment<Databases>>> open_environment(const std::filesystem::path& data_dir,
                                                                 kv::Access access,
                                                                 const OnRestored& on_restored) {
    using Opened = Environment<Databases>::Opened;
    return Environment<Databases>::open(
        [folder = data_dir / "credentials", access, on_restored]() -> Result<Opened> {
            TRY(env, kv::open_with_copy(folder, {.access = access, .map_size = kMapSize}, on_restored));
            TRY(databases, open_databases(*env));
            return Opened{std::move(env), databases};
        });
}

}  // namespace

Result<std::unique_ptr<Credentials>> open_credentials(const std::filesystem::path& data_dir) {
    TRY(environment, open_environment(data_dir, kv::Access::reader, {}));
    auto credentials = std::make_unique<LmdbCredentials>(std::move(environment));
    TRY_VOID(credentials->load_installation_key());
    return std::unique_ptr<Credentials>(std::move(credentials));
}

Result<std::unique_ptr<CredentialsRecorder>> open_credentials_recorder(const std::filesystem::path& data_dir,
                                                                       const OnRestored& on_restored) {
    // A writer makes what is missing, but these are the administrator's to make.
    std::error_code error;
    if (!std::filesystem::exists(data_dir / "credentials", error)) {
        return permanent_error((data_dir / "credentials").string() + " is not set up: run `mailstead init`");
    }
    TRY(environment, open_environment(data_dir, kv::Access::durable_writer, on_restored));
    auto recorder = std::make_unique<LmdbCredentialsRecorder>(std::move(environment));
    TRY_VOID(recorder->load_installation_key());
    return std::unique_ptr<CredentialsRecorder>(std::move(recorder));
}

Result<std::unique_ptr<CredentialsEditor>> edit_credentials(const std::filesystem::path& data_dir,
                                                            const OnRestored& on_restored) {
    TRY(environment, open_environment(data_dir, kv::Access::durable_writer, on_restored));
    auto editor = std::make_unique<LmdbCredentialsEditor>(std::move(environment));
    TRY_VOID(editor->initialize());
    return std::unique_ptr<CredentialsEditor>(std::move(editor));
}

}  // namespace mailstead::directory
