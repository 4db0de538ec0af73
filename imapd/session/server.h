// The daemon's working part: listeners, a worker for each io thread, and the notices of deliver.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/directory/directory.h"
#include "common/kv/fault_guard.h"
#include "common/net/io_threads.h"
#include "common/net/listener_set.h"
#include "common/net/task_group.h"
#include "common/runtime/offload.h"
#include "common/settings/settings.h"
#include "imapd/session/worker.h"

namespace mailstead::imapd {

// The listeners that imapd serves, in the order in which their sockets are handed over: IMAP, then POP3.
std::vector<settings::Listener> our_listeners(const settings::Settings& settings);

class Server {
public:
    // `directory` must outlive it. `tls` may be null when no listener wants it.
    Server(const settings::Settings& settings, const directory::Directory& directory,
           std::shared_ptr<net::TlsServerContext> tls);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // What imapd died of before: deliver is told. Before start().
    void report_faults_before(std::vector<kv::FaultRecord> faults) { faults_ = std::move(faults); }

    // `sockets` are bound to our_listeners(), in order; `notices` to data/run/imapd/notify.
    Result<void> start(net::IoThreads& threads, std::vector<FileDescriptor> sockets, FileDescriptor notices);
    // See runtime::Program.
    void request_stop();
    bool wait_idle(std::chrono::milliseconds at_most);
    void abort();

private:
    void listen(const settings::Listener& listener, FileDescriptor socket);
    net::Task<void> receive_notices();
    net::Task<void> report_faults();
    void reopen_indexes(const ipc::Received& news);

    const settings::Settings settings_;
    const directory::Directory& directory_;
    std::shared_ptr<net::TlsServerContext> tls_;
    store::Reader reader_;
    store::SharesReader shares_;
    runtime::OffloadPool pool_;
    Shared shared_;
    net::IoThreads* threads_ = nullptr;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::unique_ptr<ListenerFacts>> facts_;
    std::vector<kv::FaultRecord> faults_;
    net::ListenerSet listeners_;
    std::unique_ptr<ipc::NoticeReceiver> notices_;
    std::unique_ptr<net::TaskGroup> tasks_;
};

}  // namespace mailstead::imapd
