// What a session remembers of the login that it began with.
#pragma once

#include <cstdint>

#include "common/base/credential.h"

namespace mailstead::imapd {

struct Proof {
    Credential credential;
    std::uint64_t epoch = 0;  // see ipc::AuthSuccess
};

}  // namespace mailstead::imapd
