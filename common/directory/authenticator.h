// "Does this proof hold?", answered from the directory and the credentials: what deliver runs SASL exchanges
// against.
#pragma once

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
    // Both must outlive the authenticator.
    Authenticator(const Directory& directory, const Credentials& credentials);

    Result<std::optional<AccountId>> verify_password(std::string_view login,
                                                     std::string_view password) override;
    Result<std::optional<sasl::ScramRecord>> scram_record(std::string_view login) override;
    std::string_view fake_salt_key() const override;

private:
    const Directory& directory_;
    const Credentials& credentials_;
    sasl::SuccessCache successes_;
};

}  // namespace mailstead::directory
