// One DKIM-Signature field, read (RFC 6376, 3.5 and 6.1.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dkim.h"

namespace mailstead::mailauth {

struct DkimSignature {
    std::string algorithm;  // a= as written
    DkimAlgorithm key_algorithm = DkimAlgorithm::rsa_sha256;
    std::string domain;     // d=, lower case
    std::string selector;   // s=, lower case
    std::string identity;   // i=, `@domain` if absent
    std::string body_hash;  // bh= decoded
    std::string signature;  // b= decoded
    std::string signature_start;
    std::vector<std::string> fields;  // h=
    Canonicalization header_form = Canonicalization::simple;
    Canonicalization body_form = Canonicalization::simple;
    std::optional<std::uint64_t> body_length;  // l=
    std::optional<std::uint64_t> signed_at;    // t=, seconds since 1970
    std::optional<std::uint64_t> expires_at;   // x=
};

// What could be read, and if that is not enough or not acceptable, why.
struct DkimSignatureReading {
    DkimSignature signature;
    std::optional<DkimVerdict> refusal;  // permerror or policy
    std::string_view reason;             // static text
};
DkimSignatureReading read_dkim_signature(std::string_view field_body);

}  // namespace mailstead::mailauth
