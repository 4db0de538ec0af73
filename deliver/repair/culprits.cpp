#include "deliver/repair/culprits.h"

#include <csignal>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "common/kv/fault_guard.h"
#include "common/runtime/log.h"
#include "deliver/repair/damaged_copies.h"

namespace mailstead::deliver {
namespace {

constexpr auto kForgotten = std::chrono::hours(24);

struct Suspicion {
    std::vector<kv::FaultRecord> faults;
    bool is_certain = false;  // the file does not hold what its map promised
};

bool copied_lately(const std::filesystem::path& folder, Time now) {
    const auto newest = newest_copy(folder);
    return newest && *newest + kForgotten > now;
}

}  // namespace

Result<void> settle_faults(const std::filesystem::path& data_dir, Time now) {
    const std::filesystem::path record = data_dir / "run/faults";
    std::error_code error;
    const std::filesystem::path root = std::filesystem::canonical(data_dir, error);
    std::map<std::string, Suspicion> suspects;
    for (const kv::FaultRecord& fault : kv::read_faults(record)) {
        if (fault.at + kForgotten < now) continue;
        const std::string folder = fault.directory.lexically_relative(root).string();
        if (folder.empty() || folder.starts_with("..")) continue;
        Suspicion& suspicion = suspects[folder];
        suspicion.faults.push_back(fault);
        suspicion.is_certain |= fault.is_certain && fault.signal == SIGBUS;
    }
    std::vector<kv::FaultRecord> kept;
    for (const auto& [folder, suspicion] : suspects) {
        const bool again = suspicion.faults.size() > 1 && !copied_lately(data_dir / folder, now);
        if (!suspicion.is_certain && !again) {
            kept.insert(kept.end(), suspicion.faults.begin(), suspicion.faults.end());
            continue;
        }
        log::error("repair.killed_the_process", {{"folder", folder}, {"times", suspicion.faults.size()}});
        // Directory and credentials come back from their copies, if there are any.
        const bool needs_copy = folder == "directory" || folder == "credentials";
        if (needs_copy && !std::filesystem::exists(data_dir / folder / "copy.mdb", error)) continue;
        TRY_VOID(move_aside(data_dir / folder, now));
    }
    TRY_VOID(kv::write_faults(record, kept));
    return kv::guard_faults(record);
}

}  // namespace mailstead::deliver
