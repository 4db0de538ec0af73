#include "common/runtime/system_calls.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <limits>
#include <linux/fs.h>
#include <memory>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <seccomp.h>

namespace mailstead::runtime {

namespace {

struct ReleaseFilter {
    void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

// By name, as libseccomp knows them; names that this architecture lacks are skipped.
constexpr const char* kEverywhere[] = {
    // memory
    "brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync", "mlock", "mlock2",
    "munlock", "membarrier", "memfd_create", "pkey_alloc", "pkey_free", "pkey_mprotect",
    // threads, waiting, signals
    "futex", "futex_waitv", "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "gettid", "exit",
    "exit_group", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending",
    "rt_sigsuspend", "sigaltstack", "sigreturn", "signalfd", "signalfd4", "pause", "sched_yield",
    "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_get_priority_max",
    "sched_get_priority_min", "nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday",
    "time", "restart_syscall", "getcpu", "arch_prctl",
    // who and where we are
    "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups",
    "getpgrp", "getpgid", "getsid", "uname", "sysinfo", "getrusage", "times", "getrlimit", "setrlimit",
    "getrandom", "getcwd", "umask", "getpriority",
    // waiting for descriptors
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll",
    "ppoll", "select", "pselect6", "eventfd", "eventfd2", "timerfd_create", "timerfd_settime",
    "timerfd_gettime", "pipe", "pipe2", "dup", "dup2", "dup3", "close", "close_range",
    // reading files
    "open", "openat", "openat2", "read", "readv", "pread64", "preadv", "preadv2", "lseek", "_llseek", "stat",
    "lstat", "fstat", "fstat64", "newfstatat", "fstatat64", "statx", "statfs", "fstatfs", "access",
    "faccessat", "faccessat2", "readlink", "readlinkat", "getdents", "getdents64", "fadvise64", "readahead",
    "sendfile", "copy_file_range", "splice", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
    "getxattr", "fgetxattr", "lgetxattr",
    // writing to what is open already: unnamed files, logs, LMDB lock files; where files may be created is
    // Landlock's business
    "write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate", "ftruncate64", "fallocate", "fsync",
    "fdatasync", "sync_file_range", "syncfs", "flock", "fchmod", "chdir", "fchdir",
    // sockets that exist
    "accept", "accept4", "bind", "listen", "connect", "shutdown", "getsockname", "getpeername", "getsockopt",
    "setsockopt", "socketpair", "recv", "recvfrom", "recvmsg", "recvmmsg", "send", "sendto", "sendmsg",
    "sendmmsg"};

constexpr const char* kChangingFolders[] = {"link",     "linkat",   "rename",   "renameat",  "renameat2",
                                            "unlink",   "unlinkat", "rmdir",    "mkdir",     "mkdirat",
                                            "truncate", "chmod",    "fchmodat", "utimensat", "utime",
                                            "utimes",   "chown",    "fchown",   "fchownat"};

constexpr const char* kProgramsStart[] = {"clone",
                                          "clone3",
                                          "fork",
                                          "vfork",
                                          "execve",
                                          "execveat",
                                          "wait4",
                                          "waitid",
                                          "setsid",
                                          "setpgid",
                                          "setuid",
                                          "setgid",
                                          "setgroups",
                                          "setresuid",
                                          "setresgid",
                                          "unlink",
                                          "unlinkat",
                                          "pidfd_open",
                                          "pidfd_send_signal",
                                          "kill",
                                          "tkill"};

// Nothing here calls these by accident.
constexpr const char* kAttack[] = {"ptrace",
                                   "process_vm_readv",
                                   "process_vm_writev",
                                   "kexec_load",
                                   "kexec_file_load",
                                   "init_module",
                                   "finit_module",
                                   "delete_module",
                                   "bpf",
                                   "userfaultfd",
                                   "perf_event_open",
                                   "mount",
                                   "umount2",
                                   "pivot_root",
                                   "chroot",
                                   "setns",
                                   "unshare",
                                   "open_by_handle_at",
                                   "name_to_handle_at",
                                   "reboot",
                                   "swapon",
                                   "swapoff",
                                   "add_key",
                                   "keyctl",
                                   "request_key",
                                   "io_uring_setup",
                                   "personality"};

int allow(scmp_filter_ctx filter, const char* name) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return 0;
    const int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    return result == -EDOM ? 0 : result;  // not on this architecture
}

template <std::size_t N>
int allow_all(scmp_filter_ctx filter, const char* const (&names)[N]) {
    int result = 0;
    for (const char* const name : names) {
        if (result == 0) result = allow(filter, name);
    }
    return result;
}

// What seccomp's SCMP_A0 and SCMP_A1 give, in C++.
scmp_arg_cmp argument(unsigned number, scmp_compare how, scmp_datum_t value, scmp_datum_t masked = 0) {
    return {number, how, value, masked};
}

// Threads, but no processes. clone3 hides its flags from the filter: glibc falls back to clone on ENOSYS.
int allow_threads(scmp_filter_ctx filter) {
    int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  argument(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (result == 0) result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return result;
}

int allow_sockets(scmp_filter_ctx filter, bool internet) {
    int result = 0;
    for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}) {
        if (family != AF_UNIX && !internet) continue;
        const auto value = static_cast<scmp_datum_t>(family);
        if (result == 0)
            result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                      argument(0, SCMP_CMP_EQ, value));
    }
    return result;
}

