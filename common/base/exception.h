// Exceptions are bugs here (errors are values): all that is done with one is to write down what it says.
#pragma once

#include <exception>
#include <string>

namespace mailstead {

// Its what(); for anything but a std::exception that it is unknown.
std::string describe(const std::exception_ptr& exception);

}  // namespace mailstead
