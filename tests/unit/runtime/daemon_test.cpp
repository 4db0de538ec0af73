#include "common/runtime/daemon.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "child.h"
#include "common/net/listener.h"
#include "tests/unit/net/temporary_folder.h"

namespace mailstead::runtime {
namespace {

using net::test::TemporaryFolder;
using namespace std::chrono_literals;

// Greets, and says goodbye when asked to stop.
class Greeter : public Program {
public:
    Greeter(std::string log, std::string socket, bool stubborn)
        : log_(std::move(log)), socket_(std::move(socket)), stubborn_(stubborn) {}

    std::string_view name() const override { return "greeter"; }
    Result<Plan> configure(const std::string& settings_file) override {
        if (settings_file == "broken.toml") return permanent_error("broken settings");
        Plan plan;
        plan.log_file = log_;
        plan.threads = 1;
        plan.drain = 1s;
        plan.unix_sockets = {{socket_, 0600, false}};
        plan.tcp = {net::SocketAddress::parse("127.0.0.1:0").value()};
        return plan;
    }
    Result<void> prepare() override {
        steps_ += "prepare ";
        return {};
    }
    Result<void> open() override {
        steps_ += "open ";
        return {};
    }
    Result<void> start(net::IoThreads& threads, Sockets sockets) override {
        log::info("test.start", {{"steps", steps_}, {"tcp", sockets.tcp.size()}});
        listener_.emplace(threads, std::move(sockets.unix_sockets.at(0)), net::ListenerOptions{},
                          [this](net::Stream stream) { return session(std::move(stream), stubborn_); });
        listener_->start();
        return {};
    }
    void reload() override { log::info("test.reload"); }
    void request_stop() override {
        listener_->stop_accepting();
        listener_->request_stop();
    }
    bool wait_idle(std::chrono::milliseconds at_most) override { return listener_->wait_idle(at_most); }
    void abort() override { listener_->abort(); }
    void close() override { log::info("test.close"); }

private:
    static net::Task<void> session(net::Stream stream, bool stubborn) {
        const auto greeted = co_await stream.write_all("hello\n", 10s);
        net::ReadBuffer buffer;
        const auto got = co_await stream.fill(buffer, 10s);
        if (greeted && !got) {
            const auto written = co_await stream.write_all("bye\n", 10s);
            static_cast<void>(written);
        }
        const std::string endless(stubborn ? 50'000'000 : 0, 'x');
        const auto written = co_await stream.write_all(endless, 60s);
        static_cast<void>(written);
    }
    std::string log_;
    std::string socket_;
    bool stubborn_;
    std::string steps_;
    std::optional<net::Listener> listener_;
};

class Daemon : public ::testing::Test {
protected:
    // Starts a daemon in a child process, and waits until it is ready.
    void start(bool stubborn = false) {
        std::array<int, 2> ready{};
        ASSERT_EQ(::pipe(ready.data()), 0);
        child = ::fork();
        if (child == 0) {
            ::close(ready[0]);
            ::setenv("MAILSTEAD_READY_FD", std::to_string(ready[1]).c_str(), 1);
            ::setenv("NOTIFY_SOCKET", notify_path.c_str(), 1);
            Greeter greeter(log, socket_path, stubborn);
            const char* const arguments[] = {"greeter", "-c", "settings.toml"};
            ::_exit(run_daemon(greeter, 3, arguments));
        }
        ::close(ready[1]);
        char byte = 0;
        EXPECT_EQ(::read(ready[0], &byte, 1), 1) << "the daemon died:\n" << log_text();
        ::close(ready[0]);
    }
    int exit_code() {
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
        return WEXITSTATUS(status);
    }
    FileDescriptor connect() const {
        FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        return fd;
    }
    static std::string read_line(const FileDescriptor& fd) {
        std::string line;
        for (char c = 0; ::read(fd.get(), &c, 1) == 1 && c != '\n';) line += c;
        return line;
    }
    std::string log_text() const {
        std::stringstream text;
        text << std::ifstream(log).rdbuf();
        return text.str();
    }

    TemporaryFolder folder;
    std::string log = folder.file("log");
    std::string socket_path = folder.file("greeter.sock");
    std::string notify_path = folder.file("notify");
    pid_t child = -1;
};

TEST_F(Daemon, StartsInOrderServesReloadsAndDrains) {
    const auto notify = net::bind_unix_datagram(notify_path, 0600);
    ASSERT_TRUE(notify);
    start();
    char state[100];
    const ssize_t size = ::recv(notify->get(), state, sizeof state, 0);
    EXPECT_EQ(std::string(state, size > 0 ? static_cast<std::size_t>(size) : 0), "READY=1");
    const FileDescriptor client = connect();
    EXPECT_EQ(read_line(client), "hello");
    std::filesystem::rename(log, log + ".1");
    ::kill(child, SIGHUP);
    for (int i = 0; i < 2'000 && log_text().find("test.reload") == std::string::npos; ++i) ::usleep(5'000);
    EXPECT_NE(log_text().find("event=test.reload"), std::string::npos);
    ::kill(child, SIGTERM);
    EXPECT_EQ(read_line(client), "bye");
    EXPECT_EQ(exit_code(), 0);
    EXPECT_NE(log_text().find("event=test.close"), std::string::npos);
    std::stringstream before;
    before << std::ifstream(log + ".1").rdbuf();
    EXPECT_NE(before.str().find("event=test.start steps=\"prepare open \" tcp=1"), std::string::npos)
        << before.str();
    EXPECT_NE(before.str().find("event=daemon.ready"), std::string::npos);
}

TEST_F(Daemon, AbortsSessionsThatDoNotEnd) {
    start(true);
    const FileDescriptor client = connect();
    EXPECT_EQ(read_line(client), "hello");
    ::kill(child, SIGTERM);
    EXPECT_EQ(read_line(client), "bye");
    EXPECT_EQ(exit_code(), 0);
    EXPECT_NE(log_text().find("event=daemon.abort"), std::string::npos);
}

TEST_F(Daemon, ExitCodesFollowSysexits) {
    Greeter greeter(log, socket_path, false);
    const auto code = [&](std::vector<const char*> arguments) {
        return WEXITSTATUS(test::status_of_child([&] {
            ::close(2);
            ::open("/dev/null", O_WRONLY);
            return run_daemon(greeter, static_cast<int>(arguments.size()), arguments.data());
        }));
    };
    EXPECT_EQ(code({"greeter", "--nonsense"}), 64);
    EXPECT_EQ(code({"greeter", "-c"}), 64);
    EXPECT_EQ(code({"greeter", "-c", "broken.toml"}), 78);
    Greeter nowhere(log, "/nonexistent/folder/socket", false);
    EXPECT_EQ(WEXITSTATUS(test::status_of_child([&] {
                  const char* const arguments[] = {"greeter"};
                  return run_daemon(nowhere, 1, arguments);
              })),
              78);
}

}  // namespace
}  // namespace mailstead::runtime
