// mailstead-deliver: the only writer. Mailboxes, queue and ledger; the proofs of logins; mail to other
// servers.
#include "common/runtime/daemon.h"
#include "common/runtime/data_folder.h"
#include "deliver/plan.h"
#include "deliver/service.h"

namespace mailstead::deliver {
namespace {

class Program final : public runtime::Program {
public:
    std::string_view name() const override { return "deliver"; }

    Result<runtime::Plan> configure(const std::string& settings_file) override {
        TRY(loaded, runtime::load_settings(settings_file));
        settings_ = std::move(loaded);
        TRY(users, users_of(settings_));
        users_ = users;
        return plan_of(settings_, users_);
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
