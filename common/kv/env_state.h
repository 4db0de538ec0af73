// Private to this folder: what an Env and all that came from it share.
#pragma once

#include <atomic>
#include <condition_variable>
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

struct EnvState {
    ~EnvState();

    MDB_env* env = nullptr;
    std::filesystem::path directory;
    std::string registry_key;
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
