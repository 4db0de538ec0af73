// What a daemon that was taken over can still reach: each enters its own sandbox, over a folder as `mailstead
// init
// --local` makes it, where all daemons are one user and modes keep nobody out.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <sys/socket.h>
#include <sys/un.h>

#include <gtest/gtest.h>

#include "common/ipc/roles.h"
#include "common/net/listener.h"
#include "common/runtime/data_folder.h"
#include "common/runtime/sandbox.h"
#include "deliver/plan.h"
#include "imapd/plan.h"
#include "smtpd/plan.h"
#include "tests/unit/net/temporary_folder.h"
#include "tests/unit/runtime/child.h"

namespace mailstead {
namespace {

using net::test::TemporaryFolder;

constexpr int kNoLandlock = 100;
constexpr int kNoSandbox = 101;

constexpr std::string_view kSettings = R"(
hostname = "mail.example.org"
data_dir = "data"
[[listener]]
service = "smtp"
address = "127.0.0.1:2525"
tls = "starttls"
[[listener]]
service = "imap"
address = "127.0.0.1:2993"
tls = "implicit"
[tls]
certificate = "tls/fullchain.pem"
key = "tls/key.pem"
[log]
file = "mail.log"
)";

// All that lies in the folder, with something in it.
constexpr const char* kFiles[] = {"mailstead.toml",
                                  "ca.pem",
                                  "mail.log",
                                  "tls/fullchain.pem",
                                  "tls/key.pem",
                                  "data/lock",
                                  "data/directory/data.mdb",
                                  "data/directory/lock.mdb",
                                  "data/credentials/data.mdb",
                                  "data/credentials/lock.mdb",
                                  "data/accounts/1/mail/cur/message",
                                  "data/accounts/1/index/data.mdb",
                                  "data/accounts/1/index/lock.mdb",
                                  "data/shares/data.mdb",
                                  "data/shares/lock.mdb",
                                  "data/queue/data.mdb",
                                  "data/ledger/data.mdb",
                                  "data/spool/7",
                                  "data/journal/control",
                                  "data/run/smtpd/key",
                                  "data/run/imapd/key",
                                  "data/run/admin/key",
                                  "data/run/smtpd/lock",
                                  "data/run/imapd/lock"};

class Confinement : public ::testing::Test {
protected:
    Confinement() {
        std::filesystem::create_directories(folder.file("data"));
        EXPECT_TRUE(runtime::arrange_data_folder(folder.file("data"), std::nullopt));
        for (const char* const file : kFiles) {
            const std::filesystem::path path = folder.file(file);
            std::filesystem::create_directories(path.parent_path());
            std::ofstream(path) << "secret";
        }
        auto parsed = settings::parse(kSettings, folder.file("mailstead.toml"));
        EXPECT_TRUE(parsed) << parsed.error().to_string();
        if (parsed) settings = *std::move(parsed);
    }

    // Runs `attempt` as what `plan` leaves of a daemon.
    int status_inside(const Result<runtime::Plan>& plan, const std::function<int()>& attempt) {
        EXPECT_TRUE(plan);
        if (!plan) return kNoSandbox;
        return WEXITSTATUS(runtime::test::status_of_child([&] {
            const auto report = runtime::close_sandbox(*plan);
            if (!report) return kNoSandbox;
            return report->landlock_abi < 3 ? kNoLandlock : attempt();
        }));
    }

    // Which of kFiles can be opened so.
    std::vector<std::string> within_reach(const Result<runtime::Plan>& plan, int flags) {
        std::vector<std::string> open;
        for (const char* const file : kFiles) {
            const int status = status_inside(plan, [&] {
                return FileDescriptor(::open(folder.file(file).c_str(), flags | O_CLOEXEC)) ? 0 : errno;
            });
            if (status == kNoLandlock) return {"no Landlock"};
            EXPECT_TRUE(status == 0 || status == EACCES) << file << ": " << status;
            if (status == 0) open.emplace_back(file);
        }
        return open;
    }

