// `mailstead serve` with shell scripts in the daemons' places.
#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/base/file_descriptor.h"
#include "tests/unit/admin/program.h"

namespace mailstead::admin {
namespace {

// Says ready, writes into `events` what happens to it, and ends on SIGTERM.
constexpr const char* kGoodDaemon = R"(#!/bin/sh
name=$(basename "$0")
events=$(dirname "$0")/events
echo "$name started" >>"$events"
trap 'echo "$name stopped" >>"$events"; exit 0' TERM
eval "printf r >&$MAILSTEAD_READY_FD"
mkfifo "$0.fifo" 2>/dev/null
echo $$ >"$0.pid"
while :; do read -r line <"$0.fifo" || :; done
)";

class Served {
public:
    explicit Served(const std::filesystem::path& folder) : folder_(folder) {
        std::error_code error;
        std::filesystem::create_hard_link(MAILSTEAD_PROGRAM, folder_ / "mailstead", error);
        if (error) std::filesystem::copy_file(MAILSTEAD_PROGRAM, folder_ / "mailstead");
        for (const char* name : {"mailstead-deliver", "mailstead-imapd", "mailstead-smtpd"})
            script(name, kGoodDaemon);
    }
    ~Served() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }

    void script(const std::string& name, const std::string& text) {
        std::ofstream(folder_ / name) << text;
        ::chmod((folder_ / name).c_str(), 0700);
    }

    void start() {
        int ends[2];
        ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        out_ = FileDescriptor(ends[0]);
        const FileDescriptor write_end(ends[1]);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(write_end.get(), STDOUT_FILENO);
            const int log = ::open((folder_ / "log").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
            ::dup2(log, STDERR_FILENO);
            const std::string program = (folder_ / "mailstead").string();
            const std::string config = (folder_ / "mailstead.toml").string();
            ::execl(program.c_str(), "mailstead", "serve", "-c", config.c_str(), nullptr);
            ::_exit(127);
        }
    }

    // Waits for bytes on standard output; false at its end.
    bool wait_for_ready() {
        pollfd polled{out_.get(), POLLIN, 0};
        char buffer[64];
        if (::poll(&polled, 1, 30'000) != 1) return false;
        const ssize_t got = ::read(out_.get(), buffer, sizeof buffer);
        return got > 0 && std::string_view(buffer, static_cast<std::size_t>(got)) == "ready\n";
    }

    void signal(int number) { ::kill(pid_, number); }
    int wait() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    std::string events() const {
        std::ifstream in(folder_ / "events");
        return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    }
    pid_t pid_of(const std::string& name) const {
        std::ifstream in(folder_ / (name + ".pid"));
        pid_t pid = 0;
        in >> pid;
        return pid;
    }
    std::string log() const {
        std::ifstream in(folder_ / "log");
        return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    }

private:
    std::filesystem::path folder_;
    FileDescriptor out_;
    pid_t pid_ = -1;
};

template <class Condition>
bool happens(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        ::poll(nullptr, 0, 10);
    }
    return true;
}

class Serve : public testing::Test {
protected:
    Serve() { EXPECT_EQ(mailstead.init().exit_code, 0); }
    Sandbox mailstead;
    Served served{mailstead.path()};
};

TEST_F(Serve, StartsInOrderSaysReadyOnceAndStopsInReverse) {
    served.start();
    ASSERT_TRUE(served.wait_for_ready()) << served.log();
    EXPECT_EQ(served.events(),
              "mailstead-deliver started\nmailstead-imapd started\nmailstead-smtpd started\n");
    served.signal(SIGTERM);
    EXPECT_EQ(served.wait(), 0);
    EXPECT_EQ(served.events(),
              "mailstead-deliver started\nmailstead-imapd started\nmailstead-smtpd started\n"
              "mailstead-smtpd stopped\nmailstead-imapd stopped\nmailstead-deliver stopped\n");
}

TEST_F(Serve, ADaemonThatDiesIsStartedAgain) {
    served.start();
    ASSERT_TRUE(served.wait_for_ready()) << served.log();
    ASSERT_TRUE(happens([&] { return served.pid_of("mailstead-imapd") > 0; }));
    const pid_t first = served.pid_of("mailstead-imapd");
    ::kill(first, SIGKILL);
    EXPECT_TRUE(happens([&] {
        return served.pid_of("mailstead-imapd") != first && served.pid_of("mailstead-imapd") > 0;
    })) << served.log();
    EXPECT_NE(served.log().find("daemon=mailstead-imapd signal=9"), std::string::npos) << served.log();
    served.signal(SIGINT);
    EXPECT_EQ(served.wait(), 0);
}

TEST_F(Serve, ADaemonThatCannotStartEndsItAll) {
    served.script("mailstead-imapd", "#!/bin/sh\nexit 78\n");
    served.start();
    EXPECT_FALSE(served.wait_for_ready());
    EXPECT_EQ(served.wait(), EX_CONFIG);
    EXPECT_EQ(served.events(), "mailstead-deliver started\nmailstead-deliver stopped\n");
    EXPECT_NE(served.log().find("mailstead-imapd ended before it was ready"), std::string::npos)
        << served.log();
}

TEST_F(Serve, ASignalWhileStartingStopsTheStart) {
    served.script("mailstead-imapd", "#!/bin/sh\necho $$ >\"$0.pid\"\nexec tail -f /dev/null\n");
    served.start();
    ASSERT_TRUE(happens([&] { return served.pid_of("mailstead-imapd") > 0; }));
    served.signal(SIGTERM);
    EXPECT_EQ(served.wait(), 0);
    EXPECT_EQ(served.events(), "mailstead-deliver started\nmailstead-deliver stopped\n");
}

TEST_F(Serve, AMissingDaemonIsSaid) {
    std::filesystem::remove(mailstead.path() / "mailstead-smtpd");
    served.start();
    EXPECT_FALSE(served.wait_for_ready());
    EXPECT_EQ(served.wait(), EX_UNAVAILABLE);
}

}  // namespace
}  // namespace mailstead::admin
