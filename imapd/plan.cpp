#include "imapd/plan.h"

#include "common/ipc/roles.h"
#include "common/runtime/server_tls.h"
#include "imapd/session/server.h"

namespace mailstead::imapd {

Result<runtime::Plan> plan_of(const settings::Settings& settings) {
    using runtime::Access;
    TRY(plan, runtime::plan_of(settings, runtime::Role::imapd));
    TRY_VOID(runtime::add_listeners(plan, our_listeners(settings)));
    const std::filesystem::path run = ipc::run_folder(settings.data_dir, ipc::Role::imapd);
    plan.lock = run / "lock";
    plan.unix_sockets.push_back({.path = run / "notify", .mode = 0660, .datagram = true});
    // A session has its socket and two files of its account's index; FETCH opens some dozens at a time.
    plan.max_open_files = std::size_t{settings.limits.connections} * 3 + 4096;
    // Mailboxes and the directory are read; only LMDB's lock files are written, and nameless files for
    // APPEND.
    plan.sandbox.paths = {{.path = settings.data_dir / "accounts", .access = Access::resize},
                          {.path = settings.data_dir / "directory", .access = Access::update},
                          {.path = settings.data_dir / "shares", .access = Access::update},
                          // Whether the store was recovered since the start of the machine.
                          {.path = settings.data_dir / "journal", .access = Access::read},
                          {.path = settings.data_dir / "incoming", .access = Access::temporary},
                          {.path = run, .access = Access::read}};  // the key to deliver
    runtime::add_certificates(plan, settings.tls);
    return plan;
}

}  // namespace mailstead::imapd
