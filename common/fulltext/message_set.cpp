#include <algorithm>
#include <bit>

#include "common/fulltext/text_index.h"

namespace mailstead::fulltext {

void MessageSet::add(std::uint64_t id) {
    if (id > kMaxIndexedMessage) return;
    if (id / 64 >= bits_.size()) bits_.resize(static_cast<std::size_t>(std::max(id / 64 + 1, id / 48)));
    bits_[id / 64] |= std::uint64_t{1} << (id % 64);
}

void MessageSet::intersect(const MessageSet& other) {
    bits_.resize(std::min(bits_.size(), other.bits_.size()));
    for (std::size_t i = 0; i < bits_.size(); ++i) bits_[i] &= other.bits_[i];
}

void MessageSet::unite(const MessageSet& other) {
    bits_.resize(std::max(bits_.size(), other.bits_.size()));
    for (std::size_t i = 0; i < other.bits_.size(); ++i) bits_[i] |= other.bits_[i];
}

void MessageSet::remove(const MessageSet& other) {
    const std::size_t both = std::min(bits_.size(), other.bits_.size());
    for (std::size_t i = 0; i < both; ++i) bits_[i] &= ~other.bits_[i];
}

std::uint64_t MessageSet::count() const {
    std::uint64_t count = 0;
    for (const std::uint64_t word : bits_) count += static_cast<std::uint64_t>(std::popcount(word));
    return count;
}

}  // namespace mailstead::fulltext
