// Sets of UIDs as sorted ranges, and the numbering of a mailbox's messages.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace mailstead::store {

// Both ends belong to it; first <= last, first >= 1.
struct UidRange {
    std::uint32_t first = 1;
    std::uint32_t last = UINT32_MAX;
    constexpr std::uint64_t count() const { return std::uint64_t{last} - first + 1; }
    friend constexpr bool operator==(UidRange, UidRange) = default;
};

// Sorted, disjoint ranges which do not touch. Adding in rising order costs O(1), anything else O(ranges).
class UidSet {
public:
    UidSet() = default;
    UidSet(std::initializer_list<UidRange> ranges) {
        for (const UidRange range : ranges) add(range);
    }
    static UidSet of(std::initializer_list<std::uint32_t> uids) {
        UidSet set;
        for (const std::uint32_t uid : uids) set.add(Uid(uid));
        return set;
    }
    // From ranges in any order, which may overlap: O(n log n).
    static UidSet from(std::vector<UidRange> ranges);
    static UidSet all() { return UidSet({UidRange{1, UINT32_MAX}}); }

    void add(Uid uid) { add(UidRange{uid.value, uid.value}); }
    void add(UidRange range);
    void remove(UidRange range);
    void clear() { ranges_.clear(); }

    bool empty() const { return ranges_.empty(); }
    bool contains(Uid uid) const;
    std::uint64_t count() const;
    // The ranges in rising order.
    const std::vector<UidRange>& ranges() const { return ranges_; }
    Uid first() const { return Uid(ranges_.empty() ? 0 : ranges_.front().first); }
    Uid last() const { return Uid(ranges_.empty() ? 0 : ranges_.back().last); }

    UidSet intersected(const UidSet& other) const;
    UidSet without(const UidSet& other) const;
    UidSet united(const UidSet& other) const;

    // Calls `visit(Uid)` for each member, in rising order. Only for sets known to be small or to name
    // existing messages.
    template <class Visit>
    void each(Visit&& visit) const {
        for (const UidRange range : ranges_) {
            for (std::uint64_t uid = range.first; uid <= range.last; ++uid)
                visit(Uid(static_cast<std::uint32_t>(uid)));
        }
    }
    friend bool operator==(const UidSet&, const UidSet&) = default;

private:
    std::vector<UidRange> ranges_;
};

// Gaps and lengths as varints: a few bytes a range. Reading ends with in.ok() false for ranges out of order.
void write(ByteWriter& out, const UidSet& set);
UidSet read_uid_set(ByteReader& in);

// Message sequence numbers (RFC 9051, 2.3.1.2) of a set of UIDs: number n is the n-th UID. Lookups are O(log
// runs).
class UidRuns {
public:
    UidRuns() = default;
    explicit UidRuns(const UidSet& uids);

    std::uint32_t count() const { return count_; }
    bool empty() const { return count_ == 0; }
    // The UID of a sequence number from 1 to count(); Uid(0) otherwise.
    Uid uid_of(std::uint32_t number) const;
    // The sequence number of a UID; 0 if it is not in the set.
    std::uint32_t number_of(Uid uid) const;
    // How many members are below or equal to `uid`.
    std::uint32_t rank(Uid uid) const;
    // The UIDs of the sequence numbers from `first` to `last` (cut to count()).
    UidSet uids_of(std::uint32_t first, std::uint32_t last) const;
    // The highest UID; Uid(0) when empty.
    Uid last() const { return runs_.empty() ? Uid(0) : Uid(runs_.back().last()); }
    UidSet uids() const;

    // A session's view of its mailbox: messages arrive at the end (O(1)) and are expunged anywhere (O(runs)).
    void append(UidRange range);
    void remove(UidRange range);

private:
    struct Run {
        std::uint32_t first;
        std::uint32_t before;  // members in earlier runs
        std::uint32_t size;
        std::uint32_t last() const { return first + (size - 1); }
    };
    std::vector<Run> runs_;
    std::uint32_t count_ = 0;
};

}  // namespace mailstead::store
