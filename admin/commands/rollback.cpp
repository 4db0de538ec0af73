// `mailstead rollback`: back to what an older version left, before a newer one migrated it.
#include "admin/output.h"
#include "admin/workspace.h"
#include "common/backup/format.h"
#include "common/runtime/ownership.h"

namespace mailstead::admin {
namespace {

Outcome<> run_rollback(const Arguments& arguments) {
    TRY(settings, load_settings(arguments));
    // Nobody may work in the folder meanwhile.
    TRY(lock, runtime::own_data_folder(settings.data_dir, "rollback"));
    TRY(plan, backup::plan_rollback(settings.data_dir));
    const std::string target = "format " + std::to_string(plan.to);
    if (plan.new_queued != 0 && !arguments.has("--lose-queued"))
        return Failure(EX_DATAERR,
                       std::to_string(plan.new_queued) +
                           " messages on their way out came since, and would be lost: let them go "
                           "first (`mailstead queue list`), or say --lose-queued");
    TRY_VOID(backup::roll_back(settings.data_dir, plan));
    print("The data folder is of " + target + " again; install that version before you start it.\n" +
          std::to_string(plan.new_messages) +
          " messages that came since are taken in as new ones then. Flags, mailboxes, accounts and passwords "
          "are "
          "as they were.\nWhat was there until now is in " +
          settings.data_dir.string() + "/undone-" + std::to_string(plan.from) + "-*\n");
    return {};
}

}  // namespace

CommandGroup rollback_commands() {
    return {"",
            "",
            {{"rollback",
              "Go back to what an older version left, before a newer one migrated the data folder",
              {{"--lose-queued", Takes::flag, "Although messages on their way out are lost"}},
              &run_rollback}}};
}

}  // namespace mailstead::admin
