// One account, `user@example.org` with password `pencil`, without databases.
#pragma once

#include <string>

#include "common/sasl/exchange.h"
#include "common/sasl/password_hash.h"

namespace mailstead::sasl {

class FakeSource : public CredentialSource {
public:
    static constexpr AccountId kAccount{7};

    Result<std::optional<Proved>> verify_password(std::string_view login,
                                                  std::string_view password) override {
        if (broken) return transient_error("disk gone");
        seen_password = password;
        if (login != user || password != "pencil") return std::optional<Proved>();
        return std::optional(Proved{kAccount, {}});
    }
    Result<std::optional<ScramRecord>> scram_record(std::string_view login) override {
        if (broken) return transient_error("disk gone");
        if (login != user) return std::optional<ScramRecord>();
        ScramRecord record{kAccount, salt, iterations, {}};
        for (const std::string& password : passwords)
            record.keys.push_back({derive_scram_keys(password, salt, iterations), {}});
        return std::optional(std::move(record));
    }
    std::string_view fake_salt_key() const override { return "0123456789abcdef0123456789abcdef"; }

    std::string user = "user@example.org";
    std::vector<std::string> passwords = {"pencil"};
    std::string salt = "0123456789abcdef";
    std::uint32_t iterations = 4096;
    bool broken = false;
    std::string seen_password;
};

inline FailureReason reason_of(const Outcome& outcome) {
    return std::get<Failure>(outcome).reason;
}

}  // namespace mailstead::sasl
