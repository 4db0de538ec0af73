#include "deliver/plan.h"

#include <unistd.h>

#include "common/ipc/roles.h"
#include "common/runtime/ownership.h"

namespace mailstead::deliver {

namespace {

runtime::UnixSocketPlan socket_for(ipc::Role role, const settings::Settings& settings,
                                   const std::optional<runtime::Users>& users) {
    runtime::UnixSocketPlan plan{.path = ipc::socket_path(settings.data_dir, role), .mode = 0600};
    if (!users || role == ipc::Role::admin) return plan;
    plan.mode = 0660;
    plan.group = role == ipc::Role::smtpd ? users->smtpd_group : users->mail;
    return plan;
}

void add_readable(runtime::Plan& plan, const std::filesystem::path& file) {
    if (!file.empty()) plan.sandbox.paths.push_back({.path = file, .access = runtime::Access::read});
}

}  // namespace

Result<std::optional<runtime::Users>> users_of(const settings::Settings& settings) {
    TRY(users, runtime::users_of(settings));
    if (users && ::geteuid() != 0 && ::geteuid() != users->owner) users.reset();
    return users;
}

Result<runtime::Plan> plan_of(const settings::Settings& settings,
                              const std::optional<runtime::Users>& users) {
    using runtime::Access;
    TRY(plan, runtime::plan_of(settings, runtime::Role::deliver));
    plan.lock = runtime::owner_lock(settings.data_dir);
    for (const ipc::Role role : ipc::kRoles) plan.unix_sockets.push_back(socket_for(role, settings, users));
    plan.sandbox.internet = true;  // other people's servers, the DNS
    plan.sandbox.links_files = true;
    plan.sandbox.paths = {{.path = settings.data_dir, .access = Access::write},
                          {.path = "/proc/self/fd", .access = Access::read},  // to link unnamed files
                          {.path = "/proc/sys/kernel/random", .access = Access::read},
                          {.path = "/etc", .access = Access::read},
                          {.path = "/usr", .access = Access::read}};  // trusted roots, character sets
    add_readable(plan, settings.relay.ca_file);
    if (settings.relay.smarthost) add_readable(plan, settings.relay.smarthost->password_file);
    for (const settings::Route& route : settings.relay.routes) {
        if (route.smarthost) add_readable(plan, route.smarthost->password_file);
    }
    return plan;
}

}  // namespace mailstead::deliver
