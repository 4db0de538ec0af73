// LMDB as values with owners: environments, transactions, databases, cursors. The only library that knows
// LMDB.
//
// Threads: an Env may be used from every thread. A transaction and its cursors belong to one thread at a
// time. Views returned by a transaction end with it; in a write transaction already with its next write.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace mailstead::kv {

inline constexpr std::size_t kMaxKeySize = 511;
inline constexpr std::uint64_t kMostMapSize = std::uint64_t{1} << 40;  // a map grows up to this
inline constexpr std::uint64_t kDefaultMapSize = std::uint64_t{16}
                                                 << 30;  // address space, not disk: the file grows as needed

enum class Access {
    reader,          // snapshots only; still writes the lock file
    durable_writer,  // each commit is flushed: directory, credentials
    engine_writer,   // no flush at all: the commit engine makes it durable (common/commit)
};

struct EnvOptions {
    Access access = Access::reader;
    std::uint64_t map_size = kDefaultMapSize;
    unsigned max_databases = 24;
    unsigned max_readers = 512;
    bool must_exist = false;  // a missing or empty data file is damage, not the first use
    // For a writer: one that begins with zeros is the first use as well. A power cut leaves that of a file
    // which was just made.
    bool blank_is_new = false;
};

// A named database inside an environment; valid as long as its Env.
struct Database {
    unsigned handle = 0;
};

class Env;
struct EnvState;

enum class PutMode {
    overwrite,
    keep_existing,  // put() answers false when the key exists, and changes nothing
    append,         // the key is greater than all others; an error otherwise
};

// What reading and writing transactions share.
class Transaction {
public:
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    // The value under `key`; nullopt when there is none (also for an empty key or one above kMaxKeySize).
    Result<std::optional<std::string_view>> get(Database database, std::string_view key) const;
    // How many keys the database holds; costs nothing.
    Result<std::uint64_t> count(Database database) const;
    // Number of the snapshot: grows by one with each commit of the environment.
    std::uint64_t id() const;

protected:
    Transaction() = default;
    ~Transaction() = default;
    friend class Cursor;
    MDB_txn* txn_ = nullptr;
};

// A snapshot. Cheap to begin (a renewed slot, no system call); keep it short, since the file grows meanwhile.
class ReadTransaction : public Transaction {
public:
    ReadTransaction(ReadTransaction&& other) noexcept;
    ReadTransaction& operator=(ReadTransaction&& other) noexcept;
    ~ReadTransaction();

private:
    friend class Env;
    ReadTransaction(std::shared_ptr<EnvState> env, MDB_txn* txn);
    void end();
    std::shared_ptr<EnvState> env_;
};

// The one writer of an environment; begins when other writers (of all processes) are done. Without commit()
// it is undone.
class WriteTransaction : public Transaction {
public:
    WriteTransaction(WriteTransaction&& other) noexcept;
    WriteTransaction& operator=(WriteTransaction&& other) noexcept;
    ~WriteTransaction();

    // True when the database changed. `key` has 1..kMaxKeySize bytes.
    Result<bool> put(Database database, std::string_view key, std::string_view value,
                     PutMode mode = PutMode::overwrite);
    // True when the key was there.
    Result<bool> erase(Database database, std::string_view key);
    // Removes all keys.
    Result<void> clear(Database database);

    // After an error too the transaction is over.
    Result<void> commit();
    void abort();

    // How many calls have changed something (or tried to): tells whether a failed operation left anything
    // behind.
    std::uint64_t writes() const { return writes_; }
    // The map was too small for what this transaction wanted: abort it, call Env::grow() and do it again.
    bool wants_growth() const { return wants_growth_; }

private:
    friend class Env;
    friend class Cursor;
    WriteTransaction(std::shared_ptr<EnvState> env, MDB_txn* txn);
    Result<void> failed(int code, const char* doing);
    std::shared_ptr<EnvState> env_;
    std::uint64_t writes_ = 0;
    bool wants_growth_ = false;
};

// Walks one database in key order; ends before its transaction does. Movements answer whether there is an
// entry; key() and value() are that entry.
class Cursor {
public:
    static Result<Cursor> open(const ReadTransaction& transaction, Database database);
    static Result<Cursor> open(WriteTransaction& transaction, Database database);
    Cursor(Cursor&& other) noexcept;
    Cursor& operator=(Cursor&& other) noexcept;
    ~Cursor();

    Result<bool> first();
    Result<bool> last();
    Result<bool> next();      // from nowhere: the first
    Result<bool> previous();  // from nowhere: the last
    // The first key that is not less than `key`.
    Result<bool> seek(std::string_view key);
    // The last key that is not greater than `key`.
    Result<bool> seek_back(std::string_view key);
    // Exactly `key`.
    Result<bool> find(std::string_view key);

    std::string_view key() const { return key_; }
    std::string_view value() const { return value_; }

