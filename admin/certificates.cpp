#include "admin/certificates.h"

#include <arpa/inet.h>
#include <memory>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "common/base/freed_by.h"

namespace mailstead::admin {
namespace {

using Key = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, FreedBy<X509_free>>;
using BioPtr = std::unique_ptr<BIO, FreedBy<BIO_free_all>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, FreedBy<X509_EXTENSION_free>>;

constexpr long kDay = 24 * 60 * 60;
constexpr long kCaLifetime = 3650 * kDay;
// Clients of Apple refuse certificates of more than 825 days, whoever issued them.
constexpr long kLeafLifetime = 820 * kDay;
constexpr long kSelfSignedLifetime = 365 * kDay;
constexpr std::size_t kMaxCommonName = 64;

Error openssl_error(const char* doing) {
    char text[256] = "unknown error";
    if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
    return transient_error(std::string(doing) + ": " + text);
}

bool is_ip(const std::string& name) {
    unsigned char raw[sizeof(in6_addr)];
    return inet_pton(AF_INET, name.c_str(), raw) == 1 || inet_pton(AF_INET6, name.c_str(), raw) == 1;
}

std::string alternative_names(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names)
        out += (out.empty() ? "" : ",") + std::string(is_ip(name) ? "IP:" : "DNS:") + name;
    return out;
}

class Builder {
public:
    explicit Builder(EVP_PKEY* key) : certificate_(X509_new()), key_(key) {}

    bool start(const std::string& name, long lifetime) {
        // 127 bits of chance: positive, and not to be guessed (RFC 5280, 4.1.2.2).
        unsigned char serial[16];
        if (RAND_bytes(serial, sizeof serial) != 1) return false;
        serial[0] &= 0x7F;
        const std::unique_ptr<BIGNUM, FreedBy<BN_free>> number(BN_bin2bn(serial, sizeof serial, nullptr));
        X509_NAME* subject = X509_get_subject_name(certificate_.get());
        const std::string common_name = name.substr(0, kMaxCommonName);
        return number && X509_set_version(certificate_.get(), X509_VERSION_3) == 1 &&
               BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate_.get())) != nullptr &&
               // An hour back, for clients whose clock is behind.
               X509_gmtime_adj(X509_getm_notBefore(certificate_.get()), -3600) != nullptr &&
               X509_gmtime_adj(X509_getm_notAfter(certificate_.get()), lifetime) != nullptr &&
               X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                          reinterpret_cast<const unsigned char*>(common_name.data()),
                                          static_cast<int>(common_name.size()), -1, 0) == 1 &&
               X509_set_pubkey(certificate_.get(), key_) == 1;
    }

    bool issued_by(X509* issuer) {
        issuer_ = issuer;
        return X509_set_issuer_name(certificate_.get(), X509_get_subject_name(issuer)) == 1;
    }
    bool issued_by_itself() { return issued_by(certificate_.get()); }

    bool extend(int kind, const std::string& value) {
        X509V3_CTX context;
        X509V3_set_ctx(&context, issuer_, certificate_.get(), nullptr, nullptr, 0);
        const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
        return extension && X509_add_ext(certificate_.get(), extension.get(), -1) == 1;
    }

    X509Ptr sign(EVP_PKEY* issuer_key) {
        if (X509_sign(certificate_.get(), issuer_key, EVP_sha256()) == 0) return nullptr;
        return std::move(certificate_);
    }

private:
    X509Ptr certificate_;
    EVP_PKEY* key_;
    X509* issuer_ = nullptr;
};

Key make_key() {
    return Key(EVP_EC_gen("P-256"));
}

std::string bio_text(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return std::string(data, static_cast<std::size_t>(size));
}

Result<std::string> to_pem(X509* certificate) {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1)
        return openssl_error("writing a certificate");
    return bio_text(bio.get());
}

Result<Secret> to_pem(EVP_PKEY* key) {
    const BioPtr bio(BIO_new(BIO_s_secmem()));
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return openssl_error("writing a key");
    }
    std::string text = bio_text(bio.get());
    return Secret::take(text);
}

// What a server's certificate says beside its names.
bool extend_as_server(Builder& builder, const std::vector<std::string>& names) {
    return builder.extend(NID_subject_alt_name, alternative_names(names)) &&
           builder.extend(NID_basic_constraints, "critical,CA:FALSE") &&
           builder.extend(NID_key_usage, "critical,digitalSignature") &&
           builder.extend(NID_ext_key_usage, "serverAuth") &&
           builder.extend(NID_subject_key_identifier, "hash");
}

}  // namespace

Result<PrivateCa> make_private_ca(const std::vector<std::string>& names) {
    const Key ca_key = make_key();
    const Key key = make_key();
    if (!ca_key || !key) return openssl_error("making a key");
    Builder ca_builder(ca_key.get());
    const bool ca_built = ca_builder.start("Mailstead at " + names.front(), kCaLifetime) &&
                          ca_builder.issued_by_itself() &&
                          ca_builder.extend(NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                          ca_builder.extend(NID_key_usage, "critical,keyCertSign,cRLSign") &&
                          ca_builder.extend(NID_subject_key_identifier, "hash");
    const X509Ptr ca = ca_built ? ca_builder.sign(ca_key.get()) : nullptr;
    if (!ca) return openssl_error("making the certification authority");

    Builder builder(key.get());
    const bool built = builder.start(names.front(), kLeafLifetime) && builder.issued_by(ca.get()) &&
                       extend_as_server(builder, names) &&
                       builder.extend(NID_authority_key_identifier, "keyid:always");
    const X509Ptr certificate = built ? builder.sign(ca_key.get()) : nullptr;
    if (!certificate) return openssl_error("making the certificate");

    // The authority's key is not kept: it signs this once, so that nobody can ever sign with it what clients
    // were told to trust.
    TRY(ca_pem, to_pem(ca.get()));
    TRY(pem, to_pem(certificate.get()));
    TRY(key_pem, to_pem(key.get()));
    pem += ca_pem;
    return PrivateCa{std::move(ca_pem), {std::move(pem), std::move(key_pem)}};
}

Result<Certificate> make_self_signed(const std::vector<std::string>& names) {
    const Key key = make_key();
    if (!key) return openssl_error("making a key");
    Builder builder(key.get());
    const bool built = builder.start(names.front(), kSelfSignedLifetime) && builder.issued_by_itself() &&
                       extend_as_server(builder, names);
    const X509Ptr certificate = built ? builder.sign(key.get()) : nullptr;
    if (!certificate) return openssl_error("making the certificate");
    TRY(pem, to_pem(certificate.get()));
    TRY(key_pem, to_pem(key.get()));
    return Certificate{std::move(pem), std::move(key_pem)};
}

}  // namespace mailstead::admin
