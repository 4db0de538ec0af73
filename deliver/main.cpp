// mailstead-deliver: the only writer. Mailboxes, queue and ledger; the proofs of logins; mail to other
// servers.
#include "common/ipc/roles.h"
#include "common/runtime/daemon.h"
#include "common/runtime/data_folder.h"
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
        TRY(plan, runtime::plan_of(settings_, runtime::Role::deliver));
        TRY(users, runtime::users_of(settings_));
        // Started by somebody else than the owner or root, all is one user's.
        if (users && (plan.identity || ::geteuid() == users->owner)) users_ = users;
        plan.lock = runtime::owner_lock(settings_.data_dir);
        for (const ipc::Role role : ipc::kRoles) plan.unix_sockets.push_back(socket_for(role));
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

    Result<void> settle() override {
        // `mailstead init` makes it: a data folder without one is none of ours.
        if (!std::filesystem::exists(settings_.data_dir / "directory"))
            return permanent_error("there is no directory in " + settings_.data_dir.string());
        return runtime::arrange_data_folder(settings_.data_dir, users_);
    }

    Result<void> open() override {
        service_ = std::make_unique<Service>(settings_, users_);
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
    runtime::UnixSocketPlan socket_for(ipc::Role role) const {
        runtime::UnixSocketPlan plan{.path = ipc::socket_path(settings_.data_dir, role), .mode = 0600};
        if (!users_ || role == ipc::Role::admin) return plan;
        plan.mode = 0660;
        plan.group = role == ipc::Role::smtpd ? users_->smtpd_group : users_->mail;
        return plan;
    }

    static void add_readable(runtime::Plan& plan, const std::filesystem::path& file) {
        if (!file.empty()) plan.sandbox.paths.push_back({.path = file, .access = runtime::Access::read});
    }

    settings::Settings settings_;
    std::optional<runtime::Users> users_;
    std::unique_ptr<Service> service_;
};

}  // namespace
}  // namespace mailstead::deliver

int main(int argc, char** argv) {
    mailstead::deliver::Program program;
    return mailstead::runtime::run_daemon(program, argc, argv);
}
