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
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
// linux/landlock.h of Linux 6.12, as far as it is used: struct landlock_ruleset_attr grew at its end.
constexpr std::uint64_t kNetBindTcp = 1ULL << 0;
constexpr std::uint64_t kNetConnectTcp = 1ULL << 1;
constexpr std::uint64_t kScopeAbstractUnixSocket = 1ULL << 0;
constexpr std::uint64_t kScopeSignal = 1ULL << 1;
struct RulesetAttributes {
    std::uint64_t handled_access_fs = 0;
    std::uint64_t handled_access_net = 0;  // from ABI 4 on
    std::uint64_t scoped = 0;              // from ABI 6 on
};
constexpr int kRuleNetPort = 2;
struct NetPortAttributes {
    std::uint64_t allowed_access = 0;
    std::uint64_t port = 0;
};

using Rights = std::uint64_t;

constexpr Rights kReadRights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr Rights kTemporaryRights =
    kReadRights | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_TRUNCATE;
constexpr Rights kWriteRights = kTemporaryRights | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER;
constexpr Rights kProgramRights = kReadRights | LANDLOCK_ACCESS_FS_EXECUTE;
// Those that mean something for a single file.
constexpr Rights kFileRights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                               LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_TRUNCATE;

Rights rights_known_to(int abi) {
    Rights known = (1ULL << 13) - 1;  // ABI 1: execute ... make_sym
    if (abi >= 2) known |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3) known |= LANDLOCK_ACCESS_FS_TRUNCATE;
    if (abi >= 5) known |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
    return known;
}

Rights rights_of(Access access) {
    switch (access) {
        case Access::read:
            return kReadRights;
        case Access::update:
            return kReadRights | LANDLOCK_ACCESS_FS_WRITE_FILE;
        case Access::resize:
            return kReadRights | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;
        case Access::temporary:
            return kTemporaryRights;
        case Access::log:
            return LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG;
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

FileDescriptor make_ruleset(const Sandbox& sandbox, int abi) {
    RulesetAttributes attributes;
    attributes.handled_access_fs = rights_known_to(abi);
    std::size_t size = sizeof attributes.handled_access_fs;
    if (abi >= 4) {
        attributes.handled_access_net = kNetBindTcp;
        if (!sandbox.internet || !sandbox.tcp_ports.empty()) attributes.handled_access_net |= kNetConnectTcp;
        size = offsetof(RulesetAttributes, scoped);
    }
    if (abi >= 6) {
        attributes.scoped = kScopeAbstractUnixSocket;
        if (!sandbox.start_programs) attributes.scoped |= kScopeSignal;
        size = sizeof attributes;
    }
    return FileDescriptor(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
}

Result<void> allow_ports(int ruleset, const Sandbox& sandbox, int abi) {
    if (abi < 4 || !sandbox.internet) return {};
    for (const std::uint16_t port : sandbox.tcp_ports) {
        const NetPortAttributes rule{kNetConnectTcp, port};
        if (syscall(SYS_landlock_add_rule, ruleset, kRuleNetPort, &rule, 0) != 0)
            return failure("sandbox: port " + std::to_string(port));
    }
    return {};
}

Result<int> close_file_system(const Sandbox& sandbox) {
    const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) return 0;  // ENOSYS: not built in; EOPNOTSUPP: not switched on
    // The first version forbids every link and rename from one folder to another.
    if (abi < 2 && sandbox.links_files) return 0;
    const Rights known = rights_known_to(static_cast<int>(abi));
    const FileDescriptor ruleset = make_ruleset(sandbox, static_cast<int>(abi));
    if (!ruleset) return failure("sandbox: Landlock");
    TRY_VOID(allow_ports(ruleset.get(), sandbox, static_cast<int>(abi)));
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
