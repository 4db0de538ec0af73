// Makes a snapshot.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>

#include "common/backup/snapshot.h"
#include "common/base/file_descriptor.h"
#include "common/kv/env.h"

namespace mailstead::backup {

// What the last snapshot, or an interrupted one, has already is linked instead of copied.
class Writer {
public:
    // Makes the folder where it is missing, and locks it: an error when another backup works in it.
    static Result<std::unique_ptr<Writer>> begin(const std::filesystem::path& backup, Header header);
    // Without finish() what was written stays for the next one.
    ~Writer();

    // Paths are relative to the snapshot: `data/accounts/7`.
    Result<void> add_folder(const std::string& path, const struct stat& info);
    // A file whose bytes do not change. `origin`: empty, or what is kept of a file with its path.
    Result<void> add_file(const std::string& path, int file, const struct stat& info, std::string origin);
    // The snapshot of an LMDB data file that `pages` name (kv::copy_snapshot). `info` is the file's, from
    // before the copying.
    Result<void> add_environment(const std::string& path, int file, const struct stat& info,
                                 const kv::MetaPages& pages);

    // Durable, and under its name. Returns its folder.
    Result<std::filesystem::path> finish();

    struct Counts {
        std::uint64_t files = 0;
        std::uint64_t bytes = 0;
        std::uint64_t copied_files = 0;
        std::uint64_t copied_bytes = 0;
    };
    const Counts& counts() const { return counts_; }
    // Whether an interrupted one was found.
    bool continues() const { return continues_; }

private:
    struct Known {
        std::filesystem::path file;
        Entry entry;
        bool is_certain = false;  // flushed and whole: of a finished snapshot
    };
    Writer(std::filesystem::path backup, Header header)
        : backup_(std::move(backup)), header_(std::move(header)) {}
    Result<void> prepare();
    void learn(const std::filesystem::path& folder, bool finished);
    Result<bool> link_known(const std::string& path, Entry& entry);
    Result<FileDescriptor> make(const std::string& path) const;
    Result<void> close(int file, Entry entry);
    Result<void> record(const Entry& entry);

    std::filesystem::path backup_;
    std::filesystem::path folder_;  // the new one, while it is unfinished
    Header header_;
    FileDescriptor lock_;
    FileDescriptor manifest_;
    std::string text_;                                 // all of the manifest so far
    std::size_t written_ = 0;                          // of it
    std::map<std::string, Known, std::less<>> known_;  // by origin
    Counts counts_;
    bool continues_ = false;
};

// Removes all snapshots but the newest `keep`. How many that were.
Result<std::size_t> prune(const std::filesystem::path& backup, std::size_t keep);

}  // namespace mailstead::backup
