// kill -9 under load: what the child acknowledged is there once, and a message to two accounts is in both or
// in none.
#include <set>
#include <signal.h>
#include <sys/wait.h>
#include <thread>

#include "tests/unit/commit/engine_fixture.h"

namespace mailstead::commit {
namespace {

using namespace testing;
using mailstead::testing::TemporaryFolder;

constexpr int kThreads = 4;

[[noreturn]] void deliver_until_killed(const fs::path& root, int out) {
    ToyParticipant toys;
    Engine engine(small_options(root));
    engine.add("account", toys);
    if (!engine.start()) ::_exit(1);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int n = 0;; ++n) {
                const std::string token =
                    std::to_string(::getpid()) + "." + std::to_string(t) + "." + std::to_string(n);
                Transaction transaction;
                transaction.parts = {{"account/1", "add " + token + " 0", {}},
                                     {"account/2", "add " + token + " 0", {}}};
                transaction.files.push_back(message_file(root / "spool", token));
                if (!engine.submit_and_wait(std::move(transaction))[0].result) ::_exit(2);
                const std::string line = token + "\n";
                if (::write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(3);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    ::_exit(4);
}

// Forks, lets the child acknowledge `enough` lines, kills it, and returns all that it acknowledged.
std::set<std::string> run_and_kill(const fs::path& root, std::size_t enough) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        deliver_until_killed(root, ends[1]);
    }
    ::close(ends[1]);
    std::string text;
    char buffer[4096];
    bool killed = false;
    for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
        text.append(buffer, static_cast<std::size_t>(got));
        if (!killed && static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) >= enough) {
            ::kill(child, SIGKILL);
            killed = true;
        }
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    std::set<std::string> tokens;
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
        tokens.insert(text.substr(at, end - at));
    return tokens;
}

TEST(CommitKill, AcknowledgedIsPresentOnceAfterKill9) {
    TemporaryFolder folder;
    const fs::path root = folder.path() / "data";
    std::set<std::string> acknowledged;
    for (int round = 0; round < 12; ++round) {
        acknowledged.merge(run_and_kill(root, static_cast<std::size_t>(20 + round * 7)));
        ToyParticipant toys;
        Engine engine(small_options(root));
        engine.add("account", toys);
        const auto report = engine.start();
        ASSERT_TRUE(report) << report.error().what;
        EXPECT_FALSE(report->was_clean);
        const ToyContent one = toy_content(root, "1");
        const ToyContent two = toy_content(root, "2");
        EXPECT_EQ(one.entries, two.entries) << "round " << round;
        std::set<std::string> tokens;
        for (const auto& [number, token] : one.entries)
            EXPECT_TRUE(tokens.insert(token).second) << token << " twice";
        for (const auto& token : acknowledged) EXPECT_TRUE(tokens.contains(token)) << token << " lost";
        for (const auto& content : {one, two}) {
            for (const auto& [token, path] : content.paths) EXPECT_EQ(read_file(root / path), token);
        }
        ASSERT_FALSE(HasFailure());
    }
}

// Dies when a message of the last transaction gets its `nth` name: journaled, but not (or half) in place.
class DyingFiles : public FileLayer {
public:
    explicit DyingFiles(int nth) : left_(nth) {}
    int link_descriptor(int fd, const fs::path& to) override {
        if (to.filename() == "last" && --left_ == 0) ::_exit(9);
        return FileLayer::link_descriptor(fd, to);
    }

private:
    int left_;
};

// Dies instead of its `nth` durable write.
class DyingWrites : public FileLayer {
public:
    explicit DyingWrites(int nth) : left_(nth) {}
    int write_durably(int fd, std::string_view bytes, std::uint64_t offset) override {
        if (--left_ == 0) ::_exit(9);
        return FileLayer::write_durably(fd, bytes, offset);
    }

private:
    int left_;
};

// Adds the tokens, each with a message file, to two accounts until the n-th step of `Files` ends the process.
template <class Files>
int run_to_death(const fs::path& root, int nth, const std::vector<const char*>& tokens,
                 const std::string& message = "text") {
    const pid_t child = ::fork();
    if (child == 0) {
        ToyParticipant toys;
        Files files(nth);
        Engine engine(small_options(root), &files);
        engine.add("account", toys);
        if (!engine.start()) ::_exit(1);
        for (const char* token : tokens) {
            Transaction transaction;
            transaction.parts = {{"account/1", std::string("add ") + token + " 0", {}},
                                 {"account/2", std::string("add ") + token + " 0", {}}};
            transaction.files.push_back(message_file(root / "spool", message));
            engine.submit_and_wait(std::move(transaction));
        }
        ::_exit(2);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

TEST(CommitKill, RecoveryThatIsKilledItselfAppliesNothingTwice) {
    bool died_in_recovery = false;
    for (int nth = 1; nth <= 6; ++nth) {
        TemporaryFolder folder;
        const fs::path root = folder.path() / "data";
        ASSERT_EQ(run_to_death<DyingFiles>(root, 1, {"first", "last"}), 9);
        died_in_recovery = run_to_death<DyingWrites>(root, nth, {}) == 9 || died_in_recovery;
        ToyParticipant toys;
        Engine engine(small_options(root));
        engine.add("account", toys);
        ASSERT_TRUE(engine.start());
        for (const char* account : {"1", "2"}) {
            std::multiset<std::string> tokens;
            for (const auto& [number, token] : toy_content(root, account).entries) tokens.insert(token);
            EXPECT_EQ(tokens, (std::multiset<std::string>{"first", "last"})) << account << ", write " << nth;
        }
    }
    EXPECT_TRUE(died_in_recovery);
}

TEST(CommitKill, JournaledButNotCommittedIsRolledForward) {
    for (const std::size_t size : {std::size_t{5}, std::size_t{400'000}}) {
        for (const int nth : {1, 2}) {
            TemporaryFolder folder;
            const fs::path root = folder.path() / "data";
            const std::string bytes(size, 'x');
            ASSERT_EQ(run_to_death<DyingFiles>(root, nth, {"first", "last"}, bytes), 9);
            ToyParticipant toys;
            Engine engine(small_options(root));
            engine.add("account", toys);
            const auto report = engine.start();
            ASSERT_TRUE(report) << report.error().what;
            EXPECT_FALSE(report->was_clean);
            EXPECT_EQ(report->changes_applied, 4u);
            for (const char* account : {"1", "2"}) {
                const ToyContent content = toy_content(root, account);
                EXPECT_EQ(content.entries, (std::map<std::uint32_t, std::string>{{1, "first"}, {2, "last"}}));
                for (const auto& [token, path] : content.paths)
                    EXPECT_TRUE(read_file(root / path) == bytes) << path;
            }
            EXPECT_TRUE(fs::is_empty(root / "spool"));
        }
    }
}

}  // namespace
}  // namespace mailstead::commit
