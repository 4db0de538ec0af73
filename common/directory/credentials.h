// Secrets at rest: password hashes, SCRAM keys, app passwords, DKIM keys. Opened by deliver and the admin
// CLI, by no one else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address/domain.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/directory/on_restored.h"
#include "common/sasl/exchange.h"

namespace mailstead::directory {

struct AppPassword {
    std::string name;
    Time created{};
    std::string hash;  // keyed and fast: these passwords are random and long
    sasl::ScramKeyPair scram;
    std::optional<Time> last_used;  // within kAppPasswordUse
};

// How exactly is known when an app password was last used: not every login is a write.
inline constexpr Milliseconds kAppPasswordUse = std::chrono::hours(1);

// All that can prove to be one account.
struct AccountCredentials {
    // Grows with every change, so that a remembered success ends with the password it was for.
    std::uint64_t generation = 0;
    std::string password_hash;  // Argon2id; empty: no password, app passwords alone
    std::string scram_salt;     // the account's for good: app passwords share it
    std::uint32_t scram_iterations = 0;
    std::optional<sasl::ScramKeyPair> scram;
    std::vector<AppPassword> app_passwords;
};

enum class DkimAlgorithm : std::uint8_t { rsa_sha256, ed25519_sha256 };
enum class DkimState : std::uint8_t {
    pending,  // its record is to be published; does not sign yet
    signing,
    retired,  // signs no more; the record stays for mail on its way
};
struct DkimKey {
    Domain domain;
    std::string selector;
    DkimAlgorithm algorithm = DkimAlgorithm::rsa_sha256;
    DkimState state = DkimState::pending;
    Time created{};
    Secret private_pem;  // PKCS #8
};

// Each call sees one snapshot. Thread-safe.
class Credentials {
public:
    virtual ~Credentials() = default;

    virtual Result<std::optional<AccountCredentials>> find(AccountId account) const = 0;
    // The random key of this installation behind fake salts and app password hashes.
    virtual std::string_view installation_key() const = 0;
    // The keys of a domain in every state, oldest first.
    virtual Result<std::vector<DkimKey>> dkim_keys(const Domain& domain) const = 0;
};

// deliver's side, which hears of logins.
class CredentialsRecorder : public Credentials {
public:
    // One durable transaction. Nothing happens when there is no such app password (any more).
    virtual Result<void> note_app_password_use(AccountId account, const std::string& name, Time at) = 0;
    // Writes a data file with all of it to the empty file `to`.
    virtual Result<void> copy_to(int to) const = 0;
    // With the last of a removed account's mail.
    virtual Result<void> remove_account(AccountId account) = 0;
};

// The admin CLI's side. Each change is one durable transaction.
class CredentialsEditor : public Credentials {
public:
    // Refuses a password that is empty or longer than 1,000 bytes.
    virtual Result<void> set_password(AccountId account, const Secret& password) = 0;
    // Makes a random password, stores its hash under `name` and returns it: the only time it is seen. An
    // error if the name is taken.
    virtual Result<Secret> add_app_password(AccountId account, const std::string& name) = 0;
    // False if there was none by that name.
    virtual Result<bool> remove_app_password(AccountId account, const std::string& name) = 0;
    virtual Result<void> remove_account(AccountId account) = 0;

    virtual Result<void> put_dkim_key(const DkimKey& key) = 0;
    virtual Result<void> remove_dkim_keys(const Domain& domain) = 0;
    virtual Result<void> remove_dkim_key(const Domain& domain, const std::string& selector) = 0;
};

// `data_dir`/credentials must exist for the first two; the third creates it. Once per process, before the
// sandbox closes. Damaged ones are restored by the last two from the copy that is kept beside them after each
// change, though not after the mere use of an app password; `on_restored` hears of that.
Result<std::unique_ptr<Credentials>> open_credentials(const std::filesystem::path& data_dir);
Result<std::unique_ptr<CredentialsRecorder>> open_credentials_recorder(const std::filesystem::path& data_dir,
                                                                       const OnRestored& on_restored = {});
Result<std::unique_ptr<CredentialsEditor>> edit_credentials(const std::filesystem::path& data_dir,
                                                            const OnRestored& on_restored = {});

}  // namespace mailstead::directory
