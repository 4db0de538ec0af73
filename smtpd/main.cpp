// mailstead-smtpd: ports 25, 465 and 587. Talks to strangers and owns no data: it can write nothing but
// nameless files in data/spool.
#include <memory>

#include "common/directory/directory.h"
#include "common/ipc/roles.h"
#include "common/runtime/addresses.h"
#include "common/runtime/daemon.h"
#include "common/runtime/ownership.h"
#include "common/runtime/server_tls.h"
#include "smtpd/session/server.h"

namespace mailstead::smtpd {
namespace {

class Program final : public runtime::Program {
public:
    std::string_view name() const override { return "smtpd"; }

    Result<runtime::Plan> configure(const std::string& settings_file) override {
        TRY(loaded, runtime::load_settings(settings_file));
        settings_ = std::move(loaded);
        runtime::Plan plan = runtime::plan_of(settings_);
        TRY_VOID(runtime::add_listeners(plan, our_listeners(settings_)));
        plan.lock = run_folder() / "lock";
        // A session has its socket and its message's file, and may ask the DNS.
        plan.max_open_files = std::size_t{settings_.limits.connections} * 3 + 1024;
        plan.sandbox.internet = true;  // the DNS
        plan.sandbox.tcp_ports = {53};
        TRY(servers, runtime::addresses_of(settings_.dns.servers));
        for (const net::SocketAddress& server : servers) plan.sandbox.tcp_ports.push_back(server.port);
        plan.sandbox.paths = {{.path = data("spool"), .access = runtime::Access::temporary},
                              // The key to deliver.
                              {.path = run_folder(), .access = runtime::Access::read},
                              {.path = "/etc", .access = runtime::Access::read}};  // resolv.conf and hosts
        runtime::add_certificates(plan, settings_.tls);
        return plan;
    }

    Result<void> prepare() override { return tls_.load(settings_.tls, our_listeners(settings_)); }

    Result<void> open() override {
        TRY(directory, directory::open_directory(settings_.data_dir));
        directory_ = std::move(directory);
        TRY(spool, Spool::open(data("spool"), settings_.limits.free_space));
        server_ = std::make_unique<Server>(settings_, *directory_, std::move(spool), tls_.context());
        return {};
    }

    Result<void> start(net::IoThreads& threads, runtime::Sockets sockets) override {
        return server_->start(threads, std::move(sockets.tcp));
    }

    void reload() override { tls_.reload(); }
    void request_stop() override { server_->request_stop(); }
    bool wait_idle(std::chrono::milliseconds at_most) override { return server_->wait_idle(at_most); }
    void abort() override { server_->abort(); }
    void close() override { server_.reset(); }

private:
    std::string data(const std::string& below) const { return settings_.data_dir / below; }
    std::filesystem::path run_folder() const { return ipc::run_folder(settings_.data_dir, ipc::Role::smtpd); }

    settings::Settings settings_;
    runtime::ServerTls tls_;
    std::unique_ptr<directory::Directory> directory_;
    std::unique_ptr<Server> server_;
};

}  // namespace
}  // namespace mailstead::smtpd

int main(int argc, char** argv) {
    mailstead::smtpd::Program program;
    return mailstead::runtime::run_daemon(program, argc, argv);
}
