// Certificates made in the test.
#pragma once

#include <string>
#include <vector>

#include "common/net/tls_context.h"
#include "temporary_folder.h"

namespace mailstead::net::test {

// Writes a new self-signed P-256 certificate for `names` (which is its own root) into `files`.
void make_certificate(const CertificateFiles& files, const std::vector<std::string>& names);

// SHA-256 of the public key: the data of a TLSA 3 1 1 record.
std::string spki_sha256(const std::string& certificate_file);

void write_file(const std::string& path, const std::string& content);

}  // namespace mailstead::net::test
