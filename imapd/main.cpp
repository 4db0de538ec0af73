// mailstead-imapd: ports 143 and 993, and for POP3 110 and 995. Reads mailboxes; every change is a request to
// deliver. Opens no connection outward.
#include <memory>

#include "common/commit/file_layer.h"
#include "common/ipc/roles.h"
#include "common/kv/fault_guard.h"
#include "common/mime/charset.h"
#include "common/runtime/daemon.h"
#include "common/runtime/log.h"
#include "common/runtime/server_tls.h"
#include "imapd/plan.h"
#include "imapd/session/server.h"

namespace mailstead::imapd {
namespace {

class Program final : public runtime::Program {
public:
    std::string_view name() const override { return "imapd"; }

    Result<runtime::Plan> configure(const std::string& settings_file) override {
        TRY(loaded, runtime::load_settings(settings_file));
        settings_ = std::move(loaded);
        return plan_of(settings_);
    }

    Result<void> prepare() override {
        // Landlock knows files of /proc/sys by inodes that do not outlive the kernel's caches.
        (void)commit::FileLayer::real().boot_id();
        return tls_.load(settings_.tls, our_listeners(settings_));
    }

    Result<void> open() override {
        mime::preload_charsets();
        const std::filesystem::path record = ipc::run_folder(settings_.data_dir, ipc::Role::imapd) / "faults";
        auto faults = kv::read_faults(record);
        auto guarded = kv::write_faults(record, {});
        if (guarded) guarded = kv::guard_faults(record);
        if (!guarded) log::warning("imap.faults", {{"failed", guarded.error().what}});
        TRY(directory, directory::open_directory(settings_.data_dir));
        directory_ = std::move(directory);
        server_ = std::make_unique<Server>(settings_, *directory_, tls_.context());
        server_->report_faults_before(std::move(faults));
        return {};
    }

    Result<void> start(net::IoThreads& threads, runtime::Sockets sockets) override {
        return server_->start(threads, std::move(sockets.tcp), std::move(sockets.unix_sockets.at(0)));
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
}  // namespace mailstead::imapd

int main(int argc, char** argv) {
    mailstead::imapd::Program program;
    return mailstead::runtime::run_daemon(program, argc, argv);
}
