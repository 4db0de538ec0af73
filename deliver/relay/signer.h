// DKIM signing at the moment of sending (RFC 6376, 5).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address/domain.h"
#include "common/base/clock.h"
#include "common/directory/credentials.h"
#include "common/mailauth/dkim.h"

namespace mailstead::deliver {

// Holds the parsed keys of our domains, and looks again at the credentials once a minute, so that a rotated
// key is used without a restart. Thread-safe.
class Signer {
public:
    // `credentials` outlives the signer.
    explicit Signer(const directory::Credentials& credentials) : credentials_(credentials) {}

    // The DKIM-Signature fields for the message in the file (`size` bytes from offset 0), each ended by CRLF:
    // by the domain of the From field if we have keys for it, else by `fallback`'s. Empty when there is no
    // key for either.
    Result<std::string> sign(int descriptor, std::uint64_t size, const std::optional<Domain>& fallback,
                             Time now);

private:
    struct Keys {
        std::vector<mailauth::DkimSelector> selectors;
        Time read_at{};
    };
    Result<std::vector<mailauth::DkimSelector>> keys_of(const Domain& domain, Time now);

    const directory::Credentials& credentials_;
    std::mutex mutex_;
    std::map<Domain, Keys> keys_;
};

}  // namespace mailstead::deliver
