#include "common/base/clock.h"

#include <cstdio>
#include <ctime>

namespace mailstead {

Time now() {
    return std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::now());
}

std::string to_rfc3339(Time time) {
    const auto since_epoch = time.time_since_epoch();
    const auto whole = std::chrono::floor<Seconds>(since_epoch);
    const std::time_t seconds = whole.count();
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char date[32];
    const std::size_t length = std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    char fraction[8];
    std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>((since_epoch - whole).count()));
    return std::string(date, length) + fraction;
}

}  // namespace mailstead
