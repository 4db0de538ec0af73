#include "common/runtime/sandbox.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <thread>

#include "child.h"
#include "common/net/listener.h"
#include "tests/unit/net/temporary_folder.h"

namespace mailstead::runtime {
namespace {

using net::test::TemporaryFolder;
using test::status_of_child;

constexpr int kNoSandbox = 100;

// Exit code of `attempt` inside a sandbox.
template <class Attempt>
int status_inside(const Sandbox& sandbox, const Attempt& attempt) {
    return status_of_child([&] {
        const auto report = enter_sandbox(sandbox);
        if (!report) return 99;
        return attempt(*report);
    });
}

int errno_unless(bool succeeded) {
    return succeeded ? 0 : errno;
}

TEST(Sandbox, SystemCallsOutsideTheListFailWithEperm) {
    const int status = status_inside({}, [](const SandboxReport& report) {
        if (!report.seccomp) return kNoSandbox;
        return errno_unless(::sethostname("evil", 4) == 0);
    });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_TRUE(WEXITSTATUS(status) == EPERM || WEXITSTATUS(status) == kNoSandbox) << WEXITSTATUS(status);
}

TEST(Sandbox, AttacksKill) {
    const int status = status_inside({}, [](const SandboxReport& report) {
        if (!report.seccomp) return kNoSandbox;
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        return 0;
    });
    EXPECT_TRUE((WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) ||
                (WIFEXITED(status) && WEXITSTATUS(status) == kNoSandbox));
}

TEST(Sandbox, ProgramsStartOnlyWhereAllowed) {
    for (const bool allowed : {false, true}) {
        Sandbox sandbox;
        sandbox.start_programs = allowed;
        const int status = status_inside(sandbox, [](const SandboxReport& report) {
            if (!report.seccomp) return kNoSandbox;
            ::execl("/bin/true", "true", nullptr);
            return errno;
        });
        if (WIFEXITED(status) && WEXITSTATUS(status) == kNoSandbox) GTEST_SKIP() << "no seccomp";
        EXPECT_EQ(WIFSIGNALED(status), !allowed);
        if (allowed) {
            EXPECT_EQ(WEXITSTATUS(status), 0);
        }
    }
}

TEST(Sandbox, InternetSocketsOnlyWhereAllowed) {
    for (const bool allowed : {false, true}) {
        Sandbox sandbox;
        sandbox.internet = allowed;
        const int status = status_inside(sandbox, [](const SandboxReport& report) {
            if (!report.seccomp) return kNoSandbox;
            if (::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0) return 98;
            return errno_unless(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
        });
        if (WEXITSTATUS(status) == kNoSandbox) GTEST_SKIP() << "no seccomp";
        EXPECT_EQ(WEXITSTATUS(status), allowed ? 0 : EPERM);
    }
}

TEST(Sandbox, ThreadsStartAndProcessesDoNot) {
    const int status = status_inside({}, [](const SandboxReport&) {
        int result = 0;
        std::thread([&result] { result = 7; }).join();
        return result;
    });
    EXPECT_EQ(WEXITSTATUS(status), 7);
    const int forked = status_inside({}, [](const SandboxReport& report) {
        if (!report.seccomp) return kNoSandbox;
        return errno_unless(::fork() >= 0);
    });
    EXPECT_TRUE(WEXITSTATUS(forked) == EPERM || WEXITSTATUS(forked) == kNoSandbox);
}

TEST(Sandbox, FilesOutsideTheListAreOutOfReach) {
    const TemporaryFolder folder;
    const TemporaryFolder outside;
    std::ofstream(outside.file("secret")) << "x";
    std::ofstream(folder.file("public")) << "x";
    Sandbox sandbox;
    sandbox.links_files = true;
    sandbox.paths = {{folder.path(), Access::write}, {folder.file("missing"), Access::read}};
    const int status = status_inside(sandbox, [&](const SandboxReport& report) {
        if (::open(folder.file("public").c_str(), O_RDWR) < 0) return 1;
        if (::open(folder.file("new").c_str(), O_CREAT | O_RDWR, 0600) < 0) return 2;
        if (::rename(folder.file("new").c_str(), folder.file("renamed").c_str()) != 0) return 3;
        if (report.landlock_abi == 0) return kNoSandbox;
        return ::open(outside.file("secret").c_str(), O_RDONLY) < 0 ? 0 : 4;
    });
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == kNoSandbox) GTEST_SKIP() << "this kernel has no Landlock";
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Sandbox, TemporaryAccessAllowsUnnamedFiles) {
    const TemporaryFolder folder;
    Sandbox sandbox;
    sandbox.paths = {{folder.path(), Access::temporary}};
    const int status = status_inside(sandbox, [&](const SandboxReport& report) {
        const int fd = ::open(folder.path().c_str(), O_TMPFILE | O_RDWR, 0600);
        if (fd < 0 || ::write(fd, "x", 1) != 1) return 1;
        if (!report.seccomp) return kNoSandbox;
        return errno_unless(::rename(folder.path().c_str(), "/tmp/elsewhere") == 0);
    });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_TRUE(WEXITSTATUS(status) == EPERM || WEXITSTATUS(status) == kNoSandbox) << WEXITSTATUS(status);
}

// A process of the same user outside the sandbox.
class Neighbour {
public:
    Neighbour() : pid_(::fork()) {
        if (pid_ != 0) return;
        for (;;) ::pause();
    }
    ~Neighbour() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    pid_t pid() const { return pid_; }

private:
    pid_t pid_;
};

TEST(Sandbox, SignalsReachThisProcessAlone) {
    const Neighbour other;
    const int status = status_inside({}, [&](const SandboxReport& report) {
        if (!report.seccomp) return kNoSandbox;
        if (::kill(::getpid(), 0) != 0) return 1;
        if (::kill(other.pid(), SIGTERM) == 0 || errno != EPERM) return 2;
        if (::kill(0, 0) == 0) return 3;
        if (::kill(-1, 0) == 0) return 4;
        if (::syscall(SYS_tgkill, other.pid(), other.pid(), SIGTERM) == 0) return 5;
        if (::syscall(SYS_tkill, other.pid(), SIGTERM) == 0) return 6;
        const rlimit none{0, 0};
        if (::prlimit(other.pid(), RLIMIT_NOFILE, &none, nullptr) == 0) return 7;
        if (::setpriority(PRIO_PROCESS, static_cast<id_t>(other.pid()), 19) == 0) return 8;
        int ends[2];
        if (::pipe(ends) != 0 || ::fcntl(ends[0], F_SETOWN, other.pid()) == 0) return 9;
        if (::pthread_kill(::pthread_self(), 0) != 0) return 10;
        return 0;
    });
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == kNoSandbox) GTEST_SKIP() << "no seccomp";
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Sandbox, AbortStillAborts) {
    const int status = status_inside({}, [](const SandboxReport&) -> int { std::abort(); });
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

socklen_t abstract_address(sockaddr_un& address, std::string_view name) {
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

TEST(Sandbox, AbstractSocketsOfOthersAreOutOfReach) {
    sockaddr_un address{};
    const socklen_t size = abstract_address(address, "mailstead-sandbox-" + std::to_string(::getpid()));
    const FileDescriptor listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(listening.get(), 1), 0);
    const int status = status_inside({}, [&](const SandboxReport& report) {
        if (report.landlock_abi < 6) return kNoSandbox;
        const FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        return errno_unless(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    });
    if (WEXITSTATUS(status) == kNoSandbox) GTEST_SKIP() << "this kernel's Landlock has no scopes";
    EXPECT_EQ(WEXITSTATUS(status), EPERM);
}

TEST(Sandbox, TcpIsDialledOnTheNamedPortsAndNothingIsBound) {
    const auto listening = net::bind_tcp(net::SocketAddress::parse("127.0.0.1:0").value());
    ASSERT_TRUE(listening);
    const std::uint16_t port = net::bound_address(*listening).port;
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    there.sin_port = htons(port);
    for (const bool named : {true, false}) {
        Sandbox sandbox;
        sandbox.internet = true;
        sandbox.tcp_ports = {named ? port : std::uint16_t{53}};
        const int status = status_inside(sandbox, [&](const SandboxReport& report) {
            if (report.landlock_abi < 4) return kNoSandbox;
            sockaddr_in any = there;
            any.sin_port = 0;
            const FileDescriptor server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            if (::bind(server.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0) return 1;
            const FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            return errno_unless(
                ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0);
        });
        if (WEXITSTATUS(status) == kNoSandbox) GTEST_SKIP() << "this kernel's Landlock knows no ports";
        EXPECT_EQ(WEXITSTATUS(status), named ? 0 : EACCES);
    }
}

TEST(Sandbox, ALogIsWrittenAndNothingBesideItRead) {
    const TemporaryFolder folder;
    std::ofstream(folder.file("other.log")) << "x";
    Sandbox sandbox;
    sandbox.paths = {{folder.path(), Access::log}};
    const int status = status_inside(sandbox, [&](const SandboxReport& report) {
        if (::open(folder.file("our.log").c_str(), O_WRONLY | O_APPEND | O_CREAT, 0600) < 0) return 1;
        if (report.landlock_abi == 0) return kNoSandbox;
        if (::open(folder.file("other.log").c_str(), O_RDONLY) >= 0) return 2;
        return ::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY) >= 0 ? 3 : 0;
    });
    if (WEXITSTATUS(status) == kNoSandbox) GTEST_SKIP() << "this kernel has no Landlock";
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

// What the writer of the store needs of files.
TEST(Sandbox, LocksClonesAndRenamesWork) {
    const TemporaryFolder folder;
    Sandbox sandbox;
    sandbox.links_files = true;
    sandbox.paths = {{folder.path(), Access::write}, {"/proc/self/fd", Access::read}};
    const int status = status_inside(sandbox, [&](const SandboxReport&) {
        const int unnamed = ::open(folder.path().c_str(), O_TMPFILE | O_RDWR, 0600);
        const int other = ::open(folder.path().c_str(), O_TMPFILE | O_RDWR, 0600);
        if (unnamed < 0 || other < 0 || ::write(unnamed, "hello", 5) != 5) return 1;
        struct flock range {};
        range.l_type = F_WRLCK;
        if (::fcntl(unnamed, F_OFD_SETLK, &range) != 0 || ::fcntl(other, F_SETLK, &range) != 0) return 2;
        if (::flock(unnamed, LOCK_EX | LOCK_NB) != 0) return 3;
        off_t from = 0;
        if (::copy_file_range(unnamed, &from, other, nullptr, 5, 0) != 5) return 4;
        if (::fallocate(other, FALLOC_FL_KEEP_SIZE, 0, 4096) != 0 && errno != EOPNOTSUPP) return 5;
        const std::string link = "/proc/self/fd/" + std::to_string(unnamed);
        if (::linkat(AT_FDCWD, link.c_str(), AT_FDCWD, folder.file("a").c_str(), AT_SYMLINK_FOLLOW) != 0)
            return 6;
        if (::renameat2(AT_FDCWD, folder.file("a").c_str(), AT_FDCWD, folder.file("b").c_str(),
                        RENAME_NOREPLACE) != 0)
            return 7;
        struct statx facts {};
        if (::statx(AT_FDCWD, folder.file("b").c_str(), 0, STATX_ALL, &facts) != 0) return 8;
        // Links are nothing that the store makes.
        return ::symlink("/etc/passwd", folder.file("link").c_str()) == 0 ? 9 : 0;
    });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace mailstead::runtime
