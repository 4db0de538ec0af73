#include "common/runtime/daemon.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <grp.h>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/net/listener.h"
#include "common/runtime/file_limit.h"
#include "common/runtime/ownership.h"

namespace mailstead::runtime {

namespace {

// sysexits.h
constexpr int kOk = 0;
constexpr int kUsage = 64;
constexpr int kSoftware = 70;
constexpr int kTemporaryFailure = 75;
constexpr int kConfiguration = 78;

constexpr std::string_view kDefaultSettings = "/etc/mailstead/mailstead.toml";
constexpr std::chrono::milliseconds kAfterAbort{2'000};

// nullopt: wrong arguments.
std::optional<std::string> settings_file(int argc, const char* const* argv) {
    std::string file(kDefaultSettings);
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument != "-c" || i + 1 >= argc) return std::nullopt;
        file = argv[++i];
    }
    return file;
}

// https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
// Connected before the sandbox closes, which an abstract address is outside of.
FileDescriptor find_service_manager() {
    const char* const path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    if (path == nullptr || (path[0] != '/' && path[0] != '@') || std::strlen(path) >= sizeof address.sun_path)
        return {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path, std::strlen(path));
    if (path[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
    FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return {};
    return socket;
}

void tell_service_manager(const FileDescriptor& socket, std::string_view state) {
    if (socket) static_cast<void>(::send(socket.get(), state.data(), state.size(), MSG_NOSIGNAL));
}

void tell_supervisor() {
    const char* const number = std::getenv("MAILSTEAD_READY_FD");
    if (number == nullptr) return;
    const auto fd = text::parse_number<unsigned>(number);
    if (!fd || *fd < 3) return;
    FileDescriptor pipe(static_cast<int>(*fd));
    static_cast<void>(::write(pipe.get(), "\n", 1) == 1);
}

sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
    return set;
}

Result<void> bind_internet(const Plan& plan, Sockets& sockets) {
    for (const net::SocketAddress& address : plan.tcp) {
        const net::SocketAddress twin{net::parse_ip("0.0.0.0").value(), address.port};
        const bool has_twin = address.ip.is_v6() && std::ranges::find(plan.tcp, twin) != plan.tcp.end();
        TRY(socket, net::bind_tcp(address, has_twin ? net::Families::ipv6_only : net::Families::dual));
        sockets.tcp.push_back(std::move(socket));
    }
    return {};
}

Result<void> bind_local(const Plan& plan, Sockets& sockets) {
    for (const UnixSocketPlan& wanted : plan.unix_sockets) {
        TRY(socket, wanted.datagram ? net::bind_unix_datagram(wanted.path, wanted.mode)
                                    : net::bind_unix(wanted.path, wanted.mode));
        if (wanted.group != static_cast<gid_t>(-1) &&
            ::lchown(wanted.path.c_str(), static_cast<uid_t>(-1), wanted.group) != 0)
            return permanent_error("cannot give " + wanted.path + " to group " +
                                   std::to_string(wanted.group) + ": " + std::strerror(errno));
        sockets.unix_sockets.push_back(std::move(socket));
    }
    return {};
}

// The effective user for a while: root is given up only when the low ports are bound, but what is made before
// then in the user's folders must be the user's.
class ActingAs {
public:
    explicit ActingAs(const std::optional<Identity>& who) {
        if (!who) return;
        groups_.resize(64 * 1024);  // NGROUPS_MAX
        const int count = ::getgroups(static_cast<int>(groups_.size()), groups_.data());
        groups_.resize(static_cast<std::size_t>(std::max(count, 0)));
        // What is refused here is refused by become() as well, which says so.
        acts_ = ::setgroups(who->groups.size(), who->groups.data()) == 0 && ::setegid(who->gid) == 0 &&
                ::seteuid(who->uid) == 0;
    }
    ~ActingAs() {
        if (!acts_) return;
        if (::seteuid(0) != 0 || ::setegid(0) != 0 || ::setgroups(groups_.size(), groups_.data()) != 0)
            std::abort();
    }
    ActingAs(const ActingAs&) = delete;
    ActingAs& operator=(const ActingAs&) = delete;

private:
    std::vector<gid_t> groups_;
    bool acts_ = false;
};

Result<FileDescriptor> take_lock(const Plan& plan, std::string_view program) {
    if (plan.lock.empty()) return FileDescriptor();
    const ActingAs user(plan.identity);
    const auto holder = holder_of(plan.lock);
    if (holder && holder->stopping)
        log::info("daemon.waits", {{"for", holder->to_string()}, {"why", "it is stopping"}});
    return hold_lock(plan.lock, program);
}

// What is there after a successful start.
struct Running {
    Plan plan;
    FileDescriptor lock;
    net::IoThreads* threads = nullptr;
};

Result<Running> start(Program& program, const std::string& settings) {
    TRY(plan, program.configure(settings));
    log::set_level(plan.log_level, program.name());
    const std::size_t files = raise_file_limit(plan.max_open_files);
    if (files < plan.max_open_files)
        log::warning("daemon.files.few", {{"wanted", plan.max_open_files}, {"limit", files}});
    TRY(lock, take_lock(plan, program.name()));
    Sockets sockets;
    TRY_VOID(bind_internet(plan, sockets));
    TRY_VOID(program.prepare());
    if (plan.identity) TRY_VOID(become(*plan.identity));
    TRY_VOID(forbid_new_privileges());
    TRY_VOID(log::open(plan.log_file));
    TRY_VOID(program.settle());
    TRY_VOID(bind_local(plan, sockets));
    TRY_VOID(program.open());
    net::IoThreads& threads = program.keep(std::make_unique<net::IoThreads>(plan.threads));
    TRY(report, close_sandbox(plan));
    log::info("daemon.sandbox", {{"landlock", report.landlock_abi}, {"seccomp", report.seccomp}});
    TRY_VOID(program.start(threads, std::move(sockets)));
    threads.start();
    return Running{std::move(plan), std::move(lock), &threads};
}

// Until SIGTERM or SIGINT.
void serve(Program& program) {
    const sigset_t signals = handled_signals();
    for (;;) {
        const int number = sigwaitinfo(&signals, nullptr);
        if (number == SIGTERM || number == SIGINT) return;
        if (number != SIGHUP) continue;
        log::reopen();
        log::info("daemon.reload");
        program.reload();
    }
}

// A second signal makes it short.
bool asked_again() {
    const sigset_t signals = handled_signals();
    const timespec at_once{};
    const int number = sigtimedwait(&signals, nullptr, &at_once);
    return number == SIGTERM || number == SIGINT;
}

void drain(Program& program, std::chrono::seconds at_most) {
    program.request_stop();
    const auto until = std::chrono::steady_clock::now() + at_most;
    while (std::chrono::steady_clock::now() < until && !asked_again()) {
        if (program.wait_idle(std::chrono::milliseconds(100))) return;
    }
    log::warning("daemon.abort");
    program.abort();
    program.wait_idle(kAfterAbort);
}

int run(Program& program, const std::string& settings) {
    const sigset_t signals = handled_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    // Files are for their folder's group; modes say where not.
    ::umask(0027);
    keep_memory_private();
    const FileDescriptor service_manager = find_service_manager();
    auto running = start(program, settings);
    if (!running) {
        const Error error = running.error();
        log::error("daemon.start", {{"program", program.name()}, {"error", error.what}});
        return error.retry == Retry::is_useless ? kConfiguration : kTemporaryFailure;
    }
    log::info("daemon.ready", {{"threads", running->threads->size()}});
    tell_service_manager(service_manager, "READY=1");
    tell_supervisor();
    serve(program);
    log::info("daemon.stop");
    tell_service_manager(service_manager, "STOPPING=1");
    if (running->lock) say_stopping(running->lock);
    drain(program, running->plan.drain);
    running->threads->stop();
    running->threads->join();
    program.close();
    // Until the process is gone: what the program still has open is closed after this.
    static_cast<void>(running->lock.release());
    return kOk;
}

}  // namespace

int run_daemon(Program& program, int argc, const char* const* argv) {
    const std::optional<std::string> settings = settings_file(argc, argv);
    if (!settings) {
        std::fprintf(stderr, "usage: mailstead-%s [-c FILE]\n", std::string(program.name()).c_str());
        return kUsage;
    }
    try {
        return run(program, *settings);
    } catch (const std::exception& exception) {
        log::error("daemon.exception", {{"error", exception.what()}});
        return kSoftware;
    }
}

}  // namespace mailstead::runtime
