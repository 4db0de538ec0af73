// "Does this proof hold?", answered from the directory and the credentials: what deliver runs SASL exchanges
// against.
#pragma once

#include <functional>
#include <string>

#include "common/base/clock.h"
#include "common/directory/credentials.h"
#include "common/directory/directory.h"
#include "common/sasl/exchange.h"
#include "common/sasl/success_cache.h"

namespace mailstead::directory {

// Thread-safe. verify_password() costs an Argon2 run unless the proof is remembered or an app password: call
// it on a bounded pool. Unknown accounts cost the same as wrong passwords.
class Authenticator : public sasl::CredentialSource {
public:
    // Told, on the thread of the login, when an app password let somebody in and its time of last use is not
    // exact any more.
    using AppPasswordUsed = std::function<void(AccountId account, const std::string& name)>;

    // Both must outlive the authenticator.
    Authenticator(const Directory& directory, const Credentials& credentials, AppPasswordUsed used = {});

    Result<std::optional<sasl::Proved>> verify_password(std::string_view login,
                                                        std::string_view password) override;
    bool remembers(std::string_view login, std::string_view password) override;
    Result<std::optional<sasl::ScramRecord>> scram_record(std::string_view login) override;
    void key_proved(AccountId account, std::string_view stored_key) override;
    std::string_view fake_salt_key() const override;

    // Whether somebody who was let in by `credential` would be now.
    enum class Standing : std::uint8_t {
        holds,
        removed,     // the account
        locked,      // the account
        credential,  // is not the account's any more
    };
    Result<Standing> standing(AccountId account, const Credential& credential) const;

private:
    void note_use(AccountId account, const AppPassword& app) const;

    const Directory& directory_;
    const Credentials& credentials_;
    const AppPasswordUsed used_;
    sasl::SuccessCache successes_;
};

}  // namespace mailstead::directory