int allow_if(scmp_filter_ctx filter, const char* name, unsigned number, scmp_datum_t value) {
    const int call = seccomp_syscall_resolve_name(name);
    if (call == __NR_SCMP_ERROR) return 0;
    const int result =
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, argument(number, SCMP_CMP_EQ, value));
    return result == -EDOM ? 0 : result;
}

int allow_any_of(scmp_filter_ctx filter, const char* name, unsigned number,
                 std::initializer_list<unsigned long> values) {
    int result = 0;
    for (const unsigned long value : values) {
        if (result == 0) result = allow_if(filter, name, number, value);
    }
    return result;
}

// What names a process may name this one alone: abort() and pthread_kill() do. A limit or a priority is set
// for the caller, which 0 means as well.
int allow_on_ourselves(scmp_filter_ctx filter) {
    const auto self = static_cast<unsigned long>(::getpid());
    int result = allow_any_of(filter, "kill", 0, {self});
    if (result == 0) result = allow_any_of(filter, "tgkill", 0, {self});
    if (result == 0) result = allow_any_of(filter, "prlimit64", 0, {0, self});
    if (result == 0) result = allow_any_of(filter, "setpriority", 1, {0});
    return result;
}

int allow_with_arguments(scmp_filter_ctx filter) {
    int result = allow_on_ourselves(filter);
    if (result == 0)
        result = allow_any_of(filter, "ioctl", 1, {FIONREAD, FIONBIO, FIOCLEX, TCGETS, TIOCGWINSZ, FICLONE});
    // Not F_SETOWN and F_SETSIG: they send signals.
    for (const char* const name : {"fcntl", "fcntl64"}) {
        if (result == 0)
            result = allow_any_of(filter, name, 1,
                                  {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK,
                                   F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_GETPIPE_SZ,
                                   F_SETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS});
    }
    if (result == 0)
        result = allow_any_of(filter, "prctl", 0,
                              {PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_VMA});
    return result;
}

int kill_attacks(scmp_filter_ctx filter, bool start_programs) {
    int result = 0;
    const auto kill = [&](const char* name) {
        const int number = seccomp_syscall_resolve_name(name);
        if (result != 0 || number == __NR_SCMP_ERROR) return;
        const int added = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, number, 0);
        result = added == -EDOM ? 0 : added;
    };
    for (const char* const name : kAttack) kill(name);
    if (!start_programs) {
        kill("execve");
        kill("execveat");
    }
    return result;
}

int fill(scmp_filter_ctx filter, const Sandbox& sandbox) {
    int result = allow_all(filter, kEverywhere);
    // Whoever makes a log anew gives it to the folder's group; to no other user.
    if (result == 0)
        result = sandbox.links_files ? allow_all(filter, kChangingFolders)
                                     : allow_if(filter, "fchown", 1, std::numeric_limits<uid_t>::max());
    if (result == 0)
        result = sandbox.start_programs ? allow_all(filter, kProgramsStart) : allow_threads(filter);
    if (result == 0) result = allow_sockets(filter, sandbox.internet);
    if (result == 0) result = allow_with_arguments(filter);
    if (result == 0) result = kill_attacks(filter, sandbox.start_programs);
    return result;
}

}  // namespace

Result<bool> filter_system_calls(const Sandbox& sandbox) {
    const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
    if (!filter) return permanent_error("sandbox: seccomp has no memory");
    // Threads that libraries may have started already are covered as well.
    seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
    int result = fill(filter.get(), sandbox);
    if (result != 0) return permanent_error(std::string("sandbox: seccomp rules: ") + std::strerror(-result));
    result = seccomp_load(filter.get());
    if (result == -ENOSYS || result == -EINVAL || result == -ECANCELED) return false;
    if (result != 0) return permanent_error(std::string("sandbox: seccomp: ") + std::strerror(-result));
    return true;
}

}  // namespace mailstead::runtime
