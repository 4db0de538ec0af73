// Child processes.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "admin/failure.h"
#include "common/base/file_descriptor.h"
#include "common/base/result.h"
#include "common/runtime/identity.h"

namespace mailstead::admin {

// Runs a program to its end with our streams; its exit code, 127 when it could not be started.
int run_program(const std::filesystem::path& program, const std::vector<std::string>& arguments);

// Runs `work` as somebody else in a process of its own, to its end; its failure. For root.
Outcome<> run_as(const runtime::Identity& identity, const std::function<Outcome<>()>& work);

struct Child {
    pid_t pid = -1;
    // Readable once the child has written the byte that says "ready" to $MAILSTEAD_READY_FD; at its end when
    // it is gone.
    FileDescriptor ready;
};
// Starts a daemon in a process group of its own (a Ctrl-C at the terminal is for its supervisor, who ends
// them in order), with our streams and a signal mask without blocked signals. It gets SIGTERM when the
// supervisor dies.
Result<Child> spawn_daemon(const std::filesystem::path& program, const std::vector<std::string>& arguments);

// The folder of the running program, where its siblings lie.
std::filesystem::path own_folder();

}  // namespace mailstead::admin
