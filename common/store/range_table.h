// Sets of UIDs kept as ranges in a database: key = prefix + first UID (big-endian), value = last UID. Ranges
// under one prefix are disjoint and do not touch, so marking a whole mailbox read is one row, and a set costs
// what its gaps cost.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/result.h"
#include "common/kv/env.h"
#include "common/store/uid_set.h"

namespace mailstead::store {

// For one write transaction; keeps a cursor open between calls.
class RangeTable {
public:
    RangeTable(kv::WriteTransaction& transaction, kv::Database database)
        : transaction_(transaction), database_(database) {}

    // Members already there are no error.
    Result<void> add(std::string_view prefix, UidRange range);
    Result<void> add(std::string_view prefix, const UidSet& set);
    // Members that are missing are no error.
    Result<void> remove(std::string_view prefix, UidRange range);
    Result<void> remove(std::string_view prefix, const UidSet& set);
    // Every row whose key starts with `prefix`.
    Result<void> clear(std::string_view prefix);
    // Rows added less rows removed since the table was made.
    std::int64_t rows_added() const { return rows_added_; }

    Result<UidSet> read(std::string_view prefix, UidRange within = {});

private:
    Result<kv::Cursor*> cursor();
    kv::WriteTransaction& transaction_;
    kv::Database database_;
    std::optional<kv::Cursor> cursor_;
    std::int64_t rows_added_ = 0;
};

// One row, if the key is `prefix` with a UID behind it.
std::optional<UidRange> range_under(std::string_view prefix, std::string_view key, std::string_view value);
// The ranges under `prefix`, cut to `within`.
Result<UidSet> read_ranges(kv::Cursor& cursor, std::string_view prefix, UidRange within = {});

}  // namespace mailstead::store