    TemporaryFolder folder;
    settings::Settings settings;
};

using Files = std::vector<std::string>;

#define SKIP_WITHOUT_LANDLOCK(found) \
    if ((found) == Files{"no Landlock"}) GTEST_SKIP() << "this kernel has no Landlock, or an old one"

TEST_F(Confinement, SmtpdReadsItsCertificateItsKeyAndTheDirectory) {
    const auto plan = smtpd::plan_of(settings);
    const Files read = within_reach(plan, O_RDONLY);
    SKIP_WITHOUT_LANDLOCK(read);
    EXPECT_EQ(read, (Files{"tls/fullchain.pem", "tls/key.pem", "data/directory/data.mdb",
                           "data/directory/lock.mdb", "data/run/smtpd/key", "data/run/smtpd/lock"}));
    // Readers announce themselves in LMDB's lock file, which may be another one by tomorrow. That the data
    // beside it is not theirs to write is said by its mode, where the daemons are different users.
    EXPECT_EQ(within_reach(plan, O_WRONLY | O_APPEND),
              (Files{"mail.log", "data/directory/data.mdb", "data/directory/lock.mdb"}));
}

TEST_F(Confinement, ImapdReadsMailAndTheDirectoryAndNoSecrets) {
    const auto plan = imapd::plan_of(settings);
    const Files read = within_reach(plan, O_RDONLY);
    SKIP_WITHOUT_LANDLOCK(read);
    EXPECT_EQ(read,
              (Files{"tls/fullchain.pem", "tls/key.pem", "data/directory/data.mdb", "data/directory/lock.mdb",
                     "data/accounts/1/mail/cur/message", "data/accounts/1/index/data.mdb",
                     "data/accounts/1/index/lock.mdb", "data/shares/data.mdb", "data/shares/lock.mdb",
                     "data/journal/control", "data/run/imapd/key", "data/run/imapd/lock"}));
}

TEST_F(Confinement, NobodyButDeliverMakesOrRemovesFiles) {
    for (const auto& plan : {smtpd::plan_of(settings), imapd::plan_of(settings)}) {
        const int status = status_inside(plan, [&] {
            for (const char* const name : {"data/accounts/1/mail/new/x", "data/run/imapd/x",
                                           "data/run/admin/x", "data/spool/x", "data/journal/x"}) {
                if (::open(folder.file(name).c_str(), O_CREAT | O_WRONLY, 0600) >= 0) return 1;
            }
            if (::unlink(folder.file("data/run/smtpd/key").c_str()) == 0) return 2;
            if (::truncate(folder.file("data/directory/data.mdb").c_str(), 0) == 0) return 3;
            if (::open(folder.file("data/directory/data.mdb").c_str(), O_WRONLY | O_TRUNC) >= 0) return 4;
            if (::symlink("/etc/passwd", folder.file("data/incoming/x").c_str()) == 0) return 5;
            // What they are for.
            if (::open(folder.file("data/incoming").c_str(), O_TMPFILE | O_RDWR, 0600) < 0) return 6;
            return 0;
        });
        if (status == kNoLandlock) GTEST_SKIP() << "this kernel has no Landlock, or an old one";
        EXPECT_EQ(status, 0);
    }
}

TEST_F(Confinement, NoDaemonBindsASocketOrSignalsAnotherOfItsUser) {
    const pid_t other = ::fork();
    if (other == 0) {
        for (;;) ::pause();
    }
    const auto users = deliver::users_of(settings);
    ASSERT_TRUE(users);
    for (const auto& plan :
         {smtpd::plan_of(settings), imapd::plan_of(settings), deliver::plan_of(settings, *users)}) {
        const int status = status_inside(plan, [&] {
            if (::kill(other, SIGTERM) == 0) return 1;
            sockaddr_in any{};
            any.sin_family = AF_INET;
            const int tcp = ::socket(AF_INET, SOCK_STREAM, 0);
            if (tcp >= 0 && ::bind(tcp, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0) return 2;
            return 0;
        });
        if (status == kNoLandlock) continue;
        EXPECT_EQ(status, 0);
    }
    ::kill(other, SIGKILL);
    ::waitpid(other, nullptr, 0);
}

// The socket of another role can be connected to, since its file's mode says yes to the same user; without
// the key nobody is heard there (see ipc/channel_test.cpp), and the keys of others are out of reach.
TEST_F(Confinement, TheKeyOfAnotherRoleIsOutOfReach) {
    const struct {
        Result<runtime::Plan> plan;
        ipc::Role own;
    } daemons[] = {{smtpd::plan_of(settings), ipc::Role::smtpd},
                   {imapd::plan_of(settings), ipc::Role::imapd}};
    for (const auto& daemon : daemons) {
        const int status = status_inside(daemon.plan, [&] {
            int reached = 0;
            for (const ipc::Role role : ipc::kRoles) {
                const std::string key = ipc::key_path(settings.data_dir, role);
                const bool opens = static_cast<bool>(FileDescriptor(::open(key.c_str(), O_RDONLY)));
                reached += opens != (role == daemon.own) ? 1 : 0;
            }
            return reached;
        });
        if (status == kNoLandlock) GTEST_SKIP() << "this kernel has no Landlock, or an old one";
        EXPECT_EQ(status, 0);
    }
}

}  // namespace
}  // namespace mailstead
