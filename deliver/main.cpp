// mailstead-deliver: the only writer. Mailboxes, queue and ledger; the proofs of logins; mail to other
// servers.
#include "common/ipc/roles.h"
#include "common/runtime/daemon.h"
#include "common/runtime/ownership.h"
#include "deliver/service.h"

namespace mailstead::deliver {
namespace {

class Program final : public runtime::Program {
public:
    std::string_view name() const override { return "deliver"; }

    Result<runtime::Plan> configure(const std::string& settings_file) override {
        TRY(loaded, runtime::load_settings(settings_file));
        settings_ = std::move(loaded);
        runtime::Plan plan = runtime::plan_of(settings_);
        plan.lock = runtime::owner_lock(settings_.data_dir);
        plan.folders = {settings_.data_dir / "run"};
        for (const ipc::Role role : ipc::kRoles) {
            plan.folders.push_back(ipc::run_folder(settings_.data_dir, role));
            plan.unix_sockets.push_back({.path = ipc::socket_path(settings_.data_dir, role), .mode = 0600});
        }
        plan.sandbox.internet = true;  // other people's servers, the DNS
        plan.sandbox.links_files = true;
        plan.sandbox.paths = {
            {.path = settings_.data_dir, .access = runtime::Access::write},
            {.path = "/proc/self/fd", .access = runtime::Access::read},  // to link unnamed files
            {.path = "/proc/sys/kernel/random", .access = runtime::Access::read},
            {.path = "/etc", .access = runtime::Access::read},
            {.path = "/usr", .access = runtime::Access::read}};  // trusted roots, character sets
        add_readable(plan, settings_.relay.ca_file);
        if (settings_.relay.smarthost) add_readable(plan, settings_.relay.smarthost->password_file);
        for (const settings::Route& route : settings_.relay.routes) {
            if (route.smarthost) add_readable(plan, route.smarthost->password_file);
        }
        return plan;
    }

    Result<void> open() override {
        service_ = std::make_unique<Service>(settings_);
        return service_->open();
    }
    Result<void> start(net::IoThreads& threads, runtime::Sockets sockets) override {
        return service_->start(threads, std::move(sockets.unix_sockets));
    }
    void request_stop() override { service_->request_stop(); }
    bool wait_idle(std::chrono::milliseconds at_most) override { return service_->wait_idle(at_most); }
    void abort() override { service_->abort(); }
    void close() override { service_->close(); }

private:
    static void add_readable(runtime::Plan& plan, const std::filesystem::path& file) {
        if (!file.empty()) plan.sandbox.paths.push_back({.path = file, .access = runtime::Access::read});
    }

    settings::Settings settings_;
    std::unique_ptr<Service> service_;
};

}  // namespace
}  // namespace mailstead::deliver

int main(int argc, char** argv) {
    mailstead::deliver::Program program;
    return mailstead::runtime::run_daemon(program, argc, argv);
}
