// Keys and certificates that init makes.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace mailstead::admin {

struct Certificate {
    std::string pem;  // with its chain
    Secret key_pem;
};

// A certification authority of our own, valid for ten years, and a certificate from it for the names (host
// names and IP addresses).
struct PrivateCa {
    std::string ca_pem;
    Certificate certificate;
};
Result<PrivateCa> make_private_ca(const std::vector<std::string>& names);

// Signed by itself, for one year: encrypts, but proves nothing to a client.
Result<Certificate> make_self_signed(const std::vector<std::string>& names);

}  // namespace mailstead::admin
