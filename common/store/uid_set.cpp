#include "common/store/uid_set.h"

#include <algorithm>

namespace mailstead::store {
namespace {

// The first range that ends at `uid` or later.
auto first_reaching(const std::vector<UidRange>& ranges, std::uint32_t uid) {
    return std::lower_bound(ranges.begin(), ranges.end(), uid,
                            [](const UidRange& range, std::uint32_t value) { return range.last < value; });
}

constexpr bool touches(const UidRange& left, const UidRange& right) {
    return std::uint64_t{left.last} + 1 >= right.first;
}

}  // namespace

void UidSet::add(UidRange range) {
    if (ranges_.empty() || std::uint64_t{ranges_.back().last} + 1 < range.first) {
        ranges_.push_back(range);
        return;
    }
    if (range.first >= ranges_.back().first) {
        ranges_.back().last = std::max(ranges_.back().last, range.last);
        return;
    }
    // Somewhere inside: the ranges that it meets or touches become one.
    auto begin = std::lower_bound(
        ranges_.begin(), ranges_.end(), range.first,
        [](const UidRange& r, std::uint32_t value) { return std::uint64_t{r.last} + 1 < value; });
    auto end = begin;
    while (end != ranges_.end() && end->first <= std::uint64_t{range.last} + 1) {
        range.first = std::min(range.first, end->first);
        range.last = std::max(range.last, end->last);
        ++end;
    }
    if (begin == end) {
        ranges_.insert(begin, range);
    } else {
        *begin = range;
        ranges_.erase(begin + 1, end);
    }
}

void UidSet::remove(UidRange range) {
    const auto at = ranges_.begin() + (first_reaching(ranges_, range.first) - ranges_.cbegin());
    auto end = at;
    UidRange kept[2];
    std::size_t keep = 0;
    while (end != ranges_.end() && end->first <= range.last) {
        if (end->first < range.first) kept[keep++] = UidRange{end->first, range.first - 1};
        if (end->last > range.last) kept[keep++] = UidRange{range.last + 1, end->last};
        ++end;
    }
    const auto position = ranges_.erase(at, end);
    ranges_.insert(position, kept, kept + keep);
}

UidSet UidSet::from(std::vector<UidRange> ranges) {
    const auto by_first = [](const UidRange& a, const UidRange& b) { return a.first < b.first; };
    if (!std::is_sorted(ranges.begin(), ranges.end(), by_first))
        std::sort(ranges.begin(), ranges.end(), by_first);
    UidSet set;
    set.ranges_ = std::move(ranges);
    std::size_t kept = 0;
    for (std::size_t i = 1; i < set.ranges_.size(); ++i) {
        if (touches(set.ranges_[kept], set.ranges_[i])) {
            set.ranges_[kept].last = std::max(set.ranges_[kept].last, set.ranges_[i].last);
        } else {
            set.ranges_[++kept] = set.ranges_[i];
        }
    }
    if (!set.ranges_.empty()) set.ranges_.resize(kept + 1);
    return set;
}

bool UidSet::contains(Uid uid) const {
    const auto range = first_reaching(ranges_, uid.value);
    return range != ranges_.end() && range->first <= uid.value;
}

std::uint64_t UidSet::count() const {
    std::uint64_t total = 0;
    for (const UidRange range : ranges_) total += range.count();
    return total;
}

UidSet UidSet::intersected(const UidSet& other) const {
    UidSet result;
    auto a = ranges_.begin();
    auto b = other.ranges_.begin();
    while (a != ranges_.end() && b != other.ranges_.end()) {
        const UidRange common{std::max(a->first, b->first), std::min(a->last, b->last)};
        if (common.first <= common.last) result.ranges_.push_back(common);
        a->last < b->last ? void(++a) : void(++b);
    }
    return result;
}

UidSet UidSet::without(const UidSet& other) const {
    UidSet result;
    auto b = other.ranges_.begin();
    for (UidRange range : ranges_) {
        while (b != other.ranges_.end() && b->last < range.first) ++b;
        bool left = true;
        for (auto cut = b; left && cut != other.ranges_.end() && cut->first <= range.last; ++cut) {
            if (cut->first > range.first) result.ranges_.push_back(UidRange{range.first, cut->first - 1});
            left = cut->last < range.last;
            if (left) range.first = cut->last + 1;
            b = cut;
        }
        if (left) result.ranges_.push_back(range);
    }
    return result;
}

UidSet UidSet::united(const UidSet& other) const {
    std::vector<UidRange> all = ranges_;
    all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
    return from(std::move(all));
}

void write(ByteWriter& out, const UidSet& set) {
    out.varint(set.ranges().size());
    std::uint32_t previous = 0;
    for (const UidRange range : set.ranges()) {
        out.varint(range.first - previous);
        out.varint(range.last - range.first);
        previous = range.last;
    }
}

UidSet read_uid_set(ByteReader& in) {
    UidSet set;
    const std::size_t count = in.count();
    std::uint64_t previous = 0;
    for (std::size_t n = 0; n < count; ++n) {
        const std::uint64_t first = previous + in.varint32();
        const std::uint64_t last = first + in.varint32();
        if (!in.ok() || first <= previous || last > UINT32_MAX) {
            in.raw(in.rest().size() + 1);  // out of order: poisons the reader
            return {};
        }
        set.add(UidRange{static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last)});
        previous = last;
    }
    return set;
}

