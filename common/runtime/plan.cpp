#include "common/runtime/plan.h"

#include <algorithm>
#include <unistd.h>
#include <utility>

#include "common/runtime/addresses.h"

namespace mailstead::runtime {

namespace {

// Both as the kernel sees them: Landlock knows folders, not names.
bool is_within(const std::filesystem::path& path, const std::filesystem::path& folder) {
    std::error_code ignored;
    const auto inner = std::filesystem::weakly_canonical(path, ignored);
    const auto outer = std::filesystem::weakly_canonical(folder, ignored);
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

}  // namespace

Result<settings::Settings> load_settings(const std::string& file) {
    auto loaded = settings::load(file);
    if (!loaded) return permanent_error(loaded.error().to_string());
    return *std::move(loaded);
}

Result<Plan> plan_of(const settings::Settings& settings, Role role) {
    Plan plan;
    plan.data_dir = settings.data_dir;
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

void allow_replaced(Plan& plan, const std::filesystem::path& file, Access access) {
    const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
    const bool holds_data = !plan.data_dir.empty() && is_within(plan.data_dir, folder);
    plan.sandbox.paths.push_back({.path = holds_data ? file : folder, .access = access});
}

Result<SandboxReport> close_sandbox(const Plan& plan) {
    Plan all = plan;
    if (!plan.log_file.empty()) allow_replaced(all, plan.log_file, Access::log);
    return enter_sandbox(all.sandbox);
}

Result<void> add_listeners(Plan& plan, std::span<const settings::Listener> listeners) {
    for (const settings::Listener& listener : listeners) {
        TRY(address, address_of(listener.address));
        plan.tcp.push_back(address);
    }
    return {};
}

}  // namespace mailstead::runtime
