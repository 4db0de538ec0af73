#include "admin/supervisor.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/process.h"
#include "common/base/clock.h"

namespace mailstead::admin {
namespace {

using Steady = std::chrono::steady_clock;
constexpr Milliseconds kFirstPause{100};
constexpr Milliseconds kLongestPause{2'000};
constexpr Seconds kLongLife{10};
// A daemon drains for 20 seconds; what has not ended then hangs.
constexpr Seconds kStopPatience{40};

// Like the daemons' own lines.
void log(const char* level, const char* event, const std::string& rest) {
    const std::string line = to_rfc3339(now()) + ' ' + level + " event=" + event + ' ' + rest + '\n';
    static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}

std::string describe_end(int status) {
    if (WIFEXITED(status)) return "code=" + std::to_string(WEXITSTATUS(status));
    return "signal=" + std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

struct Daemon {
    DaemonPlan plan;
    pid_t pid = -1;  // -1: not running
    FileDescriptor ready;
    bool is_ready = false;
    bool was_ever_ready = false;
    Steady::time_point started{};
    std::optional<Steady::time_point> restart_at;
    Milliseconds pause = kFirstPause;
};

class Supervisor {
public:
    explicit Supervisor(const std::vector<DaemonPlan>& plans) {
        for (const DaemonPlan& plan : plans) daemons_.emplace_back().plan = plan;
    }

    Outcome<> run() {
        TRY_VOID(catch_signals());
        for (Daemon& daemon : daemons_) {
            if (auto started = start(daemon); !started) return give_up(started.error());
            while (!daemon.is_ready && !stopping_) {
                wait_for_events(std::nullopt);
                if (daemon.pid < 0) return give_up(never_ready(daemon));
                restart_due();
            }
            if (stopping_) break;
        }
        if (!stopping_) say_ready();
        while (!stopping_) {
            wait_for_events(next_restart());
            restart_due();
        }
        stop_all();
        return {};
    }

private:
    Outcome<> catch_signals() {
        sigset_t wanted;
        ::sigemptyset(&wanted);
        for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::sigaddset(&wanted, signal);
        ::signal(SIGPIPE, SIG_IGN);
        ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
        signals_ = FileDescriptor(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
        if (!signals_) return Failure(EX_OSERR, "signals cannot be received");
        return {};
    }

    static void say_ready() {
        std::fputs("ready\n", stdout);
        std::fflush(stdout);
        log("info", "serve.ready", "");
    }

    Failure never_ready(const Daemon& daemon) const {
        const bool bad_settings = WIFEXITED(daemon_end_) && WEXITSTATUS(daemon_end_) == EX_CONFIG;
        return {bad_settings ? EX_CONFIG : EX_UNAVAILABLE, daemon.plan.name + " ended before it was ready (" +
                                                               describe_end(daemon_end_) +
                                                               "); its last lines above say why"};
    }

    Outcome<> give_up(Failure failure) {
        stop_all();
        return failure;
    }

    Outcome<> start(Daemon& daemon) {
        auto child = spawn_daemon(daemon.plan.program, daemon.plan.arguments);
        if (!child) return Failure(EX_OSERR, daemon.plan.name + " cannot be started: " + child.error().what);
        daemon.pid = child->pid;
        daemon.ready = std::move(child->ready);
        daemon.is_ready = false;
        daemon.started = Steady::now();
        daemon.restart_at.reset();
        return {};
    }

    // Until a signal came, a daemon said something on its pipe, or the time is over.
    void wait_for_events(std::optional<Steady::time_point> until) {
        std::vector<pollfd> polled = {{signals_.get(), POLLIN, 0}};
        for (const Daemon& daemon : daemons_) {
            if (daemon.ready) polled.push_back({daemon.ready.get(), POLLIN, 0});
        }
        int timeout = -1;
        if (until) {
            const auto left = std::chrono::ceil<Milliseconds>(*until - Steady::now()).count();
            timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
        }
        if (::poll(polled.data(), polled.size(), timeout) < 0 && errno != EINTR) return;
        for (const pollfd& p : polled) {
            if (p.fd != signals_.get() && p.revents != 0) hear_ready(p.fd);
        }
        take_signals();
    }

    void hear_ready(int fd) {
        const auto found = std::find_if(daemons_.begin(), daemons_.end(),
                                        [&](const Daemon& d) { return d.ready.get() == fd; });
        char byte = 0;
        if (::read(fd, &byte, 1) == 1) {
            found->is_ready = true;
            found->was_ever_ready = true;
        }
        // One byte is all that comes; the end of the pipe without it is told by SIGCHLD.
        found->ready.reset();
    }

    void take_signals() {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
            switch (static_cast<int>(info.ssi_signo)) {
                case SIGCHLD:
                    break;
                case SIGHUP:
                    signal_all(SIGHUP);
                    break;
                default:
                    stopping_ ? signal_all(SIGKILL) : static_cast<void>(stopping_ = true);
            }
        }
        reap();
    }

    void signal_all(int signal) {
        for (const Daemon& daemon : daemons_) {
            if (daemon.pid > 0) ::kill(daemon.pid, signal);
        }
    }

    // SIGCHLD does not count: several ends may come as one signal.
    void reap() {
        for (Daemon& daemon : daemons_) {
            int status = 0;
            if (daemon.pid <= 0 || ::waitpid(daemon.pid, &status, WNOHANG) != daemon.pid) continue;
            daemon.pid = -1;
            daemon.ready.reset();
            daemon_end_ = status;
            if (!stopping_) plan_restart(daemon, status);
        }
    }

    void plan_restart(Daemon& daemon, int status) {
        if (!daemon.was_ever_ready) return;  // the start as a whole fails
        const auto died = Steady::now();
        if (died - daemon.started >= kLongLife) daemon.pause = kFirstPause;
        daemon.restart_at = died + daemon.pause;
        log("warning", "serve.ended",
            "daemon=" + daemon.plan.name + ' ' + describe_end(status) +
                " restart_in_ms=" + std::to_string(daemon.pause.count()));
        daemon.pause = std::min(daemon.pause * 2, kLongestPause);
    }

    std::optional<Steady::time_point> next_restart() const {
        std::optional<Steady::time_point> first;
        for (const Daemon& daemon : daemons_) {
            if (daemon.restart_at && (!first || *daemon.restart_at < *first)) first = daemon.restart_at;
        }
        return first;
    }

    void restart_due() {
        for (Daemon& daemon : daemons_) {
            if (stopping_ || !daemon.restart_at || *daemon.restart_at > Steady::now()) continue;
            if (const auto started = start(daemon); !started) {
                log("error", "serve.restart_failed", "daemon=" + daemon.plan.name);
                daemon.restart_at = Steady::now() + daemon.pause;
                daemon.pause = std::min(daemon.pause * 2, kLongestPause);
            }
        }
    }

    // First who takes mail in, then who serves it, last who keeps it: nobody loses the one behind while it
    // works.
    void stop_all() {
        stopping_ = true;
        for (auto daemon = daemons_.rbegin(); daemon != daemons_.rend(); ++daemon) {
            if (daemon->pid <= 0) continue;
            ::kill(daemon->pid, SIGTERM);
            const auto deadline = Steady::now() + kStopPatience;
            while (daemon->pid > 0 && Steady::now() < deadline) wait_for_events(deadline);
            if (daemon->pid <= 0) continue;
            log("error", "serve.killed", "daemon=" + daemon->plan.name);
            ::kill(daemon->pid, SIGKILL);
            ::waitpid(daemon->pid, nullptr, 0);
            daemon->pid = -1;
        }
    }

    std::vector<Daemon> daemons_;
    FileDescriptor signals_;
    bool stopping_ = false;
    int daemon_end_ = 0;  // status of the daemon that ended last
};

}  // namespace

Outcome<> supervise(const std::vector<DaemonPlan>& plans) {
    return Supervisor(plans).run();
}

}  // namespace mailstead::admin
