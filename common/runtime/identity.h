// Who a daemon is: in production each has a user of its own, and the folders below the data folder are shared
// by groups.
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "common/base/result.h"
#include "common/settings/settings.h"

namespace mailstead::runtime {

enum class Role : std::uint8_t { deliver, imapd, smtpd };

// Names of the users; all empty: one user, whoever starts the daemons.
struct UserNames {
    std::string owner;  // deliver's, who owns everything below the data folder
    std::string imapd;
    std::string smtpd;
};
// As the settings say, or as they imply: `mailstead-imapd` beside `mailstead`.
UserNames user_names(const settings::Settings& settings);

// The same in numbers.
struct Users {
    uid_t owner = 0;
    gid_t common = 0;  // the owner's group, which imapd and smtpd belong to: the way in, the directory
    uid_t imapd = 0;
    gid_t mail = 0;  // imapd's group: what imapd may read as well. deliver makes files in it
    uid_t smtpd = 0;
    gid_t smtpd_group = 0;
};
// nullopt: one user for all. Asks the user database; a permanent error names the user that is missing.
Result<std::optional<Users>> users_of(const settings::Settings& settings);

// What a process becomes.
struct Identity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
};
// The identity of `role`, with what else the group database gives its user. nullopt: stay who we are.
Result<std::optional<Identity>> identity_of(const settings::Settings& settings, Role role);

// Becomes it for good. Before threads start, and as root. An error, permanent: the system refuses.
Result<void> become(const Identity& identity);

// No core dumps, and no debugger or /proc reader of the same user: keys and passwords are in memory. Again
// after each change of ids.
void keep_memory_private();

}  // namespace mailstead::runtime
