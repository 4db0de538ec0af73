#include "common/sasl/password_hash.h"

#include <array>
#include <cstring>
#include <new>

#include <openssl/evp.h>
#include <sodium.h>

#include "common/sasl/scram_messages.h"

namespace mailstead::sasl {
namespace {

// OWASP's smaller Argon2id setting: strong enough for a password that also needs the network to try it, small
// enough for a machine with little memory.
constexpr unsigned long long kPasses = 2;
constexpr std::size_t kMemory = std::size_t{19456} * 1024;

// libsodium chooses its fast code when it is initialized, and is correct but slow without.
void initialize() {
    static const int done = sodium_init();
    static_cast<void>(done);
}

const std::string& hash_to_pretend_with() {
    static const std::string hash = [] {
        const auto made = hash_password(Secret("nobody's password"));
        return made ? *made : std::string();
    }();
    return hash;
}

// SaltedPassword = Hi(Normalize(password), salt, i), which is PBKDF2 with HMAC-SHA-256 (RFC 5802, 2.2)
Secret salted_password(std::string_view password, std::string_view salt, std::uint32_t iterations) {
    std::string out(crypto_hash_sha256_BYTES, '\0');
    const int done =
        PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                          reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                          static_cast<int>(iterations), EVP_sha256(), static_cast<int>(out.size()),
                          reinterpret_cast<unsigned char*>(out.data()));
    if (done != 1) throw std::bad_alloc();
    return Secret::take(out);
}

}  // namespace

Result<std::string> hash_password(const Secret& password) {
    initialize();
    std::array<char, crypto_pwhash_STRBYTES> out{};
    const std::string_view bytes = password.reveal();
    if (crypto_pwhash_str_alg(out.data(), bytes.data(), bytes.size(), kPasses, kMemory,
                              crypto_pwhash_ALG_ARGON2ID13) != 0) {
        return transient_error("not enough memory to hash a password");
    }
    return std::string(out.data());
}

bool verify_password(const std::string& hash, std::string_view password) {
    initialize();
    if (hash.size() >= crypto_pwhash_STRBYTES) return false;
    // The function reads a whole STRBYTES block.
    std::array<char, crypto_pwhash_STRBYTES> block{};
    std::memcpy(block.data(), hash.data(), hash.size());
    return crypto_pwhash_str_verify(block.data(), password.data(), password.size()) == 0;
}

void pretend_to_verify(std::string_view password) {
    static_cast<void>(verify_password(hash_to_pretend_with(), password));
}

ClientKeys derive_client_keys(std::string_view password, std::string_view salt, std::uint32_t iterations) {
    const Secret salted = salted_password(password, salt, iterations);
    std::string client_key = scram::hmac_sha256(salted.reveal(), "Client Key");
    std::string server_key = scram::hmac_sha256(salted.reveal(), "Server Key");
    return {Secret::take(client_key), Secret::take(server_key)};
}

ScramKeyPair derive_scram_keys(std::string_view password, std::string_view salt, std::uint32_t iterations) {
    const ClientKeys keys = derive_client_keys(password, salt, iterations);
    return {scram::sha256(keys.client_key.reveal()), std::string(keys.server_key.reveal())};
}

std::string hash_random_password(std::string_view key, std::string_view password) {
    std::string out(crypto_generichash_BYTES, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(out.data()), out.size(),
                       reinterpret_cast<const unsigned char*>(password.data()), password.size(),
                       reinterpret_cast<const unsigned char*>(key.data()), key.size());
    return out;
}

std::string generate_password() {
    constexpr std::string_view kAlphabet = "abcdefghijkmnpqrstuvwxyz23456789";
    static_assert(kAlphabet.size() == 32);
    constexpr std::size_t kLetters = 25;
    constexpr std::size_t kGroup = 5;
    const std::string random = random_bytes(kLetters);
    std::string out;
    for (std::size_t i = 0; i < kLetters; ++i) {
        if (i != 0 && i % kGroup == 0) out += '-';
        out += kAlphabet[static_cast<unsigned char>(random[i]) % kAlphabet.size()];
    }
    return out;
}

}  // namespace mailstead::sasl
