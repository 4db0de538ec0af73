// The only source of time. Pure code takes a Time as an argument instead of asking.
#pragma once

#include <chrono>
#include <string>

namespace mailstead {

using Time = std::chrono::sys_time<std::chrono::milliseconds>;
using Seconds = std::chrono::seconds;
using Milliseconds = std::chrono::milliseconds;

// The wall clock, in UTC.
Time now();

// `2026-11-22T04:05:06.789Z` (RFC 3339), as logs and listings show a time.
std::string to_rfc3339(Time time);

}  // namespace mailstead
