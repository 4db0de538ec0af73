// The promise, tested by losing data: power is cut before each step of a workload, and whatever was
// acknowledged must be there afterwards, once, with its bytes, in an index that is whole.
#include <future>
#include <map>
#include <set>

#include "tests/unit/commit/engine_fixture.h"

namespace mailstead::commit {
namespace {

using namespace testing;
using mailstead::testing::TemporaryFolder;

std::string message_bytes(const std::string& token, std::size_t size) {
    std::string bytes = "Subject: " + token + "\r\n\r\n";
    while (bytes.size() < size) bytes += token + " ";
    return bytes;
}

std::size_t size_for(int n) {
    constexpr std::size_t sizes[] = {200, 5'000, 40'000, 300'000};
    return sizes[n % 4];
}

struct Expected {
    std::map<std::string, std::set<std::string>> must;  // account -> tokens acknowledged and not erased since
    std::map<std::string, std::set<std::string>> may;   // asked for, never acknowledged
    std::map<std::string, std::set<std::string>> gone;  // erasing was acknowledged
    std::map<std::string, std::string> bytes;           // token -> message
};

// Thirty steps over three accounts: deliveries to one or two, moves, copies, erasures, a checkpoint here and
// there.
void run_workload(Engine& engine, const fs::path& root, Expected& expected, std::atomic<bool>& dead,
                  int salt) {
    for (int n = 0; n < 30 && !dead; ++n) {
        const std::string token = "m" + std::to_string(salt) + "." + std::to_string(n);
        const std::string account = std::to_string(1 + n % 3);
        if (n % 7 == 6) {
            std::promise<void> done;
            engine.checkpoint([&](Result<void>) { done.set_value(); });
            done.get_future().wait();
            continue;
        }
        if (n % 5 == 4) {
            const std::string old = "m" + std::to_string(salt) + "." + std::to_string(n - 3);
            const std::string at = std::to_string(1 + (n - 3) % 3);
            if (!expected.must[at].contains(old)) continue;
            if (n % 2 == 0) {
                expected.must[at].erase(old);
                expected.may[at].insert(old);
                if (engine.submit_and_wait(one_part("account/" + at, "erase " + old))[0].result && !dead) {
                    expected.may[at].erase(old);
                    expected.gone[at].insert(old);
                }
            } else {
                engine.submit_and_wait(one_part("account/" + at, "move " + old + " cur"));
            }
            continue;
        }
        Transaction transaction;
        transaction.parts = {{"account/" + account, "add " + token + " 0", {}}};
        std::vector<std::string> accounts{account};
        if (n % 4 == 1) {
            accounts.push_back("9");
            transaction.parts.push_back({"account/9", "add " + token + " 0", {}});
        }
        expected.bytes[token] = message_bytes(token, size_for(n));
        transaction.files.push_back(message_file(root / "spool", expected.bytes[token]));
        for (const auto& a : accounts) expected.may[a].insert(token);
        const Outcome outcome = engine.submit_and_wait(std::move(transaction));
        // What is said after the lights went out nobody hears.
        if (dead) return;
        for (std::size_t i = 0; i < accounts.size(); ++i) {
            if (!outcome[i].result) continue;
            expected.may[accounts[i]].erase(token);
            expected.must[accounts[i]].insert(token);
        }
    }
}

void check(const fs::path& root, const Expected& expected, const std::string& when) {
    for (const std::string account : {"1", "2", "3", "9"}) {
        const ToyContent content = toy_content(root, account);
        std::set<std::string> seen;
        for (const auto& [number, token] : content.entries)
            EXPECT_TRUE(seen.insert(token).second) << token << " twice " << when;
        const auto tokens = [&](const auto& from) {
            return from.contains(account) ? from.at(account) : std::set<std::string>();
        };
        const auto must = tokens(expected.must);
        const auto may = tokens(expected.may);
        for (const auto& token : must)
            EXPECT_TRUE(seen.contains(token)) << token << " of " << account << " lost " << when;
        for (const auto& token : seen)
            EXPECT_TRUE(must.contains(token) || may.contains(token)) << token << " from nowhere " << when;
        EXPECT_EQ(content.entries.size(), content.paths.size()) << when;
        for (const auto& [token, path] : content.paths) {
            EXPECT_TRUE(fs::exists(root / path)) << path << " of " << account << " " << when;
            EXPECT_TRUE(read_file(root / path) == expected.bytes.at(token))
                << path << " of " << account << " " << when;
        }
    }
}

struct Started {
    std::unique_ptr<Engine> engine;
    RecoveryReport report;
};

Started start(const fs::path& root, ToyParticipant& toys, ForgetfulFiles& files) {
    Started started;
    toys.on_created = [&files](const fs::path& directory) { files.environment_was_synced(directory); };
    EngineOptions options = small_options(root);
    options.segment_size = 1u << 20;
    started.engine = std::make_unique<Engine>(options, &files);
    started.engine->add("account", toys);
    const auto report = started.engine->start();
    if (report) {
        started.report = *report;
    } else {
        started.engine.reset();
    }
    return started;
}

// Runs the workload in `live` and cuts the power before call number `at`. False when the workload ended
// before.
bool run_until_cut(const fs::path& live, const fs::path& durable, const fs::path& cut, std::uint64_t at,
                   const std::string& boot, int salt, Expected& expected, std::mt19937& random) {
    ForgetfulFiles files(live, durable, boot);
    std::atomic<bool> dead = false;
    files.before_call = [&](std::uint64_t call, const char*) {
        if (call == at) {
            dead = true;
            files.cut_power(cut, random);
        }
        return dead ? EIO : 0;
    };
    ToyParticipant toys;
    Started started = start(live, toys, files);
    if (started.engine) run_workload(*started.engine, live, expected, dead, salt);
    return dead;
}

TEST(CommitCrash, PowerCutBeforeEachStep) {
    std::mt19937 random(11);
    std::uint64_t at = 1;
    for (bool more = true; more; at += at < 20 ? 1 : 5) {
        TemporaryFolder folder;
        Expected expected;
        more = run_until_cut(folder.path() / "live", folder.path() / "durable", folder.path() / "cut", at,
                             "boot 1", 1, expected, random);
        if (!more) break;
        const std::string when = "after a cut before call " + std::to_string(at);
        ForgetfulFiles files(folder.path() / "cut", folder.path() / "durable2", "boot 2");
        ToyParticipant toys;
        Started again = start(folder.path() / "cut", toys, files);
        ASSERT_TRUE(again.engine) << when;
        check(folder.path() / "cut", expected, when);
        ASSERT_FALSE(HasFailure());
        // It must be fit for work.
        std::atomic<bool> dead = false;
        run_workload(*again.engine, folder.path() / "cut", expected, dead, 2);
        again.engine.reset();
        check(folder.path() / "cut", expected, when + " and more work");
        ASSERT_FALSE(HasFailure());
    }
    EXPECT_GT(at, 80u);
}

TEST(CommitCrash, PowerCutDuringRecoveryAtEachStep) {
    std::mt19937 random(12);
    for (std::uint64_t second_cut = 1; second_cut < 200; second_cut += 2) {
        TemporaryFolder folder;
        Expected expected;
        const std::uint64_t first_cut = 30 + random() % 80;
        ASSERT_TRUE(run_until_cut(folder.path() / "live", folder.path() / "durable", folder.path() / "cut1",
                                  first_cut, "boot 1", 1, expected, random));
        bool was_cut = false;
        {
            ForgetfulFiles files(folder.path() / "cut1", folder.path() / "durable1", "boot 2");
            files.before_call = [&](std::uint64_t call, const char*) {
                if (call == second_cut) {
                    was_cut = true;
                    files.cut_power(folder.path() / "cut2", random);
                }
                return was_cut ? EIO : 0;
            };
            ToyParticipant toys;
            Started started = start(folder.path() / "cut1", toys, files);
        }
        if (!was_cut) {
            EXPECT_GT(second_cut, 5u);
            return;
        }
        const std::string when = "after cuts before " + std::to_string(first_cut) + " and, recovering, " +
                                 std::to_string(second_cut);
        ForgetfulFiles files(folder.path() / "cut2", folder.path() / "durable2", "boot 3");
        ToyParticipant toys;
        Started again = start(folder.path() / "cut2", toys, files);
        ASSERT_TRUE(again.engine) << when;
        check(folder.path() / "cut2", expected, when);
        ASSERT_FALSE(HasFailure());
    }
}

TEST(CommitCrash, EveryCallMayFailOnceAndNothingAcknowledgedIsLost) {
    std::mt19937 random(13);
    for (std::uint64_t at = 1;; at += 4) {
        TemporaryFolder folder;
        Expected expected;
        const fs::path live = folder.path() / "live";
        ForgetfulFiles files(live, folder.path() / "durable", "boot 1");
        std::uint64_t failed = 0;
        const int code = at % 8 == 1 ? EIO : ENOSPC;
        files.before_call = [&](std::uint64_t call, const char*) {
            if (call != at) return 0;
            failed = call;
            return code;
        };
        std::atomic<bool> dead = false;
        ToyParticipant toys;
        {
            Started started = start(live, toys, files);
            if (!started.engine) continue;  // it said so
            run_workload(*started.engine, live, expected, dead, 1);
            files.before_call = nullptr;
            run_workload(*started.engine, live, expected, dead, 2);
            if (failed == 0) return;
            files.cut_power(folder.path() / "cut", random);
        }
        const std::string when = "after call " + std::to_string(at) + " failed";
        ForgetfulFiles after(folder.path() / "cut", folder.path() / "durable2", "boot 2");
        Started again = start(folder.path() / "cut", toys, after);
        ASSERT_TRUE(again.engine) << when;
        check(folder.path() / "cut", expected, when);
        ASSERT_FALSE(::testing::Test::HasFailure());
    }
}

}  // namespace
}  // namespace mailstead::commit
