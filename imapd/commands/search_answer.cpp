#include "imapd/commands/search_answer.h"

#include <algorithm>

#include "imapd/proto/response.h"

namespace mailstead::imapd::commands {
namespace {

// score-list = "(" [score *(SP score)] ")"   (RFC 6203, 7)
void write_scores(std::string& out, const std::vector<std::uint8_t>& scores,
                  std::optional<proto::PartialRange::Places> places) {
    const std::size_t begin = places ? static_cast<std::size_t>(places->first) : 0;
    const std::size_t end = places ? static_cast<std::size_t>(places->last) + 1 : scores.size();
    out += " RELEVANCY (";
    for (std::size_t n = begin; n < end; ++n) {
        if (n != begin) out += ' ';
        proto::write_number(out, scores[n]);
    }
    out += ')';
}

// ret-data-partial = "PARTIAL" SP "(" partial-range SP partial-results ")"   (RFC 9394, 4)
void write_partial(std::string& out, const proto::PartialRange& wanted, const ResultList& part) {
    out += " PARTIAL (";
    proto::write_partial_range(out, wanted);
    out += ' ';
    if (part.empty()) {
        out += "NIL";
    } else {
        proto::write_ranges(out, part.ranges());
    }
    out += ')';
}

}  // namespace

ResultList::ResultList(const store::UidSet& uids) : count_(uids.count()) {
    ranges_.reserve(uids.ranges().size());
    for (const store::UidRange range : uids.ranges()) ranges_.push_back({range.first, range.last});
}

void ResultList::add(std::uint32_t number) {
    add(proto::NumberRange{number, number});
}

void ResultList::add(proto::NumberRange range) {
    count_ += std::uint64_t{range.last} - range.first + 1;
    if (!ranges_.empty() && ranges_.back().last != UINT32_MAX && ranges_.back().last + 1 == range.first) {
        ranges_.back().last = range.last;
    } else {
        ranges_.push_back(range);
    }
}

ResultList ResultList::part(proto::PartialRange::Places places) const {
    ResultList some;
    std::uint64_t before = 0;
    for (const proto::NumberRange range : ranges_) {
        const std::uint64_t size = std::uint64_t{range.last} - range.first + 1;
        const std::uint64_t begin = std::max(places.first, before);
        const std::uint64_t end = std::min(places.last + 1, before + size);
        if (begin < end) {
            some.add(proto::NumberRange{range.first + static_cast<std::uint32_t>(begin - before),
                                        range.first + static_cast<std::uint32_t>(end - before - 1)});
        }
        before += size;
        if (before > places.last) break;
    }
    return some;
}

// Neighbouring UIDs that exist have neighbouring numbers.
ResultList ResultList::numbered(const store::UidRuns& messages) const {
    ResultList numbers;
    for (const proto::NumberRange range : ranges_) {
        const std::uint32_t first = messages.number_of(Uid(range.first));
        if (first != 0) numbers.add(proto::NumberRange{first, first + (range.last - range.first)});
    }
    return numbers;
}

store::UidSet ResultList::to_set() const {
    std::vector<store::UidRange> ranges;
    ranges.reserve(ranges_.size());
    for (const proto::NumberRange range : ranges_) ranges.push_back({range.first, range.last});
    return store::UidSet::from(std::move(ranges));
}

void write_plain(std::string& out, std::string_view name, const ResultList& numbers, ModSeq mod_seq) {
    out += "* ";
    out += name;
    for (const proto::NumberRange r : numbers.ranges()) {
        for (std::uint64_t n = r.first; n <= r.last; ++n) {
            out += ' ';
            proto::write_number(out, n);
        }
    }
    if (mod_seq && !numbers.empty()) {
        out += " (MODSEQ ";
        proto::write_number(out, mod_seq.value);
        out += ')';
    }
    out += "\r\n";
}

// esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)
void write_extended(std::string& out, std::string_view tag, std::string_view correlator,
                    const proto::SearchReturn& wanted, const SearchAnswer& answer,
                    const store::UidRuns* messages) {
    const auto shown = [&](const ResultList& uids) {
        return messages == nullptr ? uids : uids.numbered(*messages);
    };
    const ResultList results = shown(answer.uids);
    out += "* ESEARCH (TAG ";
    proto::write_string(out, tag);
    out += correlator;
    out += messages == nullptr ? ") UID" : ")";
    if (wanted.min && !results.empty()) {
        out += " MIN ";
        proto::write_number(out, results.first());
    }
    if (wanted.max && !results.empty()) {
        out += " MAX ";
        proto::write_number(out, results.last());
    }
    if (wanted.all && !results.empty()) {
        out += " ALL ";
        proto::write_ranges(out, results.ranges());
    }
    std::optional<proto::PartialRange::Places> places;
    if (wanted.partial) {
        places = wanted.partial->among(answer.uids.count());
        write_partial(out, *wanted.partial, places ? shown(answer.uids.part(*places)) : ResultList());
    }
    if (wanted.count) {
        out += " COUNT ";
        proto::write_number(out, answer.uids.count());
    }
    if (wanted.relevancy) {
        const bool none = wanted.partial && !places;
        write_scores(out, none ? std::vector<std::uint8_t>() : answer.relevancy, places);
    }
    if (answer.mod_seq && !results.empty()) {
        out += " MODSEQ ";
        proto::write_number(out, answer.mod_seq.value);
    }
    out += "\r\n";
}

store::UidSet result_to_save(const proto::SearchReturn& wanted, const ResultList& uids) {
    if (wanted.all || wanted.count || (!wanted.min && !wanted.max && !wanted.partial)) return uids.to_set();
    store::UidSet saved;
    if (wanted.partial) {
        if (const auto places = wanted.partial->among(uids.count())) saved = uids.part(*places).to_set();
    }
    if (wanted.min && !uids.empty()) saved.add(Uid(uids.first()));
    if (wanted.max && !uids.empty()) saved.add(Uid(uids.last()));
    return saved;
}

}  // namespace mailstead::imapd::commands
