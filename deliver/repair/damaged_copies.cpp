#include "deliver/repair/damaged_copies.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "common/base/text.h"

namespace mailstead::deliver {
namespace {

constexpr std::size_t kKept = 2;
constexpr std::string_view kMark = "damaged-";

// The oldest first: milliseconds have as many digits for the next two centuries.
std::vector<std::filesystem::path> copies_in(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> copies;
    std::error_code error;
    for (auto entry = std::filesystem::directory_iterator(folder, error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        // `damaged-<time>`, `data.mdb.damaged-<time>` or, of an account's index, `index.damaged-<time>`.
        if (entry->path().filename().string().find(kMark) != std::string::npos)
            copies.push_back(entry->path());
    }
    std::sort(copies.begin(), copies.end());
    return copies;
}

void drop_old_copies(const std::filesystem::path& folder) {
    auto copies = copies_in(folder);
    if (copies.size() <= kKept) return;
    copies.resize(copies.size() - kKept);
    std::error_code error;
    for (const auto& copy : copies) std::filesystem::remove_all(copy, error);
}

}  // namespace

Result<void> move_aside(const std::filesystem::path& folder, Time now) {
    const auto aside = folder / (std::string(kMark) + std::to_string(now.time_since_epoch().count()));
    for (const char* name : {"data.mdb", "lock.mdb"}) {
        std::error_code error;
        if (!std::filesystem::exists(folder / name, error)) continue;
        std::filesystem::create_directories(aside, error);
        if (!error) std::filesystem::rename(folder / name, aside / name, error);
        if (error) return transient_error("move " + (folder / name).string() + ": " + error.message());
    }
    drop_old_copies(folder);
    return {};
}

std::optional<Time> newest_copy(const std::filesystem::path& folder) {
    // A rebuilt index is in a folder of its own, and the old one beside it.
    auto copies = copies_in(folder);
    for (const auto& beside : copies_in(folder.parent_path())) {
        if (beside.filename().string().starts_with(folder.filename().string() + '.'))
            copies.push_back(beside);
    }
    std::optional<Time> newest;
    for (const auto& copy : copies) {
        const std::string name = copy.filename().string();
        const auto at =
            text::parse_number<std::uint64_t>(std::string_view(name).substr(name.find(kMark) + kMark.size()));
        if (at)
            newest = std::max(newest.value_or(Time()), Time(Milliseconds(static_cast<std::int64_t>(*at))));
    }
    return newest;
}

std::size_t count_damaged_copies(const std::filesystem::path& data_dir) {
    std::size_t copies = 0;
    for (const char* folder : {"queue", "ledger", "shares", "directory", "credentials"})
        copies += copies_in(data_dir / folder).size();
    std::error_code error;
    for (auto account = std::filesystem::directory_iterator(data_dir / "accounts", error);
         !error && account != std::filesystem::directory_iterator(); account.increment(error)) {
        copies += copies_in(account->path()).size() + copies_in(account->path() / "index").size();
    }
    return copies;
}

}  // namespace mailstead::deliver
