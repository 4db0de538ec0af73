#include <utility>

#include "common/kv/env.h"
#include "common/kv/env_state.h"

namespace mailstead::kv {
namespace {

MDB_val to_val(std::string_view bytes) {
    return MDB_val{bytes.size(), const_cast<char*>(bytes.data())};
}

bool is_key(std::string_view key) {
    return !key.empty() && key.size() <= kMaxKeySize;
}

}  // namespace

Result<std::optional<std::string_view>> Transaction::get(Database database, std::string_view key) const {
    using Found = std::optional<std::string_view>;
    if (!is_key(key)) return Found();
    note_use(txn_);
    MDB_val k = to_val(key);
    MDB_val v{};
    const int rc = mdb_get(txn_, database.handle, &k, &v);
    if (rc == MDB_NOTFOUND) return Found();
    if (rc != 0) return lmdb_error(rc, "get");
    return Found(std::string_view(static_cast<const char*>(v.mv_data), v.mv_size));
}

Result<std::uint64_t> Transaction::count(Database database) const {
    MDB_stat stat{};
    if (const int rc = mdb_stat(txn_, database.handle, &stat)) return lmdb_error(rc, "count");
    return static_cast<std::uint64_t>(stat.ms_entries);
}

std::uint64_t Transaction::id() const {
    return mdb_txn_id(txn_);
}

ReadTransaction::ReadTransaction(std::shared_ptr<EnvState> env, MDB_txn* txn) : env_(std::move(env)) {
    txn_ = txn;
}
ReadTransaction::ReadTransaction(ReadTransaction&& other) noexcept : env_(std::move(other.env_)) {
    txn_ = std::exchange(other.txn_, nullptr);
}
ReadTransaction& ReadTransaction::operator=(ReadTransaction&& other) noexcept {
    if (this != &other) {
        end();
        env_ = std::move(other.env_);
        txn_ = std::exchange(other.txn_, nullptr);
    }
    return *this;
}
ReadTransaction::~ReadTransaction() {
    end();
}
void ReadTransaction::end() {
    if (txn_ != nullptr) env_->end_read(std::exchange(txn_, nullptr));
    env_.reset();
}

WriteTransaction::WriteTransaction(std::shared_ptr<EnvState> env, MDB_txn* txn) : env_(std::move(env)) {
    txn_ = txn;
}
WriteTransaction::WriteTransaction(WriteTransaction&& other) noexcept
    : env_(std::move(other.env_)), writes_(other.writes_), wants_growth_(other.wants_growth_) {
    txn_ = std::exchange(other.txn_, nullptr);
}
WriteTransaction& WriteTransaction::operator=(WriteTransaction&& other) noexcept {
    if (this != &other) {
        abort();
        env_ = std::move(other.env_);
        txn_ = std::exchange(other.txn_, nullptr);
        writes_ = other.writes_;
        wants_growth_ = other.wants_growth_;
    }
    return *this;
}
WriteTransaction::~WriteTransaction() {
    abort();
}

Result<void> WriteTransaction::failed(int code, const char* doing) {
    if (code == MDB_MAP_FULL) wants_growth_ = true;
    if (code == MDB_PANIC) env_->broken = true;
    return lmdb_error(code, doing);
}

Result<bool> WriteTransaction::put(Database database, std::string_view key, std::string_view value,
                                   PutMode mode) {
    if (txn_ == nullptr) return transient_error("lmdb: put after the end of the transaction");
    if (!is_key(key)) return permanent_error("lmdb: key empty or too long");
    note_use(txn_);
    MDB_val k = to_val(key);
    MDB_val v = to_val(value);
    const unsigned flags = mode == PutMode::keep_existing ? MDB_NOOVERWRITE
                           : mode == PutMode::append      ? MDB_APPEND
                                                          : 0u;
    const int rc = mdb_put(txn_, database.handle, &k, &v, flags);
    if (rc == MDB_KEYEXIST && mode == PutMode::keep_existing) return false;
    ++writes_;
    if (rc != 0) return failed(rc, "put").error();
    return true;
}

Result<bool> WriteTransaction::erase(Database database, std::string_view key) {
    if (txn_ == nullptr) return transient_error("lmdb: erase after the end of the transaction");
    if (!is_key(key)) return false;
    note_use(txn_);
    MDB_val k = to_val(key);
    const int rc = mdb_del(txn_, database.handle, &k, nullptr);
    if (rc == MDB_NOTFOUND) return false;
    ++writes_;
    if (rc != 0) return failed(rc, "erase").error();
    return true;
}

Result<void> WriteTransaction::clear(Database database) {
    if (txn_ == nullptr) return transient_error("lmdb: clear after the end of the transaction");
    ++writes_;
    if (const int rc = mdb_drop(txn_, database.handle, 0)) return failed(rc, "clear");
    return {};
}

Result<void> WriteTransaction::commit() {
    if (txn_ == nullptr) return transient_error("lmdb: commit after the end of the transaction");
    note_use(txn_);
    const int rc = mdb_txn_commit(std::exchange(txn_, nullptr));
    Result<void> done;
    if (rc != 0) done = failed(rc, "commit");
    return done;
}

void WriteTransaction::abort() {
    if (txn_ != nullptr) mdb_txn_abort(std::exchange(txn_, nullptr));
}

Pin::Pin(std::shared_ptr<EnvState> env, MDB_txn* txn) : env_(std::move(env)), txn_(txn) {}
Pin::Pin(Pin&& other) noexcept : env_(std::move(other.env_)), txn_(std::exchange(other.txn_, nullptr)) {}
Pin& Pin::operator=(Pin&& other) noexcept {
    if (this != &other) {
        drop();
        env_ = std::move(other.env_);
        txn_ = std::exchange(other.txn_, nullptr);
    }
    return *this;
}
Pin::~Pin() {
    drop();
}
void Pin::drop() {
    if (txn_ != nullptr) {
        const std::lock_guard lock(env_->mutex);
        mdb_txn_abort(std::exchange(txn_, nullptr));
    }
    env_.reset();
}

}  // namespace mailstead::kv
