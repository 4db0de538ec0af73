// DKIM keys: private ones as we keep them, public ones as the DNS has them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace mailstead::mailauth {

enum class DkimAlgorithm : std::uint8_t { rsa_sha256, ed25519_sha256 };
// `rsa-sha256`, `ed25519-sha256`
std::string_view to_string(DkimAlgorithm algorithm);

// A private key. Immutable; signing is safe from several threads at once.
class DkimKey {
public:
    // RSA of 2048 bits or Ed25519 (RFC 8463). RSA takes about 100 ms.
    static Result<DkimKey> generate(DkimAlgorithm algorithm);
    // PKCS #8 or traditional PEM. RSA of 1024 to 8192 bits, or Ed25519.
    static Result<DkimKey> from_pem(const Secret& pem);

    ~DkimKey();
    DkimKey(DkimKey&&) noexcept;
    DkimKey& operator=(DkimKey&&) noexcept;

    // PKCS #8 PEM.
    Secret to_pem() const;
    DkimAlgorithm algorithm() const;
    unsigned bits() const;
    // The text of the TXT record at SELECTOR._domainkey.DOMAIN: `v=DKIM1; k=rsa; p=...` (RFC 6376, 3.6.1; RFC
    // 8463, 4).
    std::string public_record() const;
    // The signature over a SHA-256 digest, as bytes.
    Result<std::string> sign_digest(std::string_view sha256) const;

private:
    struct Key;
    explicit DkimKey(std::unique_ptr<Key> key);
    std::unique_ptr<Key> key_;
};

// What a key record says (RFC 6376, 3.6.1).
struct DkimKeyRecord {
    std::string key_type = "rsa";              // k=
    std::vector<std::string> hash_algorithms;  // h=; empty: all
    std::vector<std::string> services;         // s=; empty: all
    std::string public_key;                    // p= decoded; empty: the key was revoked
    bool testing = false;                      // t=y
    bool same_domain = false;                  // t=s: i= must be of d= itself
};
// key-record = tag-list; v= must come first if it is there and be DKIM1; p= is required; unknown tags and
// flags are skipped.
Parsed<DkimKeyRecord> parse_dkim_key_record(std::string_view text);

enum class KeyCheck : std::uint8_t { good, bad_signature, unusable_key };
struct KeyVerdict {
    KeyCheck check = KeyCheck::unusable_key;
    unsigned bits = 0;
    std::string_view reason;  // static text when not good
};
// Verifies `signature` over the SHA-256 digest with the key of the record, whose type must fit the algorithm.
KeyVerdict verify_digest(const DkimKeyRecord& record, DkimAlgorithm algorithm, unsigned min_rsa_bits,
                         std::string_view sha256, std::string_view signature);

}  // namespace mailstead::mailauth
