// What server and client contexts share. Private to common/net.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

namespace mailstead::net::tls {

struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using ContextPointer = std::unique_ptr<SSL_CTX, FreeContext>;

// `why: OpenSSL's last error`; empties the thread's error queue.
std::string failure_text(std::string_view why);

// TLS 1.2 and 1.3, the ciphers and modes of this product; null only without memory.
ContextPointer new_context(const SSL_METHOD* method);

}  // namespace mailstead::net::tls
