#include "common/runtime/sandbox.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/file_descriptor.h"
#include "common/runtime/system_calls.h"

namespace mailstead::runtime {

namespace {

// Newer than the headers of the oldest supported system.
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

using Rights = std::uint64_t;

constexpr Rights kReadRights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr Rights kTemporaryRights =
    kReadRights | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_TRUNCATE;
constexpr Rights kWriteRights = kTemporaryRights | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
                                LANDLOCK_ACCESS_FS_REFER;
constexpr Rights kProgramRights = kReadRights | LANDLOCK_ACCESS_FS_EXECUTE;
// Those that mean something for a single file.
constexpr Rights kFileRights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                               LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_TRUNCATE;

Rights rights_known_to(int abi) {
    Rights known = (1ULL << 13) - 1;  // ABI 1: execute ... make_sym
    if (abi >= 2) known |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3) known |= LANDLOCK_ACCESS_FS_TRUNCATE;
    return known;
}

Rights rights_of(Access access) {
    switch (access) {
        case Access::read:
            return kReadRights;
        case Access::update:
            return kReadRights | LANDLOCK_ACCESS_FS_WRITE_FILE;
        case Access::temporary:
            return kTemporaryRights;
        case Access::write:
            break;
    }
    return kWriteRights;
}

Error failure(const std::string& what) {
    return permanent_error(what + ": " + std::strerror(errno));
}

Result<void> allow(int ruleset, const std::string& path, Rights rights) {
    const FileDescriptor place(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!place) {
        if (errno == ENOENT || errno == ENOTDIR) return {};
        return failure("sandbox: " + path);
    }
    struct stat status {};
    if (fstat(place.get(), &status) != 0) return failure("sandbox: " + path);
    landlock_path_beneath_attr rule{};
    rule.allowed_access = S_ISDIR(status.st_mode) ? rights : rights & kFileRights;
    rule.parent_fd = place.get();
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        return failure("sandbox: " + path);
    return {};
}

// What every program touches: libraries loaded late (iconv, NSS), the resolver's files, time zones, OpenSSL's
// configuration and roots, and the kernel's view of itself.
constexpr std::array kReadByAll{"/usr/lib",
                                "/usr/share/zoneinfo",
                                "/lib",
                                "/lib64",
                                "/etc/ld.so.cache",
                                "/etc/ssl",
                                "/usr/lib/ssl",
                                "/usr/share/ca-certificates",
                                "/usr/local/share/ca-certificates",
                                "/etc/resolv.conf",
                                "/etc/hosts",
                                "/etc/nsswitch.conf",
                                "/etc/gai.conf",
                                "/etc/localtime",
                                "/etc/passwd",
                                "/etc/group",
                                "/proc/self",
                                "/proc/meminfo",
                                "/proc/stat",
                                "/proc/sys/kernel/random/boot_id",
                                "/proc/sys/vm",
                                "/sys/devices/system/cpu",
                                "/dev/urandom",
                                "/dev/random"};

Result<int> close_file_system(const Sandbox& sandbox) {
    const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) return 0;  // ENOSYS: not built in; EOPNOTSUPP: not switched on
    // The first version forbids every link and rename from one folder to another.
    if (abi < 2 && sandbox.links_files) return 0;
    const Rights known = rights_known_to(static_cast<int>(abi));
    landlock_ruleset_attr attributes{};
    attributes.handled_access_fs = known;
    const FileDescriptor ruleset(static_cast<int>(
        syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0)));
    if (!ruleset) return failure("sandbox: Landlock");
    const Rights by_all = sandbox.start_programs ? kProgramRights : kReadRights | LANDLOCK_ACCESS_FS_EXECUTE;
    for (const char* const path : kReadByAll) TRY_VOID(allow(ruleset.get(), path, by_all & known));
    TRY_VOID(allow(ruleset.get(), "/dev/null", (kReadRights | LANDLOCK_ACCESS_FS_WRITE_FILE) & known));
    if (sandbox.start_programs) {
        for (const char* const path : {"/usr", "/bin", "/sbin"})
            TRY_VOID(allow(ruleset.get(), path, kProgramRights & known));
    }
    for (const PathRule& rule : sandbox.paths)
        TRY_VOID(allow(ruleset.get(), rule.path, rights_of(rule.access) & known));
    if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return failure("sandbox: Landlock");
    return static_cast<int>(abi);
}

}  // namespace

Result<void> forbid_new_privileges() {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failure("no_new_privs");
    return {};
}

Result<SandboxReport> enter_sandbox(const Sandbox& sandbox) {
    TRY_VOID(forbid_new_privileges());
    SandboxReport report;
    TRY(abi, close_file_system(sandbox));
    report.landlock_abi = abi;
    TRY(filtered, filter_system_calls(sandbox));
    report.seccomp = filtered;
    return report;
}

}  // namespace mailstead::runtime
