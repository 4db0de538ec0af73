#include <utility>

#include "common/kv/env.h"
#include "common/kv/env_state.h"

namespace mailstead::kv {

Result<Cursor> Cursor::open_in(MDB_txn* txn, WriteTransaction* writer, Database database) {
    if (txn == nullptr) return transient_error("lmdb: cursor after the end of the transaction");
    note_use(txn);
    MDB_cursor* cursor = nullptr;
    if (const int rc = mdb_cursor_open(txn, database.handle, &cursor)) return lmdb_error(rc, "open cursor");
    return Cursor(cursor, writer);
}

Result<Cursor> Cursor::open(const ReadTransaction& transaction, Database database) {
    return open_in(transaction.txn_, nullptr, database);
}
Result<Cursor> Cursor::open(WriteTransaction& transaction, Database database) {
    return open_in(transaction.txn_, &transaction, database);
}

Cursor::Cursor(Cursor&& other) noexcept
    : cursor_(std::exchange(other.cursor_, nullptr)),
      writer_(other.writer_),
      key_(other.key_),
      value_(other.value_) {}
Cursor& Cursor::operator=(Cursor&& other) noexcept {
    if (this != &other) {
        if (cursor_ != nullptr) mdb_cursor_close(cursor_);
        cursor_ = std::exchange(other.cursor_, nullptr);
        writer_ = other.writer_;
        key_ = other.key_;
        value_ = other.value_;
    }
    return *this;
}
Cursor::~Cursor() {
    // A writing cursor goes with its transaction; LMDB frees it there once the transaction is over.
    if (cursor_ != nullptr && (writer_ == nullptr || writer_->txn_ != nullptr)) mdb_cursor_close(cursor_);
}

Result<bool> Cursor::move(int operation, std::string_view key) {
    MDB_val k{key.size(), const_cast<char*>(key.data())};
    MDB_val v{};
    const int rc = mdb_cursor_get(cursor_, &k, &v, static_cast<MDB_cursor_op>(operation));
    if (rc != 0) {
        key_ = value_ = {};
        if (rc == MDB_NOTFOUND || rc == EINVAL)
            return false;  // EINVAL: GET_CURRENT of a cursor that stands nowhere
        return lmdb_error(rc, "move cursor");
    }
    key_ = std::string_view(static_cast<const char*>(k.mv_data), k.mv_size);
    value_ = std::string_view(static_cast<const char*>(v.mv_data), v.mv_size);
    return true;
}

Result<bool> Cursor::first() {
    return move(MDB_FIRST);
}
Result<bool> Cursor::last() {
    return move(MDB_LAST);
}
Result<bool> Cursor::next() {
    return move(MDB_NEXT);
}
Result<bool> Cursor::previous() {
    return move(MDB_PREV);
}

Result<bool> Cursor::seek(std::string_view key) {
    if (key.empty()) return first();
    if (key.size() > kMaxKeySize) return permanent_error("lmdb: key too long");
    return move(MDB_SET_RANGE, key);
}

Result<bool> Cursor::seek_back(std::string_view key) {
    if (key.empty()) return false;
    TRY(found, seek(key));
    if (!found) return last();
    if (key_ == key) return true;
    return previous();
}

Result<bool> Cursor::find(std::string_view key) {
    if (key.empty() || key.size() > kMaxKeySize) return false;
    return move(MDB_SET_KEY, key);
}

Result<void> Cursor::replace(std::string_view value) {
    if (writer_ == nullptr || key_.empty())
        return transient_error("lmdb: cursor stands nowhere or cannot write");
    MDB_val k{key_.size(), const_cast<char*>(key_.data())};
    MDB_val v{value.size(), const_cast<char*>(value.data())};
    ++writer_->writes_;
    if (const int rc = mdb_cursor_put(cursor_, &k, &v, MDB_CURRENT)) return writer_->failed(rc, "replace");
    return {};
}

Result<void> Cursor::erase() {
    if (writer_ == nullptr || key_.empty())
        return transient_error("lmdb: cursor stands nowhere or cannot write");
    ++writer_->writes_;
    if (const int rc = mdb_cursor_del(cursor_, 0)) return writer_->failed(rc, "erase");
    key_ = value_ = {};
    return {};
}

}  // namespace mailstead::kv
