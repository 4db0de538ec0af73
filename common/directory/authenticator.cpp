#include "common/directory/authenticator.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/text.h"
#include "common/sasl/password_hash.h"

namespace mailstead::directory {
namespace {

constexpr std::size_t kRememberedSuccesses = 10'000;
constexpr Milliseconds kRememberedFor = std::chrono::hours(1);

// Says nothing about the secret: keyed, and of what is stored, which is a hash already.
std::uint64_t fingerprint(std::string_view installation_key, std::string_view stored) {
    return ByteReader(sasl::hash_random_password(installation_key, stored)).fixed64();
}

Credential password_of(const AccountCredentials& credentials, std::string_view installation_key) {
    return {Credential::Kind::password, {}, fingerprint(installation_key, credentials.password_hash)};
}

Credential credential_of(const AppPassword& app, std::string_view installation_key) {
    return {Credential::Kind::app_password, app.name, fingerprint(installation_key, app.hash)};
}

// nullptr: it is none of them.
const AppPassword* find_app_password(const AccountCredentials& credentials, std::string_view installation_key,
                                     std::string_view password) {
    if (credentials.app_passwords.empty()) return nullptr;
    const std::string hash = sasl::hash_random_password(installation_key, password);
    const AppPassword* found = nullptr;
    for (const AppPassword& app : credentials.app_passwords) {
        if (equal_in_constant_time(app.hash, hash)) found = &app;
    }
    return found;
}

}  // namespace

Authenticator::Authenticator(const Directory& directory, const Credentials& credentials, AppPasswordUsed used)
    : directory_(directory),
      credentials_(credentials),
      used_(std::move(used)),
      successes_(kRememberedSuccesses, kRememberedFor) {}

std::string_view Authenticator::fake_salt_key() const {
    return credentials_.installation_key();
}

Result<std::optional<sasl::Proved>> Authenticator::verify_password(std::string_view login,
                                                                   std::string_view password) {
    const std::optional<sasl::Proved> refused;
    TRY(account, directory_.find_by_login(login));
    std::optional<AccountCredentials> credentials;
    if (account && account->state == AccountState::active) {
        TRY(found, credentials_.find(account->id));
        credentials = std::move(found);
    }
    if (!credentials) {
        sasl::pretend_to_verify(password);
        return refused;
    }
    const std::string_view key = credentials_.installation_key();
    if (const AppPassword* app = find_app_password(*credentials, key, password)) {
        note_use(account->id, *app);
        return std::optional(sasl::Proved{account->id, credential_of(*app, key)});
    }
    const std::string folded = text::lower(login);
    const sasl::Proved proved{account->id, password_of(*credentials, key)};
    if (successes_.knows(folded, password, account->id, credentials->generation, now()))
        return std::optional(proved);
    if (credentials->password_hash.empty()) {
        sasl::pretend_to_verify(password);
        return refused;
    }
    if (!sasl::verify_password(credentials->password_hash, password)) return refused;
    successes_.remember(folded, password, account->id, credentials->generation, now());
    return std::optional(proved);
}

bool Authenticator::remembers(std::string_view login, std::string_view password) {
    const auto account = directory_.find_by_login(login);
    if (!account || !*account || (*account)->state != AccountState::active) return false;
    const auto credentials = credentials_.find((*account)->id);
    if (!credentials || !*credentials) return false;
    return find_app_password(**credentials, credentials_.installation_key(), password) != nullptr ||
           successes_.knows(text::lower(login), password, (*account)->id, (*credentials)->generation, now());
}

Result<std::optional<sasl::ScramRecord>> Authenticator::scram_record(std::string_view login) {
    const std::optional<sasl::ScramRecord> unknown;
    TRY(account, directory_.find_by_login(login));
    if (!account || account->state != AccountState::active) return unknown;
    TRY(credentials, credentials_.find(account->id));
    if (!credentials) return unknown;
    sasl::ScramRecord record{
        account->id, std::move(credentials->scram_salt), credentials->scram_iterations, {}};
    const std::string_view key = credentials_.installation_key();
    if (credentials->scram)
        record.keys.push_back({*std::move(credentials->scram), password_of(*credentials, key)});
    for (AppPassword& app : credentials->app_passwords)
        record.keys.push_back({std::move(app.scram), credential_of(app, key)});
    return std::optional(std::move(record));
}

void Authenticator::key_proved(AccountId account, std::string_view stored_key) {
    const auto credentials = credentials_.find(account);
    if (!credentials || !*credentials) return;
    for (const AppPassword& app : (*credentials)->app_passwords) {
        if (app.scram.stored_key == stored_key) return note_use(account, app);
    }
}

Result<Authenticator::Standing> Authenticator::standing(AccountId id, const Credential& credential) const {
    TRY(account, directory_.find_account(id));
    if (!account) return Standing::removed;
    if (account->state != AccountState::active) return Standing::locked;
    // Whoever gave the token out says how long it is good, and is asked at the next login.
    if (credential.kind == Credential::Kind::token) return Standing::holds;
    TRY(credentials, credentials_.find(id));
    if (!credentials) return Standing::credential;
    const std::string_view key = credentials_.installation_key();
    if (credential.kind == Credential::Kind::password)
        return credential == password_of(*credentials, key) ? Standing::holds : Standing::credential;
    const auto& apps = credentials->app_passwords;
    const bool there = std::any_of(apps.begin(), apps.end(), [&](const AppPassword& app) {
        return credential == credential_of(app, key);
    });
    return there ? Standing::holds : Standing::credential;
}

void Authenticator::note_use(AccountId account, const AppPassword& app) const {
    const Time at = now();
    const bool exact = app.last_used && *app.last_used <= at && at - *app.last_used < kAppPasswordUse;
    if (used_ && !exact) used_(account, app.name);
}

}  // namespace mailstead::directory
