#include "admin/failure.h"

#include <stdexcept>

#include <boost/throw_exception.hpp>

namespace mailstead::admin {

Failure::Failure(Error error)
    : exit_code(error.retry == Retry::is_useless ? EX_DATAERR : EX_TEMPFAIL), text(std::move(error.what)) {}

Failure::Failure(const settings::Problems& problems) : exit_code(EX_CONFIG), text(problems.to_string()) {
    if (text.ends_with('\n')) text.pop_back();
}

void throw_exception_from_error(const Failure& failure, const boost::source_location& where) {
    boost::throw_exception(std::logic_error("unchecked Failure: " + failure.text), where);
}

}  // namespace mailstead::admin
