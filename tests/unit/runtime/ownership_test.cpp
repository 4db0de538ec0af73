// One owner of a data folder at a time, and words for whoever comes second.
#include "common/runtime/ownership.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>

#include "child.h"
#include "tests/unit/net/temporary_folder.h"

namespace mailstead::runtime {
namespace {

using net::test::TemporaryFolder;

// Holds the lock until it is told to end or killed.
class HolderInAChild {
public:
    HolderInAChild(const std::string& folder, const char* who, bool stopping = false) {
        std::array<int, 2> held{};
        std::array<int, 2> end{};
        EXPECT_EQ(::pipe(held.data()), 0);
        EXPECT_EQ(::pipe(end.data()), 0);
        child_ = ::fork();
        if (child_ == 0) {
            ::close(end[1]);
            const auto lock = own_data_folder(folder, who);
            if (lock && stopping) say_stopping(*lock);
            char byte = lock ? '1' : '0';
            static_cast<void>(::write(held[1], &byte, 1) == 1);
            // Ends when the parent says so, or is gone.
            static_cast<void>(::read(end[0], &byte, 1) == 1);
            ::_exit(0);
        }
        ::close(held[1]);
        ::close(end[0]);
        end_ = FileDescriptor(end[1]);
        char byte = 0;
        EXPECT_EQ(::read(held[0], &byte, 1), 1);
        EXPECT_EQ(byte, '1');
        ::close(held[0]);
    }
    ~HolderInAChild() {
        end_.reset();
        if (child_ > 0) ::waitpid(child_, nullptr, 0);
    }
    void kill() {
        ::kill(child_, SIGKILL);
        ::waitpid(std::exchange(child_, -1), nullptr, 0);
    }
    void let_go() { EXPECT_EQ(::write(end_.get(), "x", 1), 1); }
    pid_t pid() const { return child_; }

private:
    pid_t child_ = -1;
    FileDescriptor end_;
};

class Ownership : public ::testing::Test {
protected:
    TemporaryFolder folder;
};

TEST_F(Ownership, ASecondOwnerIsRefusedAndHearsWhoTheFirstIs) {
    HolderInAChild first(folder.path(), "deliver");
    const auto second = own_data_folder(folder.path(), "deliver");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().retry, Retry::is_useless);
    const std::string what = second.error().what;
    EXPECT_NE(what.find(folder.path() + " is in use by deliver (process " + std::to_string(first.pid())),
              std::string::npos)
        << what;
    EXPECT_NE(what.find("since 20"), std::string::npos) << what;
    EXPECT_NE(what.find("`kill " + std::to_string(first.pid()) + "`"), std::string::npos) << what;
    EXPECT_FALSE(check_unlocked(owner_lock(folder.path())));
}

TEST_F(Ownership, ACommandThatWorksOnTheFolderIsWaitedForByTryingAgain) {
    HolderInAChild first(folder.path(), "restore");
    const auto second = own_data_folder(folder.path(), "deliver");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().retry, Retry::later_may_help);
}

TEST_F(Ownership, TheLockOfAKilledOwnerIsNoObstacle) {
    HolderInAChild first(folder.path(), "deliver");
    first.kill();
    EXPECT_FALSE(holder_of(owner_lock(folder.path())));
    const auto second = own_data_folder(folder.path(), "deliver");
    ASSERT_TRUE(second);
    const auto holder = holder_of(owner_lock(folder.path()));
    ASSERT_TRUE(holder);
    EXPECT_EQ(holder->pid, ::getpid());
}

TEST_F(Ownership, AnOwnerThatIsStoppingIsWaitedFor) {
    HolderInAChild first(folder.path(), "deliver", true);
    ASSERT_TRUE(holder_of(owner_lock(folder.path()))->stopping);
    std::array<int, 2> waits{};
    ASSERT_EQ(::pipe(waits.data()), 0);
    const pid_t second = ::fork();
    if (second == 0) {
        static_cast<void>(::write(waits[1], "w", 1) == 1);
        ::_exit(own_data_folder(folder.path(), "deliver") ? 0 : 1);
    }
    char byte = 0;
    ASSERT_EQ(::read(waits[0], &byte, 1), 1);
    first.let_go();
    int status = 0;
    ::waitpid(second, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Ownership, SaysWhoStartedTheOwner) {
    const auto started_with = [&](const char* variable) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::setenv(variable, "9", 1);
            ::_exit(own_data_folder(folder.path(), "deliver") ? 0 : 1);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(WEXITSTATUS(status), 0);
        std::ifstream file(owner_lock(folder.path()));
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    EXPECT_NE(started_with("MAILSTEAD_READY_FD").find(" serve " + std::to_string(::getpid())),
              std::string::npos);
    EXPECT_NE(started_with("NOTIFY_SOCKET").find(" systemd 0 running"), std::string::npos);
    Holder holder;
    holder.program = "deliver";
    holder.pid = 7;
    holder.starter = Holder::Starter::systemd;
    EXPECT_NE(holder.advice().find("systemctl stop"), std::string::npos);
    holder.starter = Holder::Starter::serve;
    holder.supervisor = 6;
    EXPECT_NE(holder.advice().find("`kill 6`"), std::string::npos);
}

TEST_F(Ownership, WhatIsNoHoldersLineIsNotRepeated) {
    std::ofstream(owner_lock(folder.path())) << "\x1b[31mevil 1 2 hand 0 running\n";
    const FileDescriptor foreign(::open(owner_lock(folder.path()).c_str(), O_RDWR | O_CLOEXEC));
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    ASSERT_EQ(::fcntl(foreign.get(), F_OFD_SETLK, &range), 0);
    const auto refused = own_data_folder(folder.path(), "deliver");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().what.find('\x1b'), std::string::npos);
    EXPECT_NE(refused.error().what.find("another Mailstead"), std::string::npos);
}

TEST_F(Ownership, TheFileIsPrivateAndNoLinkIsFollowed) {
    {
        const auto lock = own_data_folder(folder.path(), "deliver");
        ASSERT_TRUE(lock);
        struct stat status {};
        ASSERT_EQ(::fstat(lock->get(), &status), 0);
        EXPECT_EQ(status.st_mode & 0077, 0u);
        EXPECT_NE(::fcntl(lock->get(), F_GETFD) & FD_CLOEXEC, 0);
    }
    std::filesystem::remove(owner_lock(folder.path()));
    std::filesystem::create_symlink(folder.file("elsewhere"), owner_lock(folder.path()));
    EXPECT_FALSE(own_data_folder(folder.path(), "deliver"));
    EXPECT_FALSE(std::filesystem::exists(folder.file("elsewhere")));
}

}  // namespace
}  // namespace mailstead::runtime
