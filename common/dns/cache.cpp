#include "common/dns/cache.h"

namespace mailstead::dns {

std::optional<AnyAnswer> Cache::find(const Question& question, Moment now) {
    const auto found = entries_.find(question);
    if (found == entries_.end()) return std::nullopt;
    if (found->second.until <= now) {
        order_.erase(found->second.used);
        entries_.erase(found);
        return std::nullopt;
    }
    order_.splice(order_.begin(), order_, found->second.used);
    AnyAnswer answer = found->second.answer;
    answer.ttl = std::chrono::ceil<Seconds>(found->second.until - now);
    return answer;
}

void Cache::put(const Question& question, AnyAnswer answer, Moment until) {
    if (limit_ == 0) return;
    const auto [entry, is_new] = entries_.try_emplace(question);
    if (is_new) {
        order_.push_front(&entry->first);
        entry->second.used = order_.begin();
    }
    entry->second.answer = std::move(answer);
    entry->second.until = until;
    if (entries_.size() > limit_) {
        const auto oldest = entries_.find(*order_.back());
        order_.pop_back();
        entries_.erase(oldest);
    }
}

void Cache::clear() {
    order_.clear();
    entries_.clear();
}

}  // namespace mailstead::dns
