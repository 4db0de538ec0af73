#include "common/runtime/identity.h"

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "child.h"
#include "tests/unit/net/temporary_folder.h"

namespace mailstead::runtime {
namespace {

using net::test::TemporaryFolder;
using test::status_of_child;

constexpr uid_t kSomebody = 54321;

TEST(Identity, IsForGoodAndKeepsWhatTheSupervisorAskedFor) {
    if (geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
    const int status = status_of_child([] {
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (!become({kSomebody, kSomebody + 1, {kSomebody + 2}})) return 1;
        if (::geteuid() != kSomebody || ::getegid() != kSomebody + 1) return 2;
        gid_t group = 0;
        if (::getgroups(1, &group) != 1 || group != kSomebody + 2) return 3;
        if (::setuid(0) == 0 || ::setgid(0) == 0) return 4;
        int signal = 0;
        ::prctl(PR_GET_PDEATHSIG, &signal);
        return signal == SIGTERM ? 0 : 5;
    });
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Identity, WithPrivateMemoryUnnamedFilesAreNamedAllTheSame) {
    const TemporaryFolder folder;
    if (geteuid() == 0) {
        ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
    }
    const int status = status_of_child([&] {
        if (geteuid() == 0 && !become({kSomebody, kSomebody, {}})) return 1;
        keep_memory_private();
        rlimit core{1, 1};
        if (::getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0) return 2;
        const int file = ::open(folder.path().c_str(), O_TMPFILE | O_RDWR, 0600);
        if (file < 0) return 3;
        const std::string from = "/proc/self/fd/" + std::to_string(file);
        const std::string to = folder.file("named");
        return ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), AT_SYMLINK_FOLLOW) == 0 ? 0 : 4;
    });
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Identity, WithoutAUserAllStayWhoTheyAre) {
    const auto users = users_of({});
    ASSERT_TRUE(users);
    EXPECT_FALSE(*users);
    EXPECT_FALSE(*identity_of({}, Role::imapd));
}

TEST(Identity, OtherDaemonsUsersAreNamedAfterTheOwnerUnlessTheSettingsSay) {
    settings::Settings settings;
    settings.user = "no-such-user";
    settings.smtpd_user = "smtp";
    const UserNames names = user_names(settings);
    EXPECT_EQ(names.imapd, "no-such-user-imapd");
    EXPECT_EQ(names.smtpd, "smtp");
    const auto refused = identity_of(settings, Role::smtpd);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().retry, Retry::is_useless);
    EXPECT_NE(refused.error().what.find("there is no user no-such-user"), std::string::npos);
}

}  // namespace
}  // namespace mailstead::runtime
