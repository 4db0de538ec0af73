// Passwords at rest.
#pragma once

#include <string>
#include <string_view>

#include "common/base/secret.h"
#include "common/sasl/exchange.h"

namespace mailstead::sasl {

// An Argon2id PHC string (`$argon2id$v=19$m=19456,t=2,p=1$...`). Takes 19 MiB and some 20 ms: the caller
// bounds how many run at once.
Result<std::string> hash_password(const Secret& password);
// Constant time in all but the parameters of the hash. False for a malformed hash.
bool verify_password(const std::string& hash, std::string_view password);
// Spends what a verification spends, for logins that do not exist.
void pretend_to_verify(std::string_view password);

constexpr std::uint32_t kScramIterations = 15000;
constexpr std::size_t kScramSaltSize = 16;
// StoredKey and ServerKey for SCRAM-SHA-256 (RFC 5802, 3). `password` as saslprep() left it.
ScramKeyPair derive_scram_keys(std::string_view password, std::string_view salt, std::uint32_t iterations);

// ClientKey and ServerKey, which a client computes from the password each time.
struct ClientKeys {
    Secret client_key;
    Secret server_key;
};
ClientKeys derive_client_keys(std::string_view password, std::string_view salt, std::uint32_t iterations);

// For random passwords only, which no dictionary holds: keyed BLAKE2b, microseconds. `key` has 32 bytes.
std::string hash_random_password(std::string_view key, std::string_view password);

// A password that a program keeps: five groups of five letters and digits, 125 bits, no look-alikes.
std::string generate_password();

}  // namespace mailstead::sasl
