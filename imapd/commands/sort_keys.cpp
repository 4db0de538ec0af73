#include "imapd/commands/sort_keys.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "common/mime/address_list.h"
#include "common/mime/charset.h"
#include "common/mime/message_id.h"

namespace mailstead::imapd::commands {
namespace {

using proto::SortKey;

constexpr std::size_t kNoText = SIZE_MAX;
constexpr std::size_t kLongestText = 1024;  // of a whole text as much is compared

std::uint64_t ordered(std::int64_t value) {
    return static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63);
}

std::string_view body_of(std::string_view field) {
    const std::size_t colon = field.find(':');
    return colon == std::string_view::npos ? std::string_view() : field.substr(colon + 1);
}

std::string_view field_name(SortKey key) {
    switch (key) {
        case SortKey::subject:
            return "subject";
        case SortKey::from:
        case SortKey::display_from:
            return "from";
        case SortKey::cc:
            return "cc";
        default:
            return "to";
    }
}

// RFC 5957, 3: the name, else the address.
std::string display_of(const mime::ListedAddress& address) {
    std::string shown = address.decoded_name();
    if (shown.empty()) shown = address.domain.empty() ? address.local : address.local + '@' + address.domain;
    return shown;
}

// As the index holds it, cut.
template <class Record>
std::string_view sort_text(SortKey key, const Record& record) {
    switch (key) {
        case SortKey::subject:
            return record.base_subject();
        case SortKey::from:
            return record.from_key();
        case SortKey::to:
            return record.to_key();
        case SortKey::cc:
            return record.cc_key();
        case SortKey::display_from:
            return record.from_display();
        case SortKey::display_to:
            return record.to_display();
        default:
            return {};
    }
}

}  // namespace

bool is_text(SortKey key) {
    return key != SortKey::arrival && key != SortKey::date && key != SortKey::size &&
           key != SortKey::relevancy;
}

std::string whole_sort_text(SortKey key, const store::CachedMessage& cached) {
    const auto field = cached.first_field(field_name(key));
    if (!field || field->empty()) return std::string(sort_text(key, cached));
    std::string text;
    if (key == SortKey::subject) {
        text = mime::base_subject(body_of(*field)).text;
    } else {
        mime::AddressListReader list(body_of(*field));
        mime::ListedAddress address;
        while (list.next(address)) {
            if (address.kind != mime::ListedAddress::Kind::mailbox) continue;
            const bool display = key == SortKey::display_from || key == SortKey::display_to;
            text = display ? display_of(address) : address.local;
            break;
        }
    }
    std::string folded = mime::fold_for_search(text);
    if (folded.size() > kLongestText) folded.resize(kLongestText);
    return folded;
}

std::int64_t arrival_date(const store::MessageInfo& message) {
    return std::chrono::floor<std::chrono::seconds>(message.internal_date).time_since_epoch().count();
}

SortKeys::SortKeys(std::vector<proto::SortCriterion> criteria) {
    for (const proto::SortCriterion criterion : criteria) {
        // A key that has decided nothing once will decide nothing again.
        const bool again = std::any_of(criteria_.begin(), criteria_.end(),
                                       [&](const proto::SortCriterion& c) { return c.key == criterion.key; });
        if (again) continue;
        criteria_.push_back(criterion);
        text_of_.push_back(is_text(criterion.key) ? text_count_++ : kNoText);
        needs_header_ = needs_header_ || is_text(criterion.key) || criterion.key == SortKey::date;
    }
}

void SortKeys::reserve(std::size_t messages) {
    uids_.reserve(messages);
    relevancy_.reserve(messages);
    values_.reserve(messages * criteria_.size());
    places_.reserve(messages * text_count_);
}

template <class Record>
std::uint64_t SortKeys::number(SortKey key, const store::MessageInfo& message, const Record* record,
                               std::uint8_t relevancy) {
    switch (key) {
        case SortKey::size:
            return message.size;
        case SortKey::relevancy:
            return 255u - relevancy;  // RFC 6203, 6: the highest score comes first
        case SortKey::date:
            return ordered(record == nullptr ? arrival_date(message) : sent_date(message, *record));
        default:
            return ordered(arrival_date(message));
    }
}

SortKeys::Text SortKeys::keep(std::string_view text) {
    const Text place = std::uint64_t{texts_.size()} << 16 | text.size();
    texts_ += text;
    return place;
}

// The first bytes as a number; texts are compared byte by byte (RFC 5051, 2).
std::uint64_t SortKeys::prefix(std::size_t criterion, std::string_view text) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        value = value << 8 | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0u);
    }
    return criteria_[criterion].reverse ? ~value : value;
}

template <class Record>
void SortKeys::add(const store::MessageInfo& message, const Record* record, std::uint8_t relevancy) {
    uids_.push_back(message.uid.value);
    relevancy_.push_back(relevancy);
    whole_.push_back(false);
    for (std::size_t c = 0; c < criteria_.size(); ++c) {
        const proto::SortCriterion criterion = criteria_[c];
        if (text_of_[c] == kNoText) {
            const std::uint64_t value = number(criterion.key, message, record, relevancy);
            values_.push_back(criterion.reverse ? ~value : value);
            continue;
        }
        const std::string_view text =
            record == nullptr ? std::string_view() : sort_text(criterion.key, *record);
        values_.push_back(prefix(c, text));
        places_.push_back(keep(text));
    }
}

