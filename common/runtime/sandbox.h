// Giving up what a daemon does not need: the file system (Landlock), system calls (seccomp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace mailstead::runtime {

enum class Access : std::uint8_t {
    read,    // files and folders below, reading
    update,  // reading, and writing into files that exist (LMDB's lock files)
    resize,  // the same and cutting them: a lock file that is new gets its size from whoever opens it first
    write,   // reading, writing, creating, renaming, linking, removing below
    temporary,  // creating unnamed files in it (O_TMPFILE), reading and writing files
    log,        // creating files and writing to their ends, no reading
};

struct PathRule {
    std::string path;  // a missing one is skipped
    Access access = Access::read;
};

// What stays open. Each main.cpp states its own.
struct Sandbox {
    std::vector<PathRule> paths;
    bool internet = false;  // new sockets of IPv4 and IPv6 besides the inherited listeners (DNS counts)
    // Where TCP may be dialled, with `internet`: only these ports. Empty: any. Nothing is bound anew.
    std::vector<std::uint16_t> tcp_ports;
    bool start_programs = false;  // fork and exec (the supervisor)
    bool links_files = false;     // link, rename and unlink (the writer of the store)
};

// What the kernel let us do, for the log.
struct SandboxReport {
    int landlock_abi = 0;  // 0: the kernel has none, or it is switched off; 4: TCP ports; 6: signals
    bool seccomp = false;
};

// No program that this process starts gets more rights than it has (no_new_privs). An error, permanent: the
// kernel refuses.
Result<void> forbid_new_privileges();

// Closes the sandbox around this process, all threads (seccomp) and all threads started later (Landlock):
// call before threads start. A kernel without Landlock or seccomp is no error (see the report); a rule that
// cannot be applied is.
//
// Signals go to this process alone (the supervisor excepted), and abstract Unix sockets of others are out of
// reach.
//
// A system call outside the list fails with EPERM, so that a library's harmless surprise costs a feature and
// not the daemon; those that only an attacker needs (ptrace, module loading, execve where programs may not be
// started, and their like) kill the process.
Result<SandboxReport> enter_sandbox(const Sandbox& sandbox);

}  // namespace mailstead::runtime
