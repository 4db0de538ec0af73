#include <cstdio>
#include <list>

#include <CLI/CLI.hpp>

#include "admin/command.h"
#include "admin/workspace.h"
#include "common/runtime/identity.h"

namespace mailstead::admin {
namespace {

constexpr int kMaxPositionals = 10'000;

// Where CLI11 puts what it found; lists, so that the places stay where they are.
struct Storage {
    std::list<std::vector<std::string>> values;
    std::list<bool> flags;
};

struct Bound {
    const Parameter* parameter;
    const std::vector<std::string>* values = nullptr;
    const bool* flag = nullptr;
};
struct Subcommand {
    const Command* command;
    CLI::App* app;
    std::vector<Bound> bound;
};

Bound bind(CLI::App& app, const Parameter& parameter, Storage& storage) {
    const std::string name(parameter.name);
    const std::string help(parameter.help);
    if (parameter.takes == Takes::flag) {
        bool& place = storage.flags.emplace_back(false);
        app.add_flag(name, place, help);
        return {&parameter, nullptr, &place};
    }
    std::vector<std::string>& place = storage.values.emplace_back();
    CLI::Option* option = app.add_option(name, place, help);
    switch (parameter.takes) {
        case Takes::one:
            option->expected(1)->allow_extra_args(false)->required();
            break;
        case Takes::many:
            option->expected(1, kMaxPositionals)->required();
            break;
        case Takes::any:
            option->expected(0, kMaxPositionals);
            break;
        case Takes::option:
            option->expected(1)->allow_extra_args(false)->take_last();
            break;
        case Takes::options:
            option->expected(1)->allow_extra_args(false)->multi_option_policy(
                CLI::MultiOptionPolicy::TakeAll);
            break;
        case Takes::flag:
            break;
    }
    return {&parameter, &place, nullptr};
}

Arguments collect(const Subcommand& chosen) {
    Arguments arguments;
    for (const Bound& bound : chosen.bound) {
        auto& values = arguments.values[std::string(bound.parameter->name)];
        if (bound.flag != nullptr && *bound.flag) values.emplace_back("yes");
        if (bound.values != nullptr) values = *bound.values;
    }
    return arguments;
}

int report(const Failure& failure) {
    std::fflush(stdout);
    std::fprintf(stderr, "mailstead: %s\n", failure.text.c_str());
    return failure.exit_code;
}

int run(const Subcommand& chosen, const std::string& settings_file, bool settings_file_chosen) {
    Arguments arguments = collect(chosen);
    arguments.settings_file = settings_file;
    arguments.settings_file_chosen = settings_file_chosen;
    if (chosen.command->as == As::owner) {
        if (const auto acted = act_as_owner(arguments); !acted) return report(acted.error());
    }
    const auto outcome = chosen.command->run(arguments);
    if (!outcome) return report(outcome.error());
    if (std::fflush(stdout) != 0) return report({EX_IOERR, "the output could not be written"});
    return EX_OK;
}

}  // namespace

const std::vector<std::string>& Arguments::all(std::string_view name) const {
    static const std::vector<std::string> none;
    const auto found = values.find(name);
    return found == values.end() ? none : found->second;
}

const std::string& Arguments::one(std::string_view name) const {
    static const std::string none;
    const auto& found = all(name);
    return found.empty() ? none : found.front();
}

int run_cli(const std::vector<CommandGroup>& groups, int argc, const char* const* argv) {
    runtime::keep_memory_private();
    CLI::App app("Mailstead: mail for your own domain. `mailstead init you@example.org` sets it up.",
                 "mailstead");
    Storage storage;
    std::list<Subcommand> subcommands;
    std::string settings_file(settings::kDefaultFile);
    app.fallthrough();
    app.require_subcommand(1);
    const CLI::Option* chosen_file =
        app.add_option("-c,--config", settings_file, "The configuration file, anywhere on the line");
    for (const CommandGroup& group : groups) {
        CLI::App* parent = &app;
        if (!group.noun.empty()) {
            parent = app.add_subcommand(std::string(group.noun), std::string(group.help));
            parent->require_subcommand(1);
        }
        for (const Command& command : group.commands) {
            const std::size_t last_word = command.words.rfind(' ') + 1;
            CLI::App* leaf = parent->add_subcommand(std::string(command.words.substr(last_word)),
                                                    std::string(command.help));
            Subcommand& subcommand = subcommands.emplace_back(Subcommand{&command, leaf, {}});
            for (const Parameter& parameter : command.parameters) {
                subcommand.bound.push_back(bind(*leaf, parameter, storage));
            }
        }
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        // CLI11 prints help on standard output with code 0, and everything else on standard error.
        return app.exit(error) == 0 ? EX_OK : EX_USAGE;
    }
    for (const Subcommand& subcommand : subcommands) {
        if (subcommand.app->parsed()) return run(subcommand, settings_file, chosen_file->count() != 0);
    }
    return EX_USAGE;
}

}  // namespace mailstead::admin