    // In a write transaction: replaces the value of the entry it stands on / removes that entry; next() then
    // gives its successor.
    Result<void> replace(std::string_view value);
    Result<void> erase();

private:
    Cursor(MDB_cursor* cursor, WriteTransaction* writer) : cursor_(cursor), writer_(writer) {}
    static Result<Cursor> open_in(MDB_txn* txn, WriteTransaction* writer, Database database);
    Result<bool> move(int operation, std::string_view key = {});
    MDB_cursor* cursor_ = nullptr;
    WriteTransaction* writer_ = nullptr;
    std::string_view key_;
    std::string_view value_;
};

// LMDB's two meta pages (their used part), which name the newest and the second newest snapshot. Bytes for
// the journal.
struct MetaPages {
    std::string bytes;
};

// Keeps a snapshot's pages from being reused for as long as it lives. Not for reading.
class Pin {
public:
    Pin() = default;
    Pin(Pin&& other) noexcept;
    Pin& operator=(Pin&& other) noexcept;
    ~Pin();
    explicit operator bool() const { return txn_ != nullptr; }
    void drop();

private:
    friend class Env;
    Pin(std::shared_ptr<EnvState> env, MDB_txn* txn);
    std::shared_ptr<EnvState> env_;
    MDB_txn* txn_ = nullptr;
};

class Env {
public:
    // `directory` holds data.mdb and lock.mdb; a writer creates it (mode 0750). Opening a directory which
    // this process has open already gives the same environment again (LMDB forbids opening it twice):
    // `reader` takes what is there, any other access must match. When its files were replaced meanwhile, the
    // new ones are opened, and whoever holds the old ones keeps them. The data file is checked before LMDB
    // maps it (check_file).
    static Result<std::shared_ptr<Env>> open(const std::filesystem::path& directory,
                                             const EnvOptions& options);
    ~Env();
    Env(const Env&) = delete;
    Env& operator=(const Env&) = delete;

    // Opens the named databases, in that order. A writer creates what is missing, durably whatever its
    // access. A reader gets an error for a missing one. Call it before other transactions are open in this
    // thread.
    Result<std::vector<Database>> open_databases(std::initializer_list<std::string_view> names);
    Result<Database> open_database(std::string_view name);
    // The unnamed database, which holds the records of the named ones: for keys that start with a zero byte
    // only.
    Database root_database() const;

    Result<ReadTransaction> read() const;
    Result<WriteTransaction> write();

    // Runs `work` in a write transaction and commits it when it answers well. A map that is too small is
    // doubled and the work done again, so it must bear being called twice. Not for environments of the
    // engine.
    Result<void> update(const std::function<Result<void>(WriteTransaction&)>& work);

    // Doubles the map, up to kMostMapSize. Only for WriteTransaction::wants_growth(). No write transaction
    // may be open in this thread; waits a bounded time for other threads' snapshots.
    Result<void> grow();

    // Pages used by the file so far, each page_size() bytes: what grows while a Pin holds old snapshots.
    std::uint64_t pages() const;
    std::size_t page_size() const;

    // The newest snapshot, held.
    Result<Pin> pin() const;
    // The meta pages as the kernel has them now. Only while no write transaction commits.
    Result<MetaPages> read_meta_pages() const;

    // fdatasync of the data file.
    Result<void> sync();
    // Frees the slots of readers whose process is gone.
    void clear_stale_readers();

    // The environment was hit by an error which makes LMDB refuse further writes (a failed meta page): close
    // and open it again.
    bool is_broken() const;

    // Whether the data file in the folder is another one by now, or none, or was cut short. One system call.
    bool is_replaced() const;

    const std::filesystem::path& directory() const;
    Access access() const;

private:
    friend Result<void> copy_compact(const Env& env, int to);  // copy.h
    explicit Env(std::shared_ptr<EnvState> state) : state_(std::move(state)) {}
    std::shared_ptr<EnvState> state_;
};

// Puts meta pages back into a data file that this process has not open: the next open sees the snapshot they
// name. The pages that this snapshot reaches must be in the file (see Pin). When another process has it open
// the file stays as it is, and a copy with the pages of the snapshot, durable, takes its name, with a lock
// file of its own. Creates directory and file where the snapshot was empty. Fault::damaged when the file
// cannot be that snapshot's; refuses bytes that are not LMDB 0.9's.
Result<void> restore_meta_pages(const std::filesystem::path& directory, const MetaPages& pages);

// Looks at data.mdb without mapping it: meta pages, version, page size, the roots, and that the file has all
// pages which it names. Four reads where all is well. Fault::damaged otherwise; the text names the file. A
// missing or empty file is damage only where it `must_exist`.
Result<void> check_file(const std::filesystem::path& directory, bool must_exist = false);
// The same of a data file by any name.
Result<void> check_data_file(const std::filesystem::path& file, bool must_exist = false);

}  // namespace mailstead::kv
