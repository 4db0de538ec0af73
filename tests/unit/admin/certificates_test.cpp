#include "admin/certificates.h"

#include <memory>

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace mailstead::admin {
namespace {

struct Free {
    void operator()(X509* x) const { X509_free(x); }
    void operator()(EVP_PKEY* x) const { EVP_PKEY_free(x); }
    void operator()(BIO* x) const { BIO_free(x); }
    void operator()(X509_STORE* x) const { X509_STORE_free(x); }
    void operator()(X509_STORE_CTX* x) const { X509_STORE_CTX_free(x); }
};
template <class T>
using Ptr = std::unique_ptr<T, Free>;

Ptr<BIO> bio(std::string_view text) {
    return Ptr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}
Ptr<X509> certificate(std::string_view pem) {
    return Ptr<X509>(PEM_read_bio_X509(bio(pem).get(), nullptr, nullptr, nullptr));
}
Ptr<EVP_PKEY> key(const Secret& pem) {
    return Ptr<EVP_PKEY>(PEM_read_bio_PrivateKey(bio(pem.reveal()).get(), nullptr, nullptr, nullptr));
}

bool verifies(X509* leaf, X509* root) {
    const Ptr<X509_STORE> store(X509_STORE_new());
    X509_STORE_add_cert(store.get(), root);
    const Ptr<X509_STORE_CTX> context(X509_STORE_CTX_new());
    X509_STORE_CTX_init(context.get(), store.get(), leaf, nullptr);
    X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_SERVER);
    return X509_verify_cert(context.get()) == 1;
}

TEST(Certificates, ThePrivateAuthorityVouchesForEveryName) {
    const auto made = make_private_ca({"mail.example.org", "localhost", "127.0.0.1"});
    ASSERT_TRUE(made);
    const auto ca = certificate(made->ca_pem);
    const auto leaf = certificate(made->certificate.pem);
    ASSERT_TRUE(ca && leaf);
    EXPECT_TRUE(verifies(leaf.get(), ca.get()));
    EXPECT_EQ(X509_check_host(leaf.get(), "mail.example.org", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_check_host(leaf.get(), "localhost", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_check_ip_asc(leaf.get(), "127.0.0.1", 0), 1);
    EXPECT_NE(X509_check_host(leaf.get(), "other.example.org", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_check_private_key(leaf.get(), key(made->certificate.key_pem).get()), 1);
    EXPECT_EQ(X509_check_ca(leaf.get()), 0);
    EXPECT_FALSE(verifies(leaf.get(), certificate(make_private_ca({"a.example"})->ca_pem).get()));
}

TEST(Certificates, ASelfSignedOneFitsItsKeyAndName) {
    const auto made = make_self_signed({"mail.example.org"});
    ASSERT_TRUE(made);
    const auto leaf = certificate(made->pem);
    ASSERT_TRUE(leaf);
    EXPECT_EQ(X509_check_private_key(leaf.get(), key(made->key_pem).get()), 1);
    EXPECT_EQ(X509_check_host(leaf.get(), "mail.example.org", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_cmp_current_time(X509_get0_notBefore(leaf.get())), -1);
    EXPECT_EQ(X509_cmp_current_time(X509_get0_notAfter(leaf.get())), 1);
}

TEST(Certificates, NamesLongerThanACommonNameMayBeAreCut) {
    const std::string name = std::string(60, 'a') + "." + std::string(60, 'b') + ".example.org";
    const auto made = make_self_signed({name});
    ASSERT_TRUE(made);
    EXPECT_EQ(X509_check_host(certificate(made->pem).get(), name.c_str(), 0, 0, nullptr), 1);
}

}  // namespace
}  // namespace mailstead::admin