template void SortKeys::add(const store::MessageInfo&, const store::HeaderRecord*, std::uint8_t);
template void SortKeys::add(const store::MessageInfo&, const store::CachedMessage*, std::uint8_t);

std::vector<std::uint32_t> SortKeys::undecided() const {
    std::vector<std::uint32_t> found;
    std::vector<std::uint32_t> cut;
    for (std::size_t t = 0; t < text_count_; ++t) {
        const auto text_at = [&](std::uint32_t n) { return text(places_[n * text_count_ + t]); };
        cut.clear();
        for (std::size_t n = 0; n < size(); ++n) {
            if ((places_[n * text_count_ + t] & 0xFFFF) >= store::kSortKey)
                cut.push_back(static_cast<std::uint32_t>(n));
        }
        // Those that were completed already may be longer: beginnings are compared.
        const auto head = [&](std::uint32_t n) { return text_at(n).substr(0, store::kSortKey); };
        std::sort(cut.begin(), cut.end(),
                  [&](std::uint32_t a, std::uint32_t b) { return head(a) < head(b); });
        for (std::size_t i = 0; i < cut.size(); ++i) {
            const bool again = (i > 0 && head(cut[i - 1]) == head(cut[i])) ||
                               (i + 1 < cut.size() && head(cut[i + 1]) == head(cut[i]));
            if (again && !whole_[cut[i]]) found.push_back(cut[i]);
        }
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

void SortKeys::complete(std::uint32_t n, const store::CachedMessage& cached) {
    for (std::size_t c = 0; c < criteria_.size(); ++c) {
        if (text_of_[c] == kNoText) continue;
        Text& place = places_[n * text_count_ + text_of_[c]];
        if ((place & 0xFFFF) == store::kSortKey) place = keep(whole_sort_text(criteria_[c].key, cached));
    }
    whole_[n] = true;
}

int SortKeys::compare(std::uint32_t a, std::uint32_t b) const {
    const std::size_t width = criteria_.size();
    const std::uint64_t* left = values_.data() + a * width;
    const std::uint64_t* right = values_.data() + b * width;
    for (std::size_t c = 0; c < width; ++c) {
        if (left[c] != right[c]) return left[c] < right[c] ? -1 : 1;
        if (text_of_[c] == kNoText) continue;
        const int order = text(places_[a * text_count_ + text_of_[c]])
                              .compare(text(places_[b * text_count_ + text_of_[c]]));
        if (order != 0) return criteria_[c].reverse ? -order : order;
    }
    return 0;
}

bool SortKeys::precedes(std::uint32_t a, std::uint32_t b) const {
    const int order = compare(a, b);
    return order != 0 ? order < 0 : uids_[a] < uids_[b];
}

// The beginning of the first criterion travels with the number: most is decided without looking elsewhere,
// and what begins alike comes to lie together and is looked at in a second pass.
std::vector<std::uint32_t> SortKeys::sorted(std::size_t begin) const {
    struct Entry {
        std::uint64_t value;
        std::uint64_t more;  // the next eight bytes of a text
        std::uint32_t n;
    };
    std::vector<Entry> entries;
    entries.reserve(size() - begin);
    const bool by_text = !criteria_.empty() && text_of_.front() != kNoText;
    for (std::size_t n = begin; n < size(); ++n) {
        Entry entry{criteria_.empty() ? 0 : values_[n * criteria_.size()], 0, static_cast<std::uint32_t>(n)};
        if (by_text) {
            const std::string_view key = text(places_[n * text_count_]);
            entry.more = prefix(0, key.substr(std::min<std::size_t>(8, key.size())));
        }
        entries.push_back(entry);
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return std::tie(a.value, a.more, a.n) < std::tie(b.value, b.more, b.n);
    });
    const auto in_order = [this](const Entry& a, const Entry& b) { return precedes(a.n, b.n); };
    for (auto alike = entries.begin(); alike != entries.end();) {
        const auto end = std::find_if(alike, entries.end(), [&](const Entry& e) {
            return e.value != alike->value || e.more != alike->more;
        });
        if (!std::is_sorted(alike, end, in_order)) std::sort(alike, end, in_order);
        alike = end;
    }
    std::vector<std::uint32_t> numbers;
    numbers.reserve(entries.size());
    for (const Entry& entry : entries) numbers.push_back(entry.n);
    return numbers;
}

void SortKeys::copy(const SortKeys& other, std::uint32_t n) {
    uids_.push_back(other.uids_[n]);
    relevancy_.push_back(other.relevancy_[n]);
    whole_.push_back(other.whole_[n]);
    for (std::size_t c = 0; c < criteria_.size(); ++c)
        values_.push_back(other.values_[n * criteria_.size() + c]);
    for (std::size_t t = 0; t < text_count_; ++t) {
        places_.push_back(keep(other.text(other.places_[n * text_count_ + t])));
    }
}

}  // namespace mailstead::imapd::commands
