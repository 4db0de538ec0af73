// Calls of the recovery are refused, once or from then on: the start says why not, or everything is there;
// and the next start has everything.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/power/power_test.h"

namespace mailstead::power {
namespace {

class RecoveryFault : public PowerTest {
protected:
    // At most `most` calls of the recovery of `point` are refused, spread over all of them.
    void refuse_calls_of(const Point& point, int code, bool once, std::uint64_t most) {
        const std::uint64_t calls = campaign_.recover(campaign_.copy_of(point)).calls;
        const std::uint64_t stride = std::max<std::uint64_t>(1, calls / most);
        for (std::uint64_t at = 1 + random() % stride; at <= calls; at += stride) {
            Point faulty = campaign_.copy_of(point);
            faulty.how += ", with \"" + std::string(::strerror(code)) + "\" " + (once ? "at" : "from") +
                          " call " + std::to_string(at);
            std::string what_failed;
            RecoverOptions options;
            options.may_refuse = options.keeps_tree = true;
            options.fault = [&](std::uint64_t call, const char* what) {
                if (once ? call != at : call < at) return 0;
                if (what_failed.empty()) what_failed = what;
                return code;
            };
            // And the power goes a little later.
            options.is_cut_at = [&](std::uint64_t call) { return call == at + 2; };
            Recovered after_fault = campaign_.recover(faulty, options);
            faulty.how +=
                ", " + what_failed + (after_fault.started ? "" : ", refused: " + after_fault.refusal);
            faulty.books = std::move(after_fault.books);
            campaign_.recover(std::move(faulty));
            for (Point& cut : after_fault.cuts) campaign_.recover(std::move(cut));
        }
    }
};

TEST_F(RecoveryFault, AtEachCallTheStartSaysWhyOrHasEverythingAndTheNextOneHas) {
    constexpr int codes[] = {ENOSPC, EIO, EMFILE, EDQUOT};
    for (const int code : codes) refuse_calls_of(a_cut(), code, true, 24);
    EXPECT_GT(campaign_.figures().refused, 0u);
}

TEST_F(RecoveryFault, AFaultThatStaysKeepsNothingFromTheNextStart) {
    constexpr int codes[] = {ENOSPC, EIO, EMFILE, EDQUOT};
    for (const int code : codes) refuse_calls_of(a_cut(), code, false, 8);
    EXPECT_GT(campaign_.figures().refused, 0u);
}

}  // namespace
}  // namespace mailstead::power
