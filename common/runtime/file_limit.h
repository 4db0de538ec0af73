// How many files a daemon may have open.
#pragma once

#include <cstddef>

namespace mailstead::runtime {

// Raises RLIMIT_NOFILE of this process to `wanted`, and at least to the hard limit; root raises that one too.
// The limit there is then: less than `wanted` when the system allows no more.
std::size_t raise_file_limit(std::size_t wanted);

}  // namespace mailstead::runtime
