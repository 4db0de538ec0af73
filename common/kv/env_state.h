// Private to this folder: what an Env and all that came from it share.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include <lmdb.h>

#include "common/kv/env.h"

namespace mailstead::kv {

// Whether this process has the environment open.
bool is_open_here(const std::filesystem::path& directory);

std::string errno_text(int code);
// What an errno says of the disk: full, damaged, or nothing of the kind.
Fault fault_of(int code);

// An LMDB return code as an error. What an operator can mend (space, memory, slots) may work later.
Error lmdb_error(int code, const char* doing);

// For fault_guard.cpp: the environment that this thread works on now, as a text that is never freed.
void note_use(const char* directory);
void note_failed_assertion(MDB_env* env, const char* what);
const char* permanent_text(const std::string& text);
inline void note_use(MDB_txn* txn) {
    note_use(static_cast<const char*>(mdb_env_get_userctx(mdb_txn_env(txn))));
}

// Which file it is, whatever its name; zeros: none.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;  // bytes
    // Whether `later` is the same file, and no shorter: LMDB's files only grow.
    bool is_still(const FileIdentity& later) const {
        return device == later.device && inode == later.inode && size <= later.size;
    }
    static FileIdentity of(const std::filesystem::path& file);
    static FileIdentity of(int fd);
};

// Whether a data file is empty or begins with zeros: a power cut caught it while it was made, before anything
// in it was promised.
bool is_blank(int data_file);

struct EnvState {
    ~EnvState();

    MDB_env* env = nullptr;
    std::filesystem::path directory;
    std::string registry_key;
    FileIdentity identity;  // of the data file that is open
    Access access = Access::reader;
    std::atomic<bool> broken = false;

    std::mutex opening;  // LMDB allows one transaction at a time to open databases

    // The map must not move while a snapshot of this process looks at it.
    std::mutex mutex;
    std::condition_variable readers_gone;
    std::size_t active_readers = 0;
    bool remapping = false;
    std::vector<MDB_txn*> idle;  // reset read transactions, to be renewed

    Result<MDB_txn*> begin_read();
    void end_read(MDB_txn* txn);
    // Maps the file anew: `size` bytes, or as large as other processes made it (0).
    Result<void> remap(std::size_t size);
    std::size_t map_size() const;
};

}  // namespace mailstead::kv
