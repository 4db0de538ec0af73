// `mailstead config`.
#include "admin/output.h"
#include "admin/workspace.h"

namespace mailstead::admin {
namespace {

Outcome<> run_check(const Arguments& arguments) {
    TRY(settings, load_settings(arguments));
    const auto problems = settings::check_surroundings(settings, arguments.settings_file);
    if (!problems.empty()) return Failure(settings::Problems{problems});
    print(arguments.settings_file.string() + " is in order\n");
    return {};
}

Outcome<> run_describe(const Arguments&) {
    print(settings::describe());
    return {};
}

}  // namespace

CommandGroup config_commands() {
    return {"config",
            "The configuration file",
            {{"config check", "Look for errors in the file and in what it names", {}, &run_check, As::caller},
             {"config describe",
              "Print a file with every key, explained, at its default",
              {},
              &run_describe,
              As::caller}}};
}

}  // namespace mailstead::admin
