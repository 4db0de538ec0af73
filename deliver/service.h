// deliver as a whole: makes the parts, starts and stops them in order.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "common/net/io_threads.h"
#include "common/runtime/daemon.h"
#include "common/settings/settings.h"

namespace mailstead::deliver {

class Service {
public:
    // `users`: who may connect besides deliver's own user and root; nullopt: nobody.
    Service(const settings::Settings& settings, const std::optional<runtime::Users>& users);
    ~Service();

    // Before the sandbox: folders, directory, credentials.
    Result<void> open();
    // Recovers the journal, then serves on `sockets`, one for each of ipc::kRoles in order.
    Result<void> start(net::IoThreads& threads, std::vector<FileDescriptor> sockets);
    void request_stop();
    bool wait_idle(std::chrono::milliseconds at_most);
    void abort();
    void close();

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace mailstead::deliver
