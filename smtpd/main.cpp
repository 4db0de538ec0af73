// mailstead-smtpd: ports 25, 465 and 587. Talks to strangers and owns no data: it can write nothing but
// nameless files in data/incoming.
#include <memory>

#include "common/directory/directory.h"
#include "common/runtime/daemon.h"
#include "common/runtime/server_tls.h"
#include "smtpd/plan.h"
#include "smtpd/session/server.h"

namespace mailstead::smtpd {
namespace {

class Program final : public runtime::Program {
public:
    std::string_view name() const override { return "smtpd"; }

    Result<runtime::Plan> configure(const std::string& settings_file) override {
        TRY(loaded, runtime::load_settings(settings_file));
        settings_ = std::move(loaded);
        return plan_of(settings_);
    }

    Result<void> prepare() override { return tls_.load(settings_.tls, our_listeners(settings_)); }

    Result<void> open() override {
        TRY(directory, directory::open_directory(settings_.data_dir));
        directory_ = std::move(directory);
        TRY(spool, Spool::open(settings_.data_dir / "incoming", settings_.limits.free_space));
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
