// `mailstead serve`: the daemons as children in the foreground.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "admin/failure.h"

namespace mailstead::admin {

struct DaemonPlan {
    std::string name;  // `mailstead-deliver`
    std::filesystem::path program;
    std::vector<std::string> arguments;
};

// Starts the daemons in the order given, each when the one before is ready; prints `ready` when all are.
// Restarts one that ends, at once at first and then with a growing pause (0.1 s to 2 s; ten seconds of life
// reset it). SIGTERM and SIGINT end them in the reverse order, each before the next; a second one at once.
// SIGHUP goes to all. Fails when a daemon ends before it was ever ready.
Outcome<> supervise(const std::vector<DaemonPlan>& plans);

}  // namespace mailstead::admin
