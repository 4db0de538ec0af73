#include "common/store/range_table.h"

#include <algorithm>

#include "common/kv/keys.h"
#include "common/store/records.h"

namespace mailstead::store {
namespace {

kv::Key row_key(std::string_view prefix, std::uint32_t first) {
    kv::Key key;
    key.text(prefix).u32(first);
    return key;
}

}  // namespace

std::optional<UidRange> range_under(std::string_view prefix, std::string_view key, std::string_view value) {
    if (key.size() != prefix.size() + 4 || value.size() != 4 || !key.starts_with(prefix)) return std::nullopt;
    return UidRange{kv::KeyReader(key.substr(prefix.size())).u32(), decode_u32(value)};
}

Result<UidSet> read_ranges(kv::Cursor& cursor, std::string_view prefix, UidRange within) {
    UidSet set;
    // The row before may reach into the wanted part.
    TRY(before, cursor.seek_back(row_key(prefix, within.first)));
    bool there = before;
    if (before) {
        const auto row = range_under(prefix, cursor.key(), cursor.value());
        if (row && row->last >= within.first)
            set.add(UidRange{within.first, std::min(row->last, within.last)});
        TRY(next, cursor.next());
        there = next;
    } else {
        TRY(found, cursor.seek(row_key(prefix, within.first)));
        there = found;
    }
    while (there) {
        const auto row = range_under(prefix, cursor.key(), cursor.value());
        if (!row || row->first > within.last) break;
        set.add(UidRange{row->first, std::min(row->last, within.last)});
        TRY(next, cursor.next());
        there = next;
    }
    return set;
}

Result<kv::Cursor*> RangeTable::cursor() {
    if (!cursor_) {
        TRY(opened, kv::Cursor::open(transaction_, database_));
        cursor_.emplace(std::move(opened));
    }
    return &*cursor_;
}

Result<UidSet> RangeTable::read(std::string_view prefix, UidRange within) {
    TRY(c, cursor());
    return read_ranges(*c, prefix, within);
}

Result<void> RangeTable::add(std::string_view prefix, UidRange range) {
    TRY(c, cursor());
    TRY(before, c->seek_back(row_key(prefix, range.first)));
    const std::optional<UidRange> left = before ? range_under(prefix, c->key(), c->value()) : std::nullopt;
    const bool joins_left = left && std::uint64_t{left->last} + 1 >= range.first;
    if (joins_left) {
        if (left->last >= range.last) return {};
        range.first = left->first;
    }
    bool there = false;
    if (before) {
        TRY(next, c->next());
        there = next;
    } else {
        TRY(found, c->seek(row_key(prefix, range.first)));
        there = found;
    }
    while (there) {
        const auto right = range_under(prefix, c->key(), c->value());
        if (!right || right->first > std::uint64_t{range.last} + 1) break;
        range.last = std::max(range.last, right->last);
        TRY_VOID(c->erase());
        --rows_added_;
        TRY(next, c->next());
        there = next;
    }
    TRY_VOID(transaction_.put(database_, row_key(prefix, range.first), encode_u32(range.last)));
    if (!joins_left) ++rows_added_;
    return {};
}

Result<void> RangeTable::remove(std::string_view prefix, UidRange range) {
    TRY(c, cursor());
    TRY(before, c->seek_back(row_key(prefix, range.first)));
    bool there = before;
    if (!before) {
        TRY(found, c->seek(row_key(prefix, range.first)));
        there = found;
    } else if (const auto left = range_under(prefix, c->key(), c->value());
               !left || left->last < range.first) {
        TRY(next, c->next());
        there = next;
    }
    while (there) {
        const auto row = range_under(prefix, c->key(), c->value());
        if (!row || row->first > range.last) break;
        if (row->first < range.first) {
            TRY_VOID(c->replace(encode_u32(range.first - 1)));
        } else {
            TRY_VOID(c->erase());
            --rows_added_;
        }
        if (row->last > range.last) {
            TRY_VOID(transaction_.put(database_, row_key(prefix, range.last + 1), encode_u32(row->last)));
            ++rows_added_;
        }
        if (row->last >= range.last) break;
        TRY(next, c->next());
        there = next;
    }
    return {};
}

Result<void> RangeTable::add(std::string_view prefix, const UidSet& set) {
    for (const UidRange range : set.ranges()) TRY_VOID(add(prefix, range));
    return {};
}

Result<void> RangeTable::remove(std::string_view prefix, const UidSet& set) {
    for (const UidRange range : set.ranges()) TRY_VOID(remove(prefix, range));
    return {};
}

Result<void> RangeTable::clear(std::string_view prefix) {
    TRY(c, cursor());
    TRY(found, c->seek(prefix));
    bool there = found;
    while (there && c->key().starts_with(prefix)) {
        TRY_VOID(c->erase());
        --rows_added_;
        TRY(next, c->next());
        there = next;
    }
    return {};
}

}  // namespace mailstead::store
