// Passwords from people: by prompt without echo, or from standard input for scripts. Never from the command
// line, which every user of the machine can read.
#pragma once

#include "admin/command.h"
#include "common/base/secret.h"

namespace mailstead::admin {

inline constexpr Parameter kPasswordStdin{"--password-stdin", Takes::flag,
                                          "Read the password from the first line of standard input"};

// With --password-stdin the first line; otherwise asked for twice at the terminal. EX_USAGE when there is
// neither.
Outcome<Secret> read_new_password(const Arguments& arguments, std::string_view for_whom);

}  // namespace mailstead::admin
