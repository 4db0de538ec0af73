// mailstead-imapd: ports 143 and 993. Reads mailboxes; every change is a request to deliver. Opens no
// connection outward.
#include <memory>

#include "common/mime/charset.h"
#include "common/runtime/daemon.h"
#include "imapd/session/server.h"

namespace mailstead::imapd {
namespace {

class Program final : public runtime::Program {
public:
    std::string_view name() const override { return "imapd"; }

    Result<runtime::Plan> configure(const std::string& settings_file) override {
        auto loaded = settings::load(settings_file);
        if (!loaded) return permanent_error(loaded.error().to_string());
        settings_ = *std::move(loaded);
        runtime::Plan plan;
        plan.log_level = static_cast<log::Level>(settings_.log.level);
        plan.log_file = settings_.log.file;
        plan.user = settings_.user;
        plan.threads = settings_.workers;
        for (const settings::Listener& listener : settings_.listeners_of(settings::Service::imap)) {
            const auto address = net::SocketAddress::parse(listener.address.to_string());
            if (!address)
                return permanent_error("not an address to listen on: " + listener.address.to_string());
            plan.tcp.push_back(*address);
            wants_tls_ = wants_tls_ || listener.tls == settings::TlsMode::implicit;
        }
        plan.unix_sockets.push_back({.path = data("run/imapd.notify"), .mode = 0600, .datagram = true});
        // Mailboxes and the directory are read; only LMDB's lock files are written, and nameless files for
        // APPEND.
        plan.sandbox.paths = {{.path = data("accounts"), .access = runtime::Access::update},
                              {.path = data("directory"), .access = runtime::Access::update},
                              {.path = data("journal"), .access = runtime::Access::read},
                              {.path = data("spool"), .access = runtime::Access::temporary},
                              {.path = data("run"), .access = runtime::Access::read}};
        for (const settings::CertificatePaths& pair : settings_.tls.certificates) {
            // The folders, since renewed certificates are new files.
            plan.sandbox.paths.push_back(
                {.path = pair.certificate.parent_path(), .access = runtime::Access::read});
            plan.sandbox.paths.push_back({.path = pair.key.parent_path(), .access = runtime::Access::read});
        }
        return plan;
    }

    Result<void> prepare() override {
        if (settings_.tls.certificates.empty()) {
            if (wants_tls_)
                return permanent_error("a listener begins with TLS, but tls.certificate is not set");
            return {};
        }
        net::TlsServerOptions options;
        for (const settings::CertificatePaths& pair : settings_.tls.certificates) {
            options.certificates.push_back({.certificate = pair.certificate, .key = pair.key});
        }
        options.session_tickets = settings_.tls.session_tickets;
        options.on_problem = [](std::string_view problem) {
            log::warning("tls.problem", {{"why", problem}});
        };
        options.on_reload = [] { log::info("tls.reloaded"); };
        TRY(context, net::TlsServerContext::load(std::move(options)));
        tls_ = std::move(context);
        return {};
    }

    Result<void> open() override {
        mime::preload_charsets();
        TRY(directory, directory::open_directory(settings_.data_dir));
        directory_ = std::move(directory);
        server_ = std::make_unique<Server>(settings_, *directory_, tls_);
        return {};
    }

    Result<void> start(net::IoThreads& threads, runtime::Sockets sockets) override {
        return server_->start(threads, std::move(sockets.tcp), std::move(sockets.unix_sockets.at(0)));
    }

    void reload() override {
        if (!tls_) return;
        if (const auto reloaded = tls_->reload(); !reloaded)
            log::warning("tls.problem", {{"why", reloaded.error().what}});
    }
    void request_stop() override { server_->request_stop(); }
    bool wait_idle(std::chrono::milliseconds at_most) override { return server_->wait_idle(at_most); }
    void abort() override { server_->abort(); }
    void close() override { server_.reset(); }

private:
    std::string data(const std::string& below) const { return settings_.data_dir / below; }

    settings::Settings settings_;
    bool wants_tls_ = false;
    std::shared_ptr<net::TlsServerContext> tls_;
    std::unique_ptr<directory::Directory> directory_;
    std::unique_ptr<Server> server_;
};

}  // namespace
}  // namespace mailstead::imapd

int main(int argc, char** argv) {
    mailstead::imapd::Program program;
    return mailstead::runtime::run_daemon(program, argc, argv);
}
