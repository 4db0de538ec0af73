// The daemon's working part: listeners, and for each io thread what its sessions share.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/directory/directory.h"
#include "common/net/io_threads.h"
#include "common/net/listener_set.h"
#include "common/settings/settings.h"
#include "smtpd/core/profile.h"
#include "smtpd/session/environment.h"

namespace mailstead::smtpd {

// The settings' listeners that are ours, in order.
std::vector<settings::Listener> our_listeners(const settings::Settings& settings);

// What a session on such a listener offers.
Profile make_profile(const settings::Settings& settings, const settings::Listener& listener, bool has_tls);

class Server {
public:
    // `directory` must outlive it. `tls` may be null when no listener wants it.
    Server(const settings::Settings& settings, const directory::Directory& directory, Spool spool,
           std::shared_ptr<net::TlsServerContext> tls);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // `sockets` are bound to our_listeners(), in order.
    Result<void> start(net::IoThreads& threads, std::vector<FileDescriptor> sockets);
    // See runtime::Program.
    void request_stop();
    bool wait_idle(std::chrono::milliseconds at_most);
    void abort();

private:
    bool background_ended(std::size_t index);
    Result<void> make_workers(net::IoThreads& threads);
    void listen(net::IoThreads& threads, const settings::Listener& listener, FileDescriptor socket);

    const settings::Settings settings_;
    Environment environment_;
    net::IoThreads* threads_ = nullptr;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::unique_ptr<Profile>> profiles_;
    net::ListenerSet listeners_;
};

}  // namespace mailstead::smtpd
