#include "common/runtime/plan.h"

#include "common/runtime/addresses.h"

namespace mailstead::runtime {

Result<settings::Settings> load_settings(const std::string& file) {
    auto loaded = settings::load(file);
    if (!loaded) return permanent_error(loaded.error().to_string());
    return *std::move(loaded);
}

Plan plan_of(const settings::Settings& settings) {
    Plan plan;
    plan.log_level = static_cast<log::Level>(settings.log.level);
    plan.log_file = settings.log.file;
    plan.user = settings.user;
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
