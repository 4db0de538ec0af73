// The life of a daemon, in one order for all of them.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/file_descriptor.h"
#include "common/base/result.h"
#include "common/net/io_threads.h"
#include "common/runtime/plan.h"

namespace mailstead::runtime {

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
    // As the user, before the Unix sockets are bound: the folders that they lie in.
    virtual Result<void> settle() { return {}; }
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
