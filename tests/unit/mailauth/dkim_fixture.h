// A domain with keys, and messages signed with them.
#pragma once

#include "common/mailauth/dkim.h"
#include "tests/unit/mailauth/zone.h"

namespace mailstead::mailauth {

inline const std::string kHeader =
    "Received: from a.example by b.example;\r\n\tFri, 20 Nov 2026 10:00:00 +0000\r\n"
    "From: Ann <ann@example.org>\r\n"
    "To: Bob <bob@example.net>,\r\n  Carl <carl@example.net>\r\n"
    "Subject:  Two   blanks \r\n"
    "Date: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
    "Message-ID: <1@example.org>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: text/plain\r\n";
inline const std::string kBody = "Hello,  world \r\n\r\n  indented\t \r\n\r\n\r\n";
inline constexpr std::int64_t kNow = 1795000000;

inline std::shared_ptr<const DkimKey> shared_key(DkimAlgorithm algorithm) {
    static const auto make = [](DkimAlgorithm kind) {
        auto key = DkimKey::generate(kind);
        return std::make_shared<const DkimKey>(std::move(*key));
    };
    static const auto rsa = make(DkimAlgorithm::rsa_sha256);
    static const auto ed25519 = make(DkimAlgorithm::ed25519_sha256);
    return algorithm == DkimAlgorithm::rsa_sha256 ? rsa : ed25519;
}

inline dns::FakeResolver key_zone() {
    dns::FakeResolver resolver;
    resolver.add("rsa._domainkey.example.org", dns::RecordType::txt,
                 dns::Txt{shared_key(DkimAlgorithm::rsa_sha256)->public_record()});
    resolver.add("ed._domainkey.example.org", dns::RecordType::txt,
                 dns::Txt{shared_key(DkimAlgorithm::ed25519_sha256)->public_record()});
    return resolver;
}

inline std::string sign(DkimSignOptions options, const std::vector<DkimAlgorithm>& algorithms,
                        const std::string& header = kHeader, const std::string& body = kBody) {
    if (options.domain.empty()) options.domain = "example.org";
    std::vector<DkimSelector> selectors;
    for (const auto algorithm : algorithms) {
        selectors.push_back({algorithm == DkimAlgorithm::rsa_sha256 ? "rsa" : "ed", shared_key(algorithm)});
    }
    DkimSigner signer(options, selectors, at(kNow));
    signer.headers(header);
    signer.body(body);
    auto fields = signer.finish();
    EXPECT_TRUE(fields);
    return fields ? *fields : std::string();
}

inline std::vector<DkimResult> verify(const std::string& header, const std::string& body,
                                      const dns::FakeResolver& resolver, DkimVerifyOptions options = {},
                                      std::int64_t now = kNow) {
    DkimVerifier verifier(at(now), options);
    verifier.headers(header);
    drive_with(verifier, resolver);
    verifier.body(body);
    verifier.end_of_body();
    return verifier.results();
}

}  // namespace mailstead::mailauth
