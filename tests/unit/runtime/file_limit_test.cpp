#include "common/runtime/file_limit.h"

#include <sys/resource.h>

#include "child.h"

namespace mailstead::runtime::test {
namespace {

int set_limits(rlim_t soft, rlim_t hard) {
    const rlimit limit{soft, hard};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 10;
    // Somebody who may not raise the hard limit.
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return 11;
    return 0;
}

rlim_t limit_now() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

TEST(FileLimit, RisesToTheHardLimit) {
    EXPECT_EQ(status_of_child([] {
                  if (const int failed = set_limits(100, 200)) return failed;
                  return raise_file_limit(150) == 200 && limit_now() == 200 ? 0 : 1;
              }),
              0);
}

TEST(FileLimit, SaysWhatThereIsWhenThatIsNotEnough) {
    EXPECT_EQ(status_of_child([] {
                  if (const int failed = set_limits(100, 200)) return failed;
                  return raise_file_limit(5000) == 200 && limit_now() == 200 ? 0 : 1;
              }),
              0);
}

}  // namespace
}  // namespace mailstead::runtime::test
