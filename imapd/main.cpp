// mailstead-imapd: ports 143 and 993, and for POP3 110 and 995. Reads mailboxes; every change is a request to
// deliver. Opens no connection outward.
#include <memory>

#include "common/commit/file_layer.h"
#include "common/ipc/roles.h"
#include "common/kv/fault_guard.h"
#include "common/mime/charset.h"
#include "common/runtime/daemon.h"
#include "common/runtime/log.h"
#include "common/runtime/ownership.h"
#include "common/runtime/server_tls.h"
#include "imapd/session/server.h"

namespace mailstead::imapd {
namespace {

class Program final : public runtime::Program {
public:
    std::string_view name() const override { return "imapd"; }

    Result<runtime::Plan> configure(const std::string& settings_file) override {
        TRY(loaded, runtime::load_settings(settings_file));
        settings_ = std::move(loaded);
        runtime::Plan plan = runtime::plan_of(settings_);
        TRY_VOID(runtime::add_listeners(plan, our_listeners(settings_)));
        plan.lock = run_folder() / "lock";
        plan.unix_sockets.push_back({.path = run_folder() / "notify", .mode = 0600, .datagram = true});
        // A session has its socket and two files of its account's index; FETCH opens some dozens at a time.
        plan.max_open_files = std::size_t{settings_.limits.connections} * 3 + 4096;
        // Mailboxes and the directory are read; only LMDB's lock files are written, and nameless files for
        // APPEND.
        plan.sandbox.paths = {{.path = data("accounts"), .access = runtime::Access::update},
                              {.path = data("directory"), .access = runtime::Access::update},
                              {.path = data("shares"), .access = runtime::Access::update},
                              {.path = data("journal"), .access = runtime::Access::read},
                              {.path = data("spool"), .access = runtime::Access::temporary},
                              // The key to deliver.
                              {.path = run_folder(), .access = runtime::Access::read}};
        runtime::add_certificates(plan, settings_.tls);
        return plan;
    }

    Result<void> prepare() override {
        // Landlock knows files of /proc/sys by inodes that do not outlive the kernel's caches.
        (void)commit::FileLayer::real().boot_id();
        return tls_.load(settings_.tls, our_listeners(settings_));
    }

    Result<void> open() override {
        mime::preload_charsets();
        const std::filesystem::path record = run_folder() / "faults";
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
    std::string data(const std::string& below) const { return settings_.data_dir / below; }
    std::filesystem::path run_folder() const { return ipc::run_folder(settings_.data_dir, ipc::Role::imapd); }

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
