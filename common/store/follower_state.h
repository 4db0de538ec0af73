// The parts of a Follower. Internal to the store.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
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
    FileWork(const Snapshot::State& snapshot, commit::FileLayer& files, bool keep_deleted)
        : snapshot_(snapshot), files_(files), keep_deleted_(keep_deleted) {}

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
    int dispose_of(const Task& task, const std::string& file);
    int tell_about(const Task& task, const std::string& day);
    const std::vector<std::string>& keyword_names();

    const Snapshot::State& snapshot_;
    commit::FileLayer& files_;
    bool keep_deleted_;
    std::set<std::pair<std::string, std::uint32_t>> told_;  // days and mailboxes
    std::optional<std::vector<std::string>> keywords_;
    std::set<std::string> linked_into_;  // directories
    // Folder to base name to path within it, for folders that were searched.
    std::map<std::string, std::unordered_map<std::string, std::string>> listings_;
};

struct Follower::State {
    struct Directory {
        std::int64_t modified = -1;  // nanoseconds; of the last time that nothing was left to take in
        Time look_again;
        bool is_refused = false;  // a link in its place, said once
    };
    struct Scan {
        Time now;
        std::int64_t modified = -1;
        std::chrono::steady_clock::time_point begun;
        bool is_clean = false;  // nothing foreign was left
        bool took_any = false;
    };
    // What was last seen of an account's sidecar.
    struct Kept {
        struct Text {
            std::optional<std::size_t> hash;  // of what lies there
            Time look_again;
        };
        struct Messages : Text {
            std::uint64_t modseq = 0;
        };
        std::uint64_t snapshot = 0;
        Text account;
        std::map<std::uint32_t, Messages> mailboxes;
    };

    std::filesystem::path root;
    Reader* reader = nullptr;
    Submit submit;
    std::function<void(std::string_view)> log;
    bool keep_deleted = false;
    commit::FileLayer* files = nullptr;
    std::mutex mutex;
    std::map<std::pair<AccountId, std::string>, Directory> directories;  // paths below mail/
    std::map<AccountId, Kept> kept;

    Outcome<ChangeResult> say(AccountId account, Time at, Action action) const;

    // ---- foreign files (adopt.cpp)
    FileDescriptor open_to_scan(AccountId account, int mail, const std::string& path);
    bool is_due(AccountId account, const std::string& path, std::int64_t modified, Time now);
    void note_scan(AccountId account, const std::string& path, const Scan& scan);
    // Whether anything was taken in.
    Outcome<bool> adopt_folders(AccountId account, int mail, Time now, const std::set<std::string>& known);
    Outcome<bool> adopt_files(AccountId account, int mail, Time now, MailboxId mailbox,
                              const std::string& path, std::size_t limit);

    // ---- the sidecar (keep_sidecar.cpp)
    Outcome<bool> keep_account(const Snapshot& snapshot, Kept& kept, Time now, bool at_once);
    Outcome<bool> keep_mailbox(const Snapshot& snapshot, Kept& kept, const MailboxInfo& mailbox, Time now,
                               bool at_once);
    Outcome<void> keep_text(const std::string& path, const std::string& text, Kept::Text& last, Time now,
                            std::chrono::steady_clock::time_point begun);
    Outcome<void> drop_text(const std::string& path, Kept::Text& last);
    void forget_mailboxes(AccountId account, const std::vector<MailboxInfo>& existing);
};

}  // namespace mailstead::store
