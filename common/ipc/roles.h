// Who may ask deliver for what. Each role has a folder of its own below data/run with a socket of deliver's
// and a key; whoever connects shows the key of the socket's role. Only one who may read that file can: its
// mode says so where the daemons are different users, and Landlock where they are one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/ipc/messages.h"

namespace mailstead::ipc {

enum class Role : std::uint8_t { smtpd, imapd, admin };
inline constexpr Role kRoles[] = {Role::smtpd, Role::imapd, Role::admin};
std::string_view to_string(Role role);

// The table: whether a request of this type may come from that role. Answers are no requests.
bool may_send(Role role, MessageType type);
// Whether a daemon of that role serves such clients, and so may ask about their logins and hand in their
// mail.
bool may_speak_for(Role role, Service service);

// data/run/ROLE, for what follows and for what the daemon of that role puts there itself.
std::filesystem::path run_folder(const std::filesystem::path& data_dir, Role role);
// The socket on which deliver hears that role.
std::filesystem::path socket_path(const std::filesystem::path& data_dir, Role role);
std::filesystem::path key_path(const std::filesystem::path& data_dir, Role role);

inline constexpr std::size_t kKeySize = 32;

// The role's key, made if there is none yet; for deliver. It outlives deliver, so that a client may connect
// while deliver starts anew. An error: it cannot be read or written.
Result<Secret> make_key(const std::filesystem::path& data_dir, Role role);
// For whoever has the role. Transient when there is none (yet). Opens no link.
Result<Secret> read_key(const std::filesystem::path& file);

}  // namespace mailstead::ipc
