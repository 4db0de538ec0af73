// What a daemon wants from the system, and the part of it that the settings say for every daemon.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/net/socket_address.h"
#include "common/runtime/identity.h"
#include "common/runtime/log.h"
#include "common/runtime/sandbox.h"
#include "common/settings/settings.h"

namespace mailstead::runtime {

struct UnixSocketPlan {
    std::string path;
    unsigned mode = 0600;
    bool datagram = false;
    gid_t group = static_cast<gid_t>(-1);  // whose it becomes; -1: the process's own
};

// Filled by Program::configure.
struct Plan {
    std::filesystem::path data_dir;
    log::Level log_level = log::Level::info;
    std::string log_file;  // empty: standard error
    // Held for life, as the user, and taken before any socket is touched (see ownership.h). Empty: none.
    std::filesystem::path lock;
    std::vector<net::SocketAddress> tcp;       // bound in this order, before root is dropped
    std::vector<UnixSocketPlan> unix_sockets;  // as the user, after root is dropped; their folders must exist
    std::optional<Identity> identity;          // whom root becomes; nullopt: stay who we are
    std::size_t threads = 0;                   // 0: one per core
    std::size_t max_open_files = 0;            // RLIMIT_NOFILE to ask for; never less than the hard limit
    Sandbox sandbox;
    std::chrono::seconds drain{20};  // from SIGTERM to abort()
};

// settings::load; every problem in the file is one permanent error.
Result<settings::Settings> load_settings(const std::string& file);

// Log, user and threads as the settings say; no sockets, and nothing in the sandbox. An error, permanent: a
// user that the settings name or imply does not exist.
Result<Plan> plan_of(const settings::Settings& settings, Role role);

// Lets the daemon open `file`, and whatever replaces it: its folder. Where that folder holds the data as
// well, which is not for every daemon, the file that is there now alone.
void allow_replaced(Plan& plan, const std::filesystem::path& file, Access access);

// enter_sandbox() with the plan's, and the log, which is opened anew after rotation.
Result<SandboxReport> close_sandbox(const Plan& plan);

// Adds the listeners' addresses to `plan.tcp`, in order. An error, permanent: not an address.
Result<void> add_listeners(Plan& plan, std::span<const settings::Listener> listeners);

}  // namespace mailstead::runtime
