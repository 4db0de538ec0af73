#include "common/runtime/sandbox.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <thread>

#include "child.h"
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

}  // namespace
}  // namespace mailstead::runtime
