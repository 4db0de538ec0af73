// RSA public keys in DER, as key records hold them. OpenSSL's own decoder takes five times as long as
// verifying the signature.
#pragma once

#include <optional>
#include <string_view>

namespace mailstead::mailauth {

// Unsigned, big-endian, without leading zeros; views into the input.
struct RsaNumbers {
    std::string_view modulus;
    std::string_view exponent;
};

// SubjectPublicKeyInfo of rsaEncryption (RFC 3279, 2.3.1), which the example in RFC 6376, C has, or the bare
// RSAPublicKey (RFC 8017, A.1.1), which its text names. nullopt for anything else; bytes after the key are
// skipped.
std::optional<RsaNumbers> read_rsa_public_key(std::string_view der);

}  // namespace mailstead::mailauth
