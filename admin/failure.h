// Why a command ended badly: a sentence for the person at the terminal and an exit code from sysexits.h for
// scripts.
#pragma once

#include <string>
#include <sysexits.h>

#include "common/base/result.h"
#include "common/settings/settings.h"

namespace mailstead::admin {

struct Failure {
    Failure() = default;
    Failure(int code, std::string why) : exit_code(code), text(std::move(why)) {}
    // Useless to repeat: EX_DATAERR; otherwise EX_TEMPFAIL.
    Failure(Error error);                         // NOLINT: TRY turns one into the other
    Failure(const settings::Problems& problems);  // NOLINT: likewise; EX_CONFIG

    int exit_code = EX_SOFTWARE;
    std::string text;
};
[[noreturn]] void throw_exception_from_error(const Failure& failure, const boost::source_location& where);

template <class T = void>
using Outcome = Result<T, Failure>;

}  // namespace mailstead::admin