UidRuns::UidRuns(const UidSet& uids) {
    runs_.reserve(uids.ranges().size());
    for (const UidRange range : uids.ranges()) append(range);
}

Uid UidRuns::uid_of(std::uint32_t number) const {
    if (number == 0 || number > count_) return Uid(0);
    const auto after =
        std::upper_bound(runs_.begin(), runs_.end(), number - 1,
                         [](std::uint32_t value, const Run& run) { return value < run.before; });
    const Run& run = *(after - 1);
    return Uid(run.first + (number - 1 - run.before));
}

std::uint32_t UidRuns::rank(Uid uid) const {
    const auto after =
        std::upper_bound(runs_.begin(), runs_.end(), uid.value,
                         [](std::uint32_t value, const Run& run) { return value < run.first; });
    if (after == runs_.begin()) return 0;
    const Run& run = *(after - 1);
    return run.before + std::min(uid.value - run.first + 1, run.size);
}

std::uint32_t UidRuns::number_of(Uid uid) const {
    const std::uint32_t number = rank(uid);
    return number != 0 && uid_of(number) == uid ? number : 0;
}

UidSet UidRuns::uids_of(std::uint32_t first, std::uint32_t last) const {
    UidSet set;
    first = std::max(first, 1u);
    last = std::min(last, count_);
    if (first > last) return set;
    auto run = std::upper_bound(runs_.begin(), runs_.end(), first - 1,
                                [](std::uint32_t value, const Run& r) { return value < r.before; }) -
               1;
    for (; run != runs_.end() && run->before < last; ++run) {
        const std::uint32_t skip = first - 1 > run->before ? first - 1 - run->before : 0;
        const std::uint32_t take = std::min(run->size, last - run->before);
        set.add(UidRange{run->first + skip, run->first + take - 1});
    }
    return set;
}

UidSet UidRuns::uids() const {
    UidSet set;
    for (const Run& run : runs_) set.add(UidRange{run.first, run.last()});
    return set;
}

void UidRuns::append(UidRange range) {
    if (!runs_.empty() && range.first <= runs_.back().last()) {
        if (range.last <= runs_.back().last()) return;
        range.first = runs_.back().last() + 1;
    }
    const auto size = static_cast<std::uint32_t>(range.count());
    if (!runs_.empty() && runs_.back().last() + 1 == range.first) {
        runs_.back().size += size;
    } else {
        runs_.push_back(Run{range.first, count_, size});
    }
    count_ += size;
}

void UidRuns::remove(UidRange range) {
    if (number_of(Uid(range.first)) == 0 && rank(Uid(range.first)) == rank(Uid(range.last))) return;
    UidSet left = uids();
    left.remove(range);
    *this = UidRuns(left);
}

}  // namespace mailstead::store
