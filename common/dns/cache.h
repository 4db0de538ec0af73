// Answers that still hold. Private to common/dns.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <optional>

#include "common/dns/records.h"

namespace mailstead::dns {

// The least recently used answer goes first. Pure: time is an argument. Not thread-safe.
class Cache {
public:
    using Moment = std::chrono::steady_clock::time_point;

    explicit Cache(std::size_t limit) : limit_(limit) {}

    // The answer that holds still, its TTL reduced to what is left.
    std::optional<AnyAnswer> find(const Question& question, Moment now);
    void put(const Question& question, AnyAnswer answer, Moment until);
    void clear();
    std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        AnyAnswer answer;
        Moment until;
        std::list<const Question*>::iterator used;
    };
    std::size_t limit_;
    std::map<Question, Entry> entries_;
    std::list<const Question*> order_;  // most recently used first
};

}  // namespace mailstead::dns
