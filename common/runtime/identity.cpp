#include "common/runtime/identity.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace mailstead::runtime {
namespace {

struct Entry {
    uid_t uid;
    gid_t gid;
};

Result<Entry> look_up(const std::string& user) {
    errno = 0;
    const passwd* const entry = ::getpwnam(user.c_str());
    if (entry == nullptr)
        return permanent_error("there is no user " + user +
                               ": `systemd-sysusers` or `mailstead init` makes it");
    return Entry{entry->pw_uid, entry->pw_gid};
}

// The groups that the database gives a user, and `more`.
std::vector<gid_t> groups_of(const std::string& user, gid_t primary, std::initializer_list<gid_t> more) {
    std::vector<gid_t> groups(64);
    int count = static_cast<int>(groups.size());
    if (::getgrouplist(user.c_str(), primary, groups.data(), &count) < 0) {
        groups.resize(static_cast<std::size_t>(std::max(count, 0)));
        if (::getgrouplist(user.c_str(), primary, groups.data(), &count) < 0) count = 0;
    }
    groups.resize(static_cast<std::size_t>(std::max(count, 0)));
    groups.insert(groups.end(), more);
    std::ranges::sort(groups);
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    return groups;
}

Error failure(const std::string& what) {
    return permanent_error(what + ": " + std::strerror(errno));
}

}  // namespace

UserNames user_names(const settings::Settings& settings) {
    const std::string& owner = settings.user;
    if (owner.empty() || owner == "root") return {};
    const auto named = [&](const std::string& name, const char* suffix) {
        return name.empty() ? owner + suffix : name;
    };
    return {owner, named(settings.imapd_user, "-imapd"), named(settings.smtpd_user, "-smtpd")};
}

Result<std::optional<Users>> users_of(const settings::Settings& settings) {
    const UserNames names = user_names(settings);
    if (names.owner.empty()) return std::optional<Users>();
    TRY(owner, look_up(names.owner));
    TRY(imapd, look_up(names.imapd));
    TRY(smtpd, look_up(names.smtpd));
    return std::optional(Users{owner.uid, owner.gid, imapd.uid, imapd.gid, smtpd.uid, smtpd.gid});
}

Result<std::optional<Identity>> identity_of(const settings::Settings& settings, Role role) {
    TRY(users, users_of(settings));
    if (!users) return std::optional<Identity>();
    const UserNames names = user_names(settings);
    switch (role) {
        case Role::imapd:
            return std::optional(
                Identity{users->imapd, users->mail, groups_of(names.imapd, users->mail, {users->common})});
        case Role::smtpd:
            return std::optional(Identity{users->smtpd, users->smtpd_group,
                                          groups_of(names.smtpd, users->smtpd_group, {users->common})});
        case Role::deliver:
            break;
    }
    return std::optional(Identity{users->owner, users->mail,
                                  groups_of(names.owner, users->common, {users->mail, users->smtpd_group})});
}

Result<void> become(const Identity& identity) {
    // The kernel forgets this signal with the ids (prctl(2)); whom a supervisor started wants it still.
    int at_parents_death = 0;
    (void)::prctl(PR_GET_PDEATHSIG, &at_parents_death);
    if (::setgroups(identity.groups.size(), identity.groups.data()) != 0) return failure("groups");
    if (::setresgid(identity.gid, identity.gid, identity.gid) != 0)
        return failure("group " + std::to_string(identity.gid));
    if (::setresuid(identity.uid, identity.uid, identity.uid) != 0)
        return failure("user " + std::to_string(identity.uid));
    if (identity.uid != 0 && ::setuid(0) == 0) return permanent_error("root could not be given up");
    if (at_parents_death != 0) (void)::prctl(PR_SET_PDEATHSIG, at_parents_death);
    keep_memory_private();
    return {};
}

void keep_memory_private() {
    const rlimit none{0, 0};
    (void)::setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // whose leak check is a debugger
    (void)::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

}  // namespace mailstead::runtime
