// The keys of messages to be sorted, compact: numbers side by side, texts in one string. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/header_record.h"
#include "common/store/store.h"
#include "imapd/proto/search_options.h"

namespace mailstead::imapd::commands {

// INTERNALDATE in seconds.
std::int64_t arrival_date(const store::MessageInfo& message);
// The key of a text criterion, whole: folded, but not cut to store::kSortKey (RFC 5256, 2.1 and 3; RFC 5957,
// 3).
std::string whole_sort_text(proto::SortKey key, const store::CachedMessage& cached);
bool is_text(proto::SortKey key);
// RFC 5256, 2.2: seconds; without a Date field the arrival. `Record` is a HeaderRecord or a CachedMessage.
template <class Record>
std::int64_t sent_date(const store::MessageInfo& message, const Record& record) {
    if (const auto sent = record.sent_date()) return sent->utc_seconds;
    return arrival_date(message);
}

class SortKeys {
public:
    explicit SortKeys(std::vector<proto::SortCriterion> criteria);

    // Whether keys come out of the header record.
    bool needs_header() const { return needs_header_; }
    void reserve(std::size_t messages);
    // Adds a message. `record`, a store::HeaderRecord or a store::CachedMessage, may be null when nothing is
    // needed of it. Messages get the numbers 0, 1, 2...
    template <class Record>
    void add(const store::MessageInfo& message, const Record* record, std::uint8_t relevancy);

    // Messages with a text that was cut and occurs again: only whole texts tell them apart.
    std::vector<std::uint32_t> undecided() const;
    void complete(std::uint32_t n, const store::CachedMessage& cached);

    std::size_t size() const { return uids_.size(); }
    std::uint32_t uid(std::uint32_t n) const { return uids_[n]; }
    std::uint8_t relevancy(std::uint32_t n) const { return relevancy_[n]; }
    // A strict order; equal messages stand in mailbox order (RFC 5256, 3).
    bool precedes(std::uint32_t a, std::uint32_t b) const;
    // All numbers from `begin` on, in order.
    std::vector<std::uint32_t> sorted(std::size_t begin = 0) const;
    // The same criteria without messages.
    SortKeys empty_copy() const { return SortKeys(criteria_); }
    // Appends message `n` of `other`, which has the same criteria.
    void copy(const SortKeys& other, std::uint32_t n);

private:
    using Text = std::uint64_t;  // offset << 16 | size
    template <class Record>
    static std::uint64_t number(proto::SortKey key, const store::MessageInfo& message, const Record* record,
                                std::uint8_t relevancy);
    std::string_view text(Text t) const { return std::string_view(texts_).substr(t >> 16, t & 0xFFFF); }
    Text keep(std::string_view text);
    std::uint64_t prefix(std::size_t criterion, std::string_view text) const;
    int compare(std::uint32_t a, std::uint32_t b) const;

    std::vector<proto::SortCriterion> criteria_;
    std::vector<std::size_t> text_of_;  // per criterion: which of the texts of a message, or npos
    std::size_t text_count_ = 0;        // texts of a message
    bool needs_header_ = false;
    std::vector<std::uint32_t> uids_;
    std::vector<std::uint8_t> relevancy_;
    std::vector<std::uint64_t> values_;  // criteria of message 0, of message 1...; descending ones inverted
    std::vector<Text> places_;           // texts of message 0, of message 1...
    std::vector<bool> whole_;            // the texts of the message are not cut
    std::string texts_;
};

}  // namespace mailstead::imapd::commands
