// Messages by mod-sequence, gathered while walking, for the rows of `changes`. Internal to the store.
#pragma once

#include <cstdint>
#include <vector>

#include "common/store/range_table.h"
#include "common/store/records.h"

namespace mailstead::store {

class Vintages {
public:
    // In the order of UIDs: neighbours of one mod-sequence share a row.
    void add(std::uint64_t modseq, std::uint32_t uid) {
        if (!list_.empty() && list_.back().modseq == modseq && list_.back().range.last + 1 == uid) {
            list_.back().range.last = uid;
        } else {
            list_.push_back({modseq, {uid, uid}});
        }
    }
    Result<void> remove_from(RangeTable& changes, std::uint32_t mailbox) const {
        for (const Entry& entry : list_)
            TRY_VOID(changes.remove(key::modseq(mailbox, entry.modseq), entry.range));
        return {};
    }

private:
    struct Entry {
        std::uint64_t modseq;
        UidRange range;
    };
    std::vector<Entry> list_;
};

}  // namespace mailstead::store
