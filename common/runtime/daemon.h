// The life of a daemon, in one order for all of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/file_descriptor.h"
#include "common/base/result.h"
#include "common/net/io_threads.h"
#include "common/net/socket_address.h"
#include "common/runtime/log.h"
#include "common/runtime/sandbox.h"

namespace mailstead::runtime {

struct UnixSocketPlan {
    std::string path;
    unsigned mode = 0600;
    bool datagram = false;
};

// What a daemon wants from the system. Filled by Program::configure.
struct Plan {
    log::Level log_level = log::Level::info;
    std::string log_file;                      // empty: standard error
    std::vector<net::SocketAddress> tcp;       // bound in this order, before root is dropped
    std::vector<UnixSocketPlan> unix_sockets;  // as the user, after root is dropped; their folders must exist
    std::string user;                          // empty: stay who we are
    std::size_t threads = 0;                   // 0: one per core
    std::size_t max_open_files = 0;            // RLIMIT_NOFILE to ask for; 0: the hard limit
    Sandbox sandbox;
    std::chrono::seconds drain{20};  // from SIGTERM to abort()
};

// Bound sockets, in the plan's order.
struct Sockets {
    std::vector<FileDescriptor> tcp;
    std::vector<FileDescriptor> unix_sockets;
};

// What a main.cpp supplies. The functions are called in the order of their declaration, on the main thread.
// An error ends the start with exit code 78 (EX_CONFIG) if retrying is useless, else 75 (EX_TEMPFAIL).
class Program {
public:
    virtual ~Program() = default;
    // `smtpd`: in log lines.
    virtual std::string_view name() const = 0;
    // Reads the settings.
    virtual Result<Plan> configure(const std::string& settings_file) = 0;
    // Still root if started as root: reads what only root can (TLS keys).
    virtual Result<void> prepare() { return {}; }
    // As the user, before the sandbox: opens databases and folders, whose lock files the sandbox may not let
    // create.
    virtual Result<void> open() { return {}; }
    // In the sandbox; the pool's threads start right after: makes listeners, spawns tasks.
    virtual Result<void> start(net::IoThreads& threads, Sockets sockets) = 0;
    // SIGHUP. The log file has been opened anew already.
    virtual void reload() {}
    // SIGTERM or SIGINT: stops accepting and asks sessions to end; must not block.
    virtual void request_stop() = 0;
    // Blocks until all has ended or the time is over; whether it has.
    virtual bool wait_idle(std::chrono::milliseconds at_most) = 0;
    // The time is over: ends everything.
    virtual void abort() = 0;
    // The pool's threads have ended: closes databases.
    virtual void close() {}

    // For run_daemon. Kept here, so that the contexts outlive all that a program made on them in start().
    net::IoThreads& keep(std::unique_ptr<net::IoThreads> threads) {
        threads_ = std::move(threads);
        return *threads_;
    }

private:
    std::unique_ptr<net::IoThreads> threads_;
};

// Parses `-c FILE` (default /etc/mailstead/mailstead.toml), starts the program, says ready (sd_notify READY=1
// on $NOTIFY_SOCKET, and one byte to the descriptor $MAILSTEAD_READY_FD), serves until SIGTERM or SIGINT,
// drains. The exit code.
int run_daemon(Program& program, int argc, const char* const* argv);

}  // namespace mailstead::runtime
