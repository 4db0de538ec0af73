#include "imapd/proto/sequence_set.h"

#include <algorithm>
#include <charconv>

namespace mailstead::imapd::proto {
namespace {

// seq-number = nz-number / "*"
Parsed<std::uint32_t> parse_number_or_star(Lexer& in) {
    if (in.take('*')) return SequenceSet::kStar;
    return in.nz_number();
}

// Where nothing in the mailbox has a number, "*" has no meaning either.
bool stands_for_something(const NumberRange& r, std::uint32_t largest) {
    return largest != 0 || (r.first != SequenceSet::kStar && r.last != SequenceSet::kStar);
}

void write_number(std::string& out, std::uint32_t number) {
    char digits[10];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.append(digits, end);
}

}  // namespace

// seq-range = seq-number ":" seq-number
Parsed<SequenceSet> SequenceSet::parse(Lexer& in) {
    SequenceSet set;
    if (in.take('$')) {
        set.saved_ = true;
        return set;
    }
    do {
        if (set.ranges_.size() == kMaxRanges) return in.error("too many ranges");
        TRY(first, parse_number_or_star(in));
        std::uint32_t last = first;
        if (in.take(':')) {
            TRY(second, parse_number_or_star(in));
            last = second;
        }
        set.ranges_.push_back({first, last});
    } while (in.take(','));
    return set;
}

SequenceSet SequenceSet::of(std::vector<NumberRange> ranges) {
    SequenceSet set;
    set.ranges_ = std::move(ranges);
    return set;
}

bool SequenceSet::has_ranges() const {
    return saved_ || std::any_of(ranges_.begin(), ranges_.end(),
                                 [](const NumberRange& r) { return r.first != r.last; });
}

bool SequenceSet::has_star() const {
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [](const NumberRange& r) { return r.first == kStar || r.last == kStar; });
}

std::uint32_t SequenceSet::largest_named() const {
    std::uint32_t largest = 0;
    for (const NumberRange& r : ranges_) largest = std::max({largest, r.first, r.last});
    return largest;
}

std::vector<NumberRange> SequenceSet::resolve(std::uint32_t largest) const {
    std::vector<NumberRange> resolved;
    resolved.reserve(ranges_.size());
    for (NumberRange r : ranges_) {
        if (!stands_for_something(r, largest)) continue;
        if (r.first == kStar) r.first = largest;
        if (r.last == kStar) r.last = largest;
        if (r.first > r.last) std::swap(r.first, r.last);
        resolved.push_back(r);
    }
    const auto by_first = [](const NumberRange& a, const NumberRange& b) { return a.first < b.first; };
    if (!std::is_sorted(resolved.begin(), resolved.end(), by_first)) {
        std::sort(resolved.begin(), resolved.end(), by_first);
    }
    std::size_t kept = 0;
    for (const NumberRange& r : resolved) {
        if (kept != 0 && (r.first <= resolved[kept - 1].last || r.first == resolved[kept - 1].last + 1)) {
            resolved[kept - 1].last = std::max(resolved[kept - 1].last, r.last);
        } else {
            resolved[kept++] = r;
        }
    }
    resolved.resize(kept);
    return resolved;
}

void write_ranges(std::string& out, const std::vector<NumberRange>& ranges) {
    bool first = true;
    for (const NumberRange& r : ranges) {
        if (!first) out += ',';
        first = false;
        write_number(out, r.first);
        if (r.last == r.first) continue;
        out += ':';
        write_number(out, r.last);
    }
}

void append_number(std::vector<NumberRange>& ranges, std::uint32_t number) {
    if (!ranges.empty() && ranges.back().last + 1 == number) {
        ranges.back().last = number;
    } else {
        ranges.push_back({number, number});
    }
}

}  // namespace mailstead::imapd::proto
