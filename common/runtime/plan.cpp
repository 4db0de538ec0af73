#include "common/runtime/plan.h"

#include <unistd.h>
#include <utility>

#include "common/runtime/addresses.h"

namespace mailstead::runtime {

Result<settings::Settings> load_settings(const std::string& file) {
    auto loaded = settings::load(file);
    if (!loaded) return permanent_error(loaded.error().to_string());
    return *std::move(loaded);
}

Result<Plan> plan_of(const settings::Settings& settings, Role role) {
    Plan plan;
    plan.log_level = static_cast<log::Level>(settings.log.level);
    plan.log_file = settings.log.file;
    // Whom the service manager started as somebody else is who it should be.
    if (::geteuid() == 0) {
        TRY(identity, identity_of(settings, role));
        plan.identity = std::move(identity);
    }
    plan.threads = settings.workers;
    return plan;
}

Result<void> add_listeners(Plan& plan, std::span<const settings::Listener> listeners) {
    for (const settings::Listener& listener : listeners) {
        TRY(address, address_of(listener.address));
        plan.tcp.push_back(address);
    }
    return {};
}

}  // namespace mailstead::runtime
