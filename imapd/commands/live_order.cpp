// The order of a sorted live search.
#include <algorithm>

#include "imapd/commands/live_search.h"

namespace mailstead::imapd::commands {

LiveOrder::LiveOrder(SortKeys keys, std::vector<std::uint32_t> sorted)
    : keys_(std::move(keys)), order_(std::move(sorted)) {
    learn(0);
}

const LiveOrder::Known* LiveOrder::find(std::uint32_t uid) const {
    const auto at =
        std::lower_bound(known_.begin(), known_.end(), uid,
                         [](const Known& known, std::uint32_t wanted) { return known.uid < wanted; });
    return at != known_.end() && at->uid == uid ? &*at : nullptr;
}

store::UidSet LiveOrder::unknown(const store::UidSet& uids) const {
    store::UidSet missing;
    uids.each([&](Uid uid) {
        if (find(uid.value) == nullptr) missing.add(uid);
    });
    return missing;
}

void LiveOrder::learn(std::size_t begin) {
    const auto by_uid = [](const Known& a, const Known& b) { return a.uid < b.uid; };
    const auto old = static_cast<std::ptrdiff_t>(known_.size());
    for (std::size_t n = begin; n < keys_.size(); ++n) {
        const auto number = static_cast<std::uint32_t>(n);
        known_.push_back({keys_.uid(number), number});
    }
    std::sort(known_.begin() + old, known_.end(), by_uid);
    std::inplace_merge(known_.begin(), known_.begin() + old, known_.end(), by_uid);
}

void LiveOrder::forget(const store::UidSet& gone) {
    std::erase_if(known_, [&](const Known& known) { return gone.contains(Uid(known.uid)); });
    if (keys_.size() > 2 * known_.size() + 1000) compact();
}

// Drops the records that nobody knows any more.
void LiveOrder::compact() {
    SortKeys kept = keys_.empty_copy();
    kept.reserve(known_.size());
    std::vector<std::uint32_t> renumbered(keys_.size());
    for (Known& known : known_) {
        renumbered[known.n] = static_cast<std::uint32_t>(kept.size());
        kept.copy(keys_, known.n);
        known.n = renumbered[known.n];
    }
    for (std::uint32_t& n : order_) n = renumbered[n];
    keys_ = std::move(kept);
}

std::vector<LiveOrder::Stretch> LiveOrder::remove(const store::UidSet& uids) {
    std::vector<Stretch> stretches;
    std::vector<std::uint32_t> kept;
    kept.reserve(order_.size());
    bool in_stretch = false;
    for (std::size_t i = 0; i < order_.size(); ++i) {
        const std::uint32_t uid = keys_.uid(order_[i]);
        const bool goes = uids.contains(Uid(uid));
        if (goes) {
            if (!in_stretch) stretches.push_back({i + 1, {}});
            stretches.back().uids.push_back(uid);
        } else {
            kept.push_back(order_[i]);
        }
        in_stretch = goes;
    }
    order_ = std::move(kept);
    std::reverse(stretches.begin(), stretches.end());
    return stretches;
}

std::vector<LiveOrder::Stretch> LiveOrder::insert(const store::UidSet& uids) {
    std::vector<std::uint32_t> arriving;
    uids.each([&](Uid uid) {
        if (const Known* known = find(uid.value)) arriving.push_back(known->n);
    });
    const auto precedes = [this](std::uint32_t a, std::uint32_t b) { return keys_.precedes(a, b); };
    std::sort(arriving.begin(), arriving.end(), precedes);
    std::vector<Stretch> stretches;
    std::vector<std::uint32_t> merged;
    merged.reserve(order_.size() + arriving.size());
    auto old = order_.begin();
    for (const std::uint32_t n : arriving) {
        const auto place = std::lower_bound(old, order_.end(), n, precedes);
        const bool apart = stretches.empty() || place != old;
        merged.insert(merged.end(), old, place);
        old = place;
        if (apart) stretches.push_back({merged.size() + 1, {}});
        stretches.back().uids.push_back(keys_.uid(n));
        merged.push_back(n);
    }
    merged.insert(merged.end(), old, order_.end());
    order_ = std::move(merged);
    return stretches;
}

std::vector<std::uint32_t> LiveOrder::uids() const {
    std::vector<std::uint32_t> uids;
    for (const std::uint32_t n : order_) uids.push_back(keys_.uid(n));
    return uids;
}

}  // namespace mailstead::imapd::commands
