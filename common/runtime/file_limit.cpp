#include "common/runtime/file_limit.h"

#include <algorithm>
#include <sys/resource.h>

namespace mailstead::runtime {

std::size_t raise_file_limit(std::size_t wanted) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const rlim_t most = std::max<rlim_t>(wanted, limit.rlim_max);
    const rlimit more{most, most};
    if (::setrlimit(RLIMIT_NOFILE, &more) == 0) return most;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max;
}

}  // namespace mailstead::runtime
