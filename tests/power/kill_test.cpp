// SIGKILL for a process that recovers, at any moment, once or several times, after a power cut and after a
// death; then a start that is left alone has everything.
#include <chrono>
#include <signal.h>
#include <unistd.h>

#include "common/store/store.h"
#include "tests/power/child.h"
#include "tests/power/power_test.h"

namespace mailstead::power {
namespace {

// Walks all that a snapshot holds, as FETCH does; the number of messages, or -1 after an error.
int walk(const store::Snapshot& snapshot) {
    int messages = 0;
    const auto mailboxes = snapshot.mailboxes();
    if (!mailboxes) return -1;
    for (const auto& mailbox : *mailboxes) {
        const auto done =
            snapshot.messages(mailbox.id, store::UidSet::all(), [&](const store::MessageInfo& message) {
                ++messages;
                (void)snapshot.cached(message.message);
                (void)snapshot.open_message(mailbox.id, message);
                return true;
            });
        if (!done) return -1;
    }
    return messages;
}

// Says when it holds its snapshot, and looks again when `in` is closed: the same messages must be there, and
// a reader that opens the account anew must find one as well.
int read_through_a_recovery(const fs::path& tree, int in, int out) {
    store::ReaderOptions options;
    options.root = tree;
    store::Reader reader(options);
    const auto opened = reader.open(AccountId(1));
    if (!opened) return 1;
    const auto snapshot = opened->snapshot();
    if (!snapshot) return 2;
    const int before = walk(*snapshot);
    char byte = 'r';
    if (before < 0 || ::write(out, &byte, 1) != 1) return 3;
    if (::read(in, &byte, 1) != 0) return 4;
    if (walk(*snapshot) != before) return 5;
    store::Reader anew(options);
    const auto again = anew.open(AccountId(1));
    if (!again) return 6;
    const auto now = again->snapshot();
    return now && walk(*now) >= 0 ? 0 : 7;
}

class RecoveryKill : public PowerTest {
protected:
    static constexpr int kKilled = -SIGKILL;
};

TEST_F(RecoveryKill, At200MomentsNothingAcknowledgedIsLost) {
    int killed = 0;
    while (killed < 200 && !HasFailure()) {
        for (const Point& point : campaign_.live(60, 4, Ending::by_a_kill)) {
            const auto started = std::chrono::steady_clock::now();
            const std::uint64_t calls = campaign_.recover(campaign_.copy_of(point)).calls;
            const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
                std::chrono::steady_clock::now() - started);
            for (int n = 0; n < 4; ++n) {
                Point each = campaign_.copy_of(point);
                const std::string boot = each.boot.empty() || random() % 2 == 0 ? "boot of kills" : each.boot;
                for (std::uint64_t left = 1 + random() % 3; left > 0; --left) {
                    const bool at_a_call = random() % 2 == 0;
                    const auto at = at_a_call ? 1 + random() % calls : 0;
                    const auto after = at_a_call ? 0 : 1 + static_cast<std::int64_t>(random()) % took.count();
                    const int end_of_child =
                        recover_in_child(each.tree, boot, at, after < 0 ? -after : after);
                    killed += end_of_child == kKilled;
                    EXPECT_TRUE(end_of_child == kKilled || end_of_child == 0) << end_of_child << each.how;
                    each.how += at_a_call ? ", killed at call " + std::to_string(at)
                                          : ", killed after " + std::to_string(after) + " us";
                    // A recovery that came to its end is another story.
                    if (end_of_child != kKilled) break;
                }
                each.boot = random() % 2 == 0 ? boot : "";
                campaign_.recover(std::move(each));
            }
        }
    }
}

// What imapd does: it has the account open, a snapshot held, while deliver dies and recovers.
TEST_F(RecoveryKill, WhoReadsMeanwhileReadsOnAndSeesEverythingWhenOpenedAnew) {
    for (int round = 0; round < 6; ++round) {
        auto points = campaign_.live(60, 0, Ending::by_a_kill);
        ASSERT_FALSE(points.empty());
        Point point = std::move(points.back());
        int to_reader[2], from_reader[2];
        ASSERT_EQ(::pipe(to_reader), 0);
        ASSERT_EQ(::pipe(from_reader), 0);
        const pid_t reader = run_in_child([&] {
            ::close(to_reader[1]);
            return read_through_a_recovery(point.tree, to_reader[0], from_reader[1]);
        });
        ::close(to_reader[0]);
        ::close(from_reader[1]);
        char byte = 0;
        ASSERT_EQ(::read(from_reader[0], &byte, 1), 1) << "the reader could not open the account";
        const std::string boot = round % 2 == 0 ? point.boot : "boot of another time";
        const std::uint64_t calls = campaign_.recover(campaign_.copy_of(point)).calls;
        for (int kills = 0; kills < 2; ++kills)
            EXPECT_EQ(recover_in_child(point.tree, boot, 1 + random() % calls, 0), kKilled);
        point.boot = boot;
        RecoverOptions options;
        options.keeps_tree = true;
        options.works_on = true;
        point.how += ", with a reader";
        campaign_.recover(point, options);
        ::close(to_reader[1]);
        EXPECT_EQ(wait_for_child(reader), 0);
        ::close(from_reader[0]);
        fs::remove_all(point.tree);
    }
}

}  // namespace
}  // namespace mailstead::power
