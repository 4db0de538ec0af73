#include "certificates.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace mailstead::net::test {

void write_file(const std::string& path, const std::string& content) {
    // Renamed into place, as certificate tools do.
    std::ofstream(path + ".new") << content;
    std::filesystem::rename(path + ".new", path);
}

namespace {

std::string contents(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return text;
}

void add_extension(X509* certificate, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    ASSERT_NE(extension, nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

}  // namespace

void make_certificate(const CertificateFiles& files, const std::vector<std::string>& names) {
    static std::atomic<long> serial{1};
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
    X509_set_pubkey(certificate, key);
    X509_NAME* const subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(names.front().c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    std::string alternatives;
    for (const std::string& name : names) alternatives += (alternatives.empty() ? "DNS:" : ",DNS:") + name;
    add_extension(certificate, NID_subject_alt_name, alternatives);
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    ASSERT_GT(X509_sign(certificate, key, EVP_sha256()), 0);
    BIO* const certificate_text = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(certificate_text, certificate);
    write_file(files.certificate, contents(certificate_text));
    BIO* const key_text = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(key_text, key, nullptr, nullptr, 0, nullptr, nullptr);
    write_file(files.key, contents(key_text));
    X509_free(certificate);
    EVP_PKEY_free(key);
}

std::string spki_sha256(const std::string& certificate_file) {
    BIO* const file = BIO_new_file(certificate_file.c_str(), "r");
    X509* const certificate = PEM_read_bio_X509(file, nullptr, nullptr, nullptr);
    unsigned char* encoded = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded);
    unsigned char digest[32];
    EVP_Digest(encoded, static_cast<std::size_t>(size), digest, nullptr, EVP_sha256(), nullptr);
    OPENSSL_free(encoded);
    X509_free(certificate);
    BIO_free(file);
    return {reinterpret_cast<const char*>(digest), sizeof digest};
}

}  // namespace mailstead::net::test
