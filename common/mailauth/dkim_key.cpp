#include "common/mailauth/dkim_key.h"

#include <algorithm>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "common/base/base64.h"
#include "common/base/freed_by.h"
#include "common/base/text.h"
#include "common/mailauth/rsa_der.h"
#include "common/mailauth/tag_list.h"

namespace mailstead::mailauth {
namespace {

// Larger keys cost verifiers too much; RFC 8301, 3.2 asks for 4096 at least.
constexpr int kMaxRsaBits = 8192;
constexpr int kMinRsaBits = 1024;
constexpr unsigned kNewRsaBits = 2048;
constexpr std::size_t kMaxExponentSize = 8;
constexpr std::size_t kEd25519Size = 32;

using Pkey = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, FreedBy<EVP_PKEY_CTX_free>>;
using MdContext = std::unique_ptr<EVP_MD_CTX, FreedBy<EVP_MD_CTX_free>>;
using BigNumber = std::unique_ptr<BIGNUM, FreedBy<BN_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, FreedBy<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreedBy<OSSL_PARAM_free>>;
using Bio = std::unique_ptr<BIO, FreedBy<BIO_free_all>>;

const unsigned char* octets(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

// The library's queue of errors belongs to the thread; leaving entries there would confuse the next user.
Error openssl_error(std::string_view what) {
    char text[256] = "unknown error";
    if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return permanent_error(std::string(what) + ": " + text);
}

BigNumber big_number(std::string_view bytes) {
    return BigNumber(BN_bin2bn(octets(bytes), static_cast<int>(bytes.size()), nullptr));
}

Pkey read_rsa(std::string_view der) {
    const auto numbers = read_rsa_public_key(der);
    // An exponent or modulus without bound would make each signature as dear as its sender likes.
    if (!numbers || numbers->modulus.size() > kMaxRsaBits / 8 || numbers->exponent.size() > kMaxExponentSize)
        return {};
    const BigNumber modulus = big_number(numbers->modulus);
    const BigNumber exponent = big_number(numbers->exponent);
    const ParamBuilder builder(OSSL_PARAM_BLD_new());
    if (!modulus || !exponent || !builder ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
        return {};
    }
    const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
    const PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
    EVP_PKEY* key = nullptr;
    if (params && context && EVP_PKEY_fromdata_init(context.get()) > 0) {
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get());
    }
    ERR_clear_error();
    return Pkey(key);
}

Pkey read_ed25519(std::string_view raw) {
    if (raw.size() != kEd25519Size) return {};
    return Pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(raw), raw.size()));
}

bool use_pkcs1_sha256(EVP_PKEY_CTX* context) {
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0 &&
           EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) > 0;
}

bool verify_rsa(EVP_PKEY* key, std::string_view digest, std::string_view signature) {
    const PkeyContext context(EVP_PKEY_CTX_new(key, nullptr));
    const bool good = context && EVP_PKEY_verify_init(context.get()) > 0 && use_pkcs1_sha256(context.get()) &&
                      EVP_PKEY_verify(context.get(), octets(signature), signature.size(), octets(digest),
                                      digest.size()) == 1;
    ERR_clear_error();
    return good;
}

// RFC 8463, 3: PureEdDSA over the SHA-256 digest.
bool verify_ed25519(EVP_PKEY* key, std::string_view digest, std::string_view signature) {
    const MdContext context(EVP_MD_CTX_new());
    const bool good = context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key) == 1 &&
                      EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(digest),
                                       digest.size()) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace

struct DkimKey::Key {
    Pkey pkey;
    DkimAlgorithm algorithm = DkimAlgorithm::rsa_sha256;
};

std::string_view to_string(DkimAlgorithm algorithm) {
    return algorithm == DkimAlgorithm::rsa_sha256 ? "rsa-sha256" : "ed25519-sha256";
}

DkimKey::DkimKey(std::unique_ptr<Key> key) : key_(std::move(key)) {}
DkimKey::~DkimKey() = default;
DkimKey::DkimKey(DkimKey&&) noexcept = default;
DkimKey& DkimKey::operator=(DkimKey&&) noexcept = default;

Result<DkimKey> DkimKey::generate(DkimAlgorithm algorithm) {
    auto key = std::make_unique<Key>();
    key->algorithm = algorithm;
    key->pkey.reset(algorithm == DkimAlgorithm::rsa_sha256
                        ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(kNewRsaBits))
                        : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    if (!key->pkey) return openssl_error("cannot make a key");
    return DkimKey(std::move(key));
}

Result<DkimKey> DkimKey::from_pem(const Secret& pem) {
    const std::string_view text = pem.reveal();
    const Bio bio(
        BIO_new_mem_buf(text.data(), static_cast<int>(std::min<std::size_t>(text.size(), 64 * 1024))));
    auto key = std::make_unique<Key>();
    // Without a callback an encrypted file would make OpenSSL ask on the terminal.
    pem_password_cb* const no_password = [](char*, int, int, void*) { return 0; };
    key->pkey.reset(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr);
    if (!key->pkey) return openssl_error("not a private key in PEM form");
    switch (EVP_PKEY_get_base_id(key->pkey.get())) {
        case EVP_PKEY_RSA:
            key->algorithm = DkimAlgorithm::rsa_sha256;
            break;
        case EVP_PKEY_ED25519:
            key->algorithm = DkimAlgorithm::ed25519_sha256;
            break;
        default:
            return permanent_error("a DKIM key is RSA or Ed25519");
    }
    const int bits = EVP_PKEY_get_bits(key->pkey.get());
    if (key->algorithm == DkimAlgorithm::rsa_sha256 && (bits < kMinRsaBits || bits > kMaxRsaBits)) {
        return permanent_error("an RSA key for DKIM has 1024 to 8192 bits");
    }
    return DkimKey(std::move(key));
}

