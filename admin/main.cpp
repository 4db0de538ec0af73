// The admin CLI: every noun with its file in admin/commands.
#include "admin/command.h"

int main(int argc, char** argv) {
    using namespace mailstead::admin;
    const std::vector<CommandGroup> groups = {
        init_commands(),   serve_commands(),   status_commands(),   trace_commands(),
        domain_commands(), account_commands(), alias_commands(),    dns_commands(),
        queue_commands(),  session_commands(), check_commands(),    config_commands(),
        backup_commands(), restore_commands(), rollback_commands(), verify_commands(),
    };
    return run_cli(groups, argc, argv);
}
