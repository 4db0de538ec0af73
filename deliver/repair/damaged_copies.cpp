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
constexpr std::string_view kMark = ".damaged-";

// `index.damaged-<time>`, or `damaged-<time>` within the folder.
bool is_copy(const std::filesystem::path& path) {
    return path.filename().string().find(kMark.substr(1)) != std::string::npos;
}

// The oldest first.
std::vector<std::filesystem::path> copies_of(const std::filesystem::path& folder) {
    const std::string prefix = folder.filename().string() + std::string(kMark);
    std::vector<std::filesystem::path> copies;
    std::error_code error;
    for (auto entry = std::filesystem::directory_iterator(folder.parent_path(), error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        if (entry->path().filename().string().starts_with(prefix)) copies.push_back(entry->path());
    }
    std::sort(copies.begin(), copies.end());  // milliseconds have as many digits for the next two centuries
    return copies;
}

std::size_t copies_in(const std::filesystem::path& folder) {
    std::size_t copies = 0;
    std::error_code error;
    for (auto entry = std::filesystem::directory_iterator(folder, error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        if (is_copy(entry->path())) ++copies;
    }
    return copies;
}

}  // namespace

void drop_old_copies(const std::filesystem::path& folder) {
    auto copies = copies_of(folder);
    if (copies.size() <= kKept) return;
    copies.resize(copies.size() - kKept);
    std::error_code error;
    for (const auto& copy : copies) std::filesystem::remove_all(copy, error);
}

std::optional<Time> newest_copy(const std::filesystem::path& folder) {
    const auto copies = copies_of(folder);
    if (copies.empty()) return std::nullopt;
    const std::string name = copies.back().filename().string();
    const auto at =
        text::parse_number<std::uint64_t>(std::string_view(name).substr(name.find(kMark) + kMark.size()));
    return at ? std::optional(Time(Milliseconds(static_cast<std::int64_t>(*at)))) : std::nullopt;
}

Result<void> move_aside(const std::filesystem::path& folder, Time now) {
    std::error_code error;
    if (!std::filesystem::exists(folder, error)) return {};
    const std::filesystem::path to =
        folder.string() + std::string(kMark) + std::to_string(now.time_since_epoch().count());
    std::filesystem::rename(folder, to, error);
    if (error) return transient_error("rename " + folder.string() + ": " + error.message());
    drop_old_copies(folder);
    return {};
}

std::size_t count_damaged_copies(const std::filesystem::path& data_dir) {
    std::size_t copies = copies_in(data_dir);
    for (const char* folder : {"ledger", "directory", "credentials"}) copies += copies_in(data_dir / folder);
    std::error_code error;
    for (auto account = std::filesystem::directory_iterator(data_dir / "accounts", error);
         !error && account != std::filesystem::directory_iterator(); account.increment(error)) {
        copies += copies_in(account->path());
    }
    return copies;
}

}  // namespace mailstead::deliver
