// The one list of commands: when each may be said, and what it needs.
#pragma once

#include <cstdint>
#include <string_view>

#include "smtpd/core/server_core.h"

namespace mailstead::smtpd {

enum CommandFlag : std::uint8_t {
    kNoFlags = 0,
    kBeforeLogin = 1,   // allowed on submission before the client has logged in
    kNoProgress = 2,    // brings no mail forward: counted, so that nobody can keep a session busy with it
    kOctetsFollow = 4,  // BDAT: its octets come whatever we answer, so the handler looks at the phase itself
};

struct CommandRow {
    smtp::Verb verb;
    std::uint8_t phases;  // Phase bits
    std::uint8_t flags;
    Action (ServerCore::*handler)(std::string_view);
    std::string_view help;
};

const CommandRow& row_of(smtp::Verb verb);

}  // namespace mailstead::smtpd
