// A subcommand as a row of a table: its words, what it takes, and the function behind it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admin/failure.h"

namespace mailstead::admin {

enum class Takes {
    one,      // a positional argument that must be there
    many,     // one or more of them
    any,      // none or more of them
    option,   // --name VALUE
    options,  // --name VALUE, as often as wanted
    flag,     // --name
};
struct Parameter {
    std::string_view name;  // `ADDRESS`, `--quota`
    Takes takes;
    std::string_view help;
};

// What was on the command line.
class Arguments {
public:
    // The value of a positional or an option; empty when it was not given.
    const std::string& one(std::string_view name) const;
    const std::vector<std::string>& all(std::string_view name) const;
    bool has(std::string_view name) const { return !all(name).empty(); }

    std::map<std::string, std::vector<std::string>, std::less<>> values;
    std::filesystem::path settings_file;
    // Whether -c was given.
    bool settings_file_chosen = false;
    // What the file says, once it was read: afterwards it may not be readable any more.
    mutable std::shared_ptr<const settings::Settings> settings;
};

using Run = Outcome<> (*)(const Arguments& arguments);

// Whose rights a command of root runs with.
enum class As : std::uint8_t {
    owner,   // the data folder's owner's, for good, before run() is called
    caller,  // as it was called; it calls act_as_owner() itself before it touches the data folder, or never
             // does
};
struct Command {
    std::string_view words;  // `account add`
    std::string_view help;
    std::vector<Parameter> parameters;
    Run run;
    As as = As::owner;
};
struct CommandGroup {
    std::string_view noun;  // `account`; empty for commands of one word
    std::string_view help;
    std::vector<Command> commands;
};

// `--format table|json`, which every listing has.
inline constexpr Parameter kFormat{"--format", Takes::option, "table (default) or json"};

// In admin/commands, one for each noun.
CommandGroup init_commands();
CommandGroup serve_commands();
CommandGroup status_commands();
CommandGroup trace_commands();
CommandGroup domain_commands();
CommandGroup account_commands();
CommandGroup session_commands();
CommandGroup alias_commands();
CommandGroup dns_commands();
CommandGroup queue_commands();
CommandGroup check_commands();
CommandGroup config_commands();
CommandGroup backup_commands();
CommandGroup restore_commands();
CommandGroup rollback_commands();
CommandGroup verify_commands();

// Parses the command line, runs the command, reports its failure. The exit code.
int run_cli(const std::vector<CommandGroup>& groups, int argc, const char* const* argv);

}  // namespace mailstead::admin