Secret DkimKey::to_pem() const {
    const Bio bio(BIO_new(BIO_s_secmem()));
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key_->pkey.get(), nullptr, nullptr, 0, nullptr,
                                              nullptr) != 1) {
        ERR_clear_error();
        return Secret();
    }
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return Secret(std::string_view(data, static_cast<std::size_t>(size)));
}

DkimAlgorithm DkimKey::algorithm() const {
    return key_->algorithm;
}

unsigned DkimKey::bits() const {
    return static_cast<unsigned>(EVP_PKEY_get_bits(key_->pkey.get()));
}

std::string DkimKey::public_record() const {
    if (key_->algorithm == DkimAlgorithm::ed25519_sha256) {
        unsigned char raw[kEd25519Size];
        std::size_t size = sizeof raw;
        EVP_PKEY_get_raw_public_key(key_->pkey.get(), raw, &size);
        return "v=DKIM1; k=ed25519; p=" + base64_encode({reinterpret_cast<const char*>(raw), size});
    }
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key_->pkey.get(), &der);
    std::string record = "v=DKIM1; k=rsa; p=";
    if (size > 0)
        record += base64_encode({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
    OPENSSL_free(der);
    return record;
}

Result<std::string> DkimKey::sign_digest(std::string_view sha256) const {
    std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_->pkey.get())), '\0');
    std::size_t size = signature.size();
    auto* out = reinterpret_cast<unsigned char*>(signature.data());
    bool good = false;
    if (key_->algorithm == DkimAlgorithm::rsa_sha256) {
        const PkeyContext context(EVP_PKEY_CTX_new(key_->pkey.get(), nullptr));
        good = context && EVP_PKEY_sign_init(context.get()) > 0 && use_pkcs1_sha256(context.get()) &&
               EVP_PKEY_sign(context.get(), out, &size, octets(sha256), sha256.size()) > 0;
    } else {
        const MdContext context(EVP_MD_CTX_new());
        good = context &&
               EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_->pkey.get()) == 1 &&
               EVP_DigestSign(context.get(), out, &size, octets(sha256), sha256.size()) == 1;
    }
    if (!good) return openssl_error("cannot sign");
    signature.resize(size);
    return signature;
}

Parsed<DkimKeyRecord> parse_dkim_key_record(std::string_view text) {
    TRY(list, TagList::parse(text));
    const Tag* version = list.find("v");
    if (version != nullptr && (version != &list.tags().front() || version->value != "DKIM1")) {
        return ParseError("not a DKIM1 key record", 0);
    }
    const Tag* key = list.find("p");
    if (key == nullptr) return ParseError("key record without p=", text.size());

    DkimKeyRecord record;
    if (const Tag* type = list.find("k")) record.key_type = type->value;
    if (const Tag* hashes = list.find("h")) record.hash_algorithms = split_list(hashes->value, ':', 16);
    if (const Tag* services = list.find("s")) record.services = split_list(services->value, ':', 16);
    if (const Tag* flags = list.find("t")) {
        for (const std::string& flag : split_list(flags->value, ':', 16)) {
            record.testing = record.testing || flag == "y";
            record.same_domain = record.same_domain || flag == "s";
        }
    }
    auto decoded = base64_decode_folded(key->value);
    if (!decoded) return ParseError("p= is not base64", 0);
    record.public_key = std::move(*decoded);
    return record;
}

KeyVerdict verify_digest(const DkimKeyRecord& record, DkimAlgorithm algorithm, unsigned min_rsa_bits,
                         std::string_view sha256, std::string_view signature) {
    const bool rsa = algorithm == DkimAlgorithm::rsa_sha256;
    if (record.key_type != (rsa ? "rsa" : "ed25519"))
        return {KeyCheck::unusable_key, 0, "key is of another type"};
    const Pkey key = rsa ? read_rsa(record.public_key) : read_ed25519(record.public_key);
    if (!key) return {KeyCheck::unusable_key, 0, "public key cannot be read"};
    const auto bits = static_cast<unsigned>(EVP_PKEY_get_bits(key.get()));
    // RFC 8301, 3.2
    if (rsa && bits < min_rsa_bits) return {KeyCheck::unusable_key, bits, "key is too short"};
    const bool good =
        rsa ? verify_rsa(key.get(), sha256, signature) : verify_ed25519(key.get(), sha256, signature);
    if (!good) return {KeyCheck::bad_signature, bits, "signature does not match"};
    return {KeyCheck::good, bits, ""};
}

}  // namespace mailstead::mailauth
