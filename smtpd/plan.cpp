#include "smtpd/plan.h"

#include "common/ipc/roles.h"
#include "common/runtime/addresses.h"
#include "common/runtime/server_tls.h"
#include "smtpd/session/server.h"

namespace mailstead::smtpd {

Result<runtime::Plan> plan_of(const settings::Settings& settings) {
    using runtime::Access;
    TRY(plan, runtime::plan_of(settings, runtime::Role::smtpd));
    TRY_VOID(runtime::add_listeners(plan, our_listeners(settings)));
    const std::filesystem::path run = ipc::run_folder(settings.data_dir, ipc::Role::smtpd);
    plan.lock = run / "lock";
    // A session has its socket and its message's file, and may ask the DNS.
    plan.max_open_files = std::size_t{settings.limits.connections} * 3 + 1024;
    plan.sandbox.internet = true;  // the DNS
    plan.sandbox.tcp_ports = {53};
    TRY(servers, runtime::addresses_of(settings.dns.servers));
    for (const net::SocketAddress& server : servers) plan.sandbox.tcp_ports.push_back(server.port);
    plan.sandbox.paths = {{.path = settings.data_dir / "incoming", .access = Access::temporary},
                          // Opened anew when it was restored from its copy.
                          {.path = settings.data_dir / "directory", .access = Access::update},
                          {.path = run, .access = Access::read},      // the key to deliver
                          {.path = "/etc", .access = Access::read}};  // resolv.conf and hosts
    runtime::add_certificates(plan, settings.tls);
    return plan;
}

}  // namespace mailstead::smtpd
