// `mailstead serve`: all daemons in the foreground.
#include <cstdio>
#include <unistd.h>

#include "admin/installation.h"
#include "admin/process.h"
#include "admin/supervisor.h"
#include "admin/workspace.h"
#include "common/ipc/roles.h"
#include "common/runtime/ownership.h"

namespace mailstead::admin {
namespace {

Outcome<DaemonPlan> plan(const std::string& name, const Arguments& arguments) {
    const std::filesystem::path program = own_folder() / name;
    if (::access(program.c_str(), X_OK) != 0) {
        return Failure(EX_UNAVAILABLE, program.string() + " is missing: the daemons lie beside this program");
    }
    return DaemonPlan{name, program, {"-c", std::filesystem::absolute(arguments.settings_file).string()}};
}

// Before any daemon starts: whoever runs already is told at once, and no port is bound.
Outcome<> check_nobody_serves(const std::filesystem::path& data_dir) {
    for (const std::filesystem::path& lock :
         {runtime::owner_lock(data_dir), ipc::run_folder(data_dir, ipc::Role::imapd) / "lock",
          ipc::run_folder(data_dir, ipc::Role::smtpd) / "lock"}) {
        const auto holder = runtime::holder_of(lock);
        if (holder && holder->stopping)
            std::fputs(("mailstead: waiting for " + holder->to_string() + ", which is stopping\n").c_str(),
                       stderr);
        if (const auto unlocked = runtime::check_unlocked(lock); !unlocked) {
            const Error error = unlocked.error();
            return Failure(error.retry == Retry::is_useless ? EX_CONFIG : EX_TEMPFAIL, error.what);
        }
    }
    return {};
}

Outcome<> run_serve(const Arguments& arguments) {
    TRY(settings, load_settings(arguments));
    // One user for each daemon is new: who comes from an older version has only the first.
    if (::geteuid() == 0) TRY_VOID(make_users(runtime::user_names(settings), settings.data_dir));
    const auto problems = settings::check_surroundings(settings, arguments.settings_file);
    if (!problems.empty()) return Failure(settings::Problems{problems});
    TRY_VOID(check_nobody_serves(settings.data_dir));
    const auto serves = [&](settings::Service service) { return !settings.listeners_of(service).empty(); };
    std::vector<DaemonPlan> plans;
    TRY(deliver, plan("mailstead-deliver", arguments));
    plans.push_back(std::move(deliver));
    if (serves(settings::Service::imap) || serves(settings::Service::pop3)) {
        TRY(imapd, plan("mailstead-imapd", arguments));
        plans.push_back(std::move(imapd));
    }
    if (serves(settings::Service::smtp) || serves(settings::Service::submission)) {
        TRY(smtpd, plan("mailstead-smtpd", arguments));
        plans.push_back(std::move(smtpd));
    }
    return supervise(plans);
}

}  // namespace

CommandGroup serve_commands() {
    return {"",
            "",
            {{"serve",
              "Run all daemons in the foreground; prints `ready` when mail can come",
              {},
              &run_serve,
              As::caller}}};
}

}  // namespace mailstead::admin
