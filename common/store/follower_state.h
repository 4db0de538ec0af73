// The parts of a Follower. Internal to the store.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/commit/file_layer.h"
#include "common/store/follower.h"
#include "common/store/index.h"

namespace mailstead::store {

// The file operations of one call of follow(), for one account and one snapshot. Operations that were done
// before count as done.
class FileWork {
public:
    FileWork(const Snapshot::State& snapshot, commit::FileLayer& files)
        : snapshot_(snapshot), files_(files) {}

    Outcome<void> link(const Task& task);
    Outcome<void> move(const Task& task);
    Outcome<void> unlink(const Task& task);
    Outcome<void> adopt(const Task& task);
    Outcome<void> rename(const FileName& from, const FileName& to);
    // cur, new and tmp of a mailbox's folder.
    Outcome<void> complete_folder(const std::string& folder);
    // Files in the folder a mailbox had before come to the one it has now.
    Outcome<void> merge_folder(const std::string& from, const std::string& to);
    Outcome<void> remove_folder(const std::string& folder);
    // Whether the folder has its new name now.
    Outcome<bool> rename_folder(const std::string& from, const std::string& to);
    // New names on stable storage, before an old name of the same file may go.
    Outcome<void> flush_links();

private:
    std::string absolute(std::string_view relative) const;
    std::string folder(std::uint32_t mailbox) const;
    std::string path(const FileName& name) const;
    // A file whose name tells other flags than the index thinks; absolute.
    std::optional<std::string> find_by_base(const FileName& name);
    Outcome<void> rename_path(const std::string& from, const std::string& to);

    const Snapshot::State& snapshot_;
    commit::FileLayer& files_;
    std::set<std::string> linked_into_;  // directories
    // Folder to base name to path within it, for folders that were searched.
    std::map<std::string, std::unordered_map<std::string, std::string>> listings_;
};

struct Follower::State {
    struct Directory {
        std::int64_t modified = -1;  // nanoseconds; of the last time that nothing was left to take in
        Time look_again;
    };

    std::filesystem::path root;
    Reader* reader = nullptr;
    Submit submit;
    commit::FileLayer* files = nullptr;
    std::mutex mutex;
    std::map<std::pair<AccountId, std::string>, Directory> directories;

    Outcome<ChangeResult> say(AccountId account, Time at, Action action) const;
};

}  // namespace mailstead::store
