// The arguments of SEARCH, SORT, THREAD, ESEARCH and CANCELUPDATE.
#include <algorithm>

#include "common/base/text.h"
#include "imapd/proto/parser.h"
#include "imapd/proto/response.h"

namespace mailstead::imapd::proto {
namespace {

// A single option of `RETURN (...)`, PARTIAL apart.
struct ReturnRow {
    std::string_view name;
    bool SearchReturn::*option;
};
constexpr ReturnRow kReturnRows[] = {
    {"MIN", &SearchReturn::min},         {"MAX", &SearchReturn::max},
    {"ALL", &SearchReturn::all},         {"COUNT", &SearchReturn::count},
    {"SAVE", &SearchReturn::save},       {"RELEVANCY", &SearchReturn::relevancy},
    {"CONTEXT", &SearchReturn::context}, {"UPDATE", &SearchReturn::update},
};

// search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE" / "RELEVANCY" / modifier-context /
// modifier-update /
//                     modifier-partial
Parsed<void> parse_return_option(Lexer& in, SearchReturn& result) {
    const std::size_t start = in.offset();
    TRY(name, in.word());
    if (text::iequals(name, "PARTIAL")) {
        if (result.partial) return ParseError("one PARTIAL at most", start);
        TRY_VOID(in.space());
        TRY(range, parse_partial_range(in));
        result.partial = range;
        return {};
    }
    for (const ReturnRow& row : kReturnRows) {
        if (!text::iequals(row.name, name)) continue;
        result.*row.option = true;
        return {};
    }
    return ParseError("unknown search return option", start);
}

// search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
Parsed<SearchReturn> parse_search_return(Parser& p) {
    SearchReturn result;
    Lexer ahead = p.in;
    if (!ahead.take(' ') || !ahead.take_word("RETURN")) return result;
    Lexer& in = p.in = ahead;
    result.extended = true;
    TRY_VOID(in.space());
    TRY_VOID(in.expect('(', "( expected"));
    if (in.take(')')) {
        result.all = true;  // RFC 9051, 6.4.4: an empty list is the same as ALL
        return result;
    }
    do {
        TRY_VOID(parse_return_option(in, result));
    } while (in.take(' '));
    TRY_VOID(in.expect(')', ") expected"));
    // RFC 9394, 3.1
    if (result.partial && result.all) return in.error("either ALL or PARTIAL");
    p.saves_result = result.save;
    return result;
}

// charset = atom / quoted. Keys follow, also where the charset is unknown.
Parsed<void> parse_charset(Parser& p, bool& unknown) {
    TRY(charset, p.in.astring());
    unknown = !text::iequals(charset, "UTF-8") && !text::iequals(charset, "US-ASCII");
    return p.in.space();
}

Parsed<SearchKey> parse_keys(Parser& p, bool unknown_charset) {
    const std::size_t start = p.in.offset();
    auto key = parse_search_keys(p.in);
    if (!unknown_charset) return key;
    // RFC 9051, 6.4.4: NO; RFC 5466, 3.1: BAD where a filter is named.
    p.is_no = !key || !key->contains(SearchOp::filter);
    p.code = "BADCHARSET (UTF-8 US-ASCII)";
    return ParseError("unsupported charset", start);
}

// search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
Parsed<SearchKey> parse_program(Parser& p) {
    TRY_VOID(p.in.space());
    bool unknown = false;
    if (p.in.take_word("CHARSET")) {
        TRY_VOID(p.in.space());
        TRY_VOID(parse_charset(p, unknown));
    }
    return parse_keys(p, unknown);
}

// search-criteria = charset 1*(SP search-key)   (RFC 5256, 5)
Parsed<SearchKey> parse_criteria(Parser& p) {
    TRY_VOID(p.in.space());
    bool unknown = false;
    TRY_VOID(parse_charset(p, unknown));
    return parse_keys(p, unknown);
}

struct SortRow {
    std::string_view name;
    SortKey key;
};
constexpr SortRow kSortRows[] = {
    {"ARRIVAL", SortKey::arrival},
    {"CC", SortKey::cc},
    {"DATE", SortKey::date},
    {"DISPLAYFROM", SortKey::display_from},
    {"DISPLAYTO", SortKey::display_to},
    {"FROM", SortKey::from},
    {"RELEVANCY", SortKey::relevancy},
    {"SIZE", SortKey::size},
    {"SUBJECT", SortKey::subject},
    {"TO", SortKey::to},
};

// sort-criterion = ["REVERSE" SP] sort-key
Parsed<SortCriterion> parse_criterion(Lexer& in) {
    SortCriterion criterion;
    criterion.reverse = in.take_word("REVERSE");
    if (criterion.reverse) TRY_VOID(in.space());
    const std::size_t start = in.offset();
    TRY(name, in.word());
    for (const SortRow& row : kSortRows) {
        if (!text::iequals(row.name, name)) continue;
        criterion.key = row.key;
        return criterion;
    }
    return ParseError("unknown sort key", start);
}

// sort-criteria = "(" sort-criterion *(SP sort-criterion) ")"
Parsed<std::vector<SortCriterion>> parse_sort_criteria(Lexer& in) {
    std::vector<SortCriterion> criteria;
    TRY_VOID(in.expect('(', "( expected"));
    do {
        if (criteria.size() == kMaxSortCriteria) return in.error("too many sort criteria");
        TRY(criterion, parse_criterion(in));
        criteria.push_back(criterion);
    } while (in.take(' '));
    TRY_VOID(in.expect(')', ") expected"));
    return criteria;
}

// thread-alg = "ORDEREDSUBJECT" / "REFERENCES" / "REFS"
Parsed<ThreadAlgorithm> parse_algorithm(Lexer& in) {
    if (in.take_word("ORDEREDSUBJECT")) return ThreadAlgorithm::ordered_subject;
    if (in.take_word("REFERENCES")) return ThreadAlgorithm::references;
    if (in.take_word("REFS")) return ThreadAlgorithm::refs;
    return in.error("unknown threading algorithm");
}

// one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")"   (RFC 5465, 8)
Parsed<std::vector<MailboxName>> parse_source_names(Parser& p) {
    std::vector<MailboxName> names;
    TRY_VOID(p.in.space());
    const bool several = p.in.take('(');
    do {
        if (names.size() == kMaxSourceMailboxes) return p.in.error("too many mailboxes");
        TRY(name, parse_mailbox(p));
        names.push_back(std::move(name));
    } while (several && p.in.take(' '));
    if (several) TRY_VOID(p.in.expect(')', ") expected"));
    return names;
}

// filter-mailboxes = "selected" / "inboxes" / "personal" / "subscribed" / ("subtree" SP one-or-more-mailbox)
// /
//                    ("subtree-one" SP one-or-more-mailbox) / ("mailboxes" SP one-or-more-mailbox)
Parsed<MailboxSource> parse_source(Parser& p) {
    using Kind = MailboxSource::Kind;
    const std::size_t start = p.in.offset();
    TRY(name, p.in.word());
    const std::pair<std::string_view, Kind> table[] = {
        {"selected", Kind::selected},     {"inboxes", Kind::inboxes}, {"personal", Kind::personal},
        {"subscribed", Kind::subscribed}, {"subtree", Kind::subtree}, {"subtree-one", Kind::subtree_one},
        {"mailboxes", Kind::mailboxes},
    };
    for (const auto& [word, kind] : table) {
        if (!text::iequals(word, name)) continue;
        MailboxSource source{kind, {}};
        if (kind < Kind::subtree) return source;
        TRY(names, parse_source_names(p));
        source.names = std::move(names);
        return source;
    }
    return ParseError("unknown mailbox specifier", start);
}

// esearch-source-opts = "IN" SP "(" source-mbox [SP "(" scope-options ")"] ")". No scope options exist.
Parsed<std::vector<MailboxSource>> parse_sources(Parser& p) {
    std::vector<MailboxSource> sources;
    TRY_VOID(p.in.space());
    TRY_VOID(p.in.expect('(', "( expected"));
    do {
        if (sources.size() == kMaxSourceMailboxes) return p.in.error("too many mailboxes");
        TRY(source, parse_source(p));
        sources.push_back(std::move(source));
    } while (p.in.take(' '));
    TRY_VOID(p.in.expect(')', ") expected"));
    return sources;
}

// RFC 7377, 2.2: SAVE only for the selected mailbox alone.
bool is_selected_alone(const std::vector<MailboxSource>& sources) {
    return std::all_of(sources.begin(), sources.end(),
                       [](const MailboxSource& s) { return s.kind == MailboxSource::Kind::selected; });
}

}  // namespace

// partial-range       = partial-range-first / partial-range-last
// partial-range-first = nz-number ":" nz-number
// partial-range-last  = "-" nz-number ":" "-" nz-number
Parsed<PartialRange> parse_partial_range(Lexer& in) {
    PartialRange range;
    range.from_end = in.take('-');
    TRY(first, in.nz_number());
    TRY_VOID(in.expect(':', ": expected"));
    if (range.from_end) TRY_VOID(in.expect('-', "- expected"));
    TRY(last, in.nz_number());
    range.first = first;
    range.last = last;
    return range;
}

void write_partial_range(std::string& out, const PartialRange& range) {
    if (range.from_end) out += '-';
    write_number(out, range.first);
    out += range.from_end ? ":-" : ":";
    write_number(out, range.last);
}

std::optional<PartialRange::Places> PartialRange::among(std::uint64_t count) const {
    const std::uint64_t low = std::min(first, last);
    const std::uint64_t high = std::min<std::uint64_t>(std::max(first, last), count);
    if (low > count) return std::nullopt;
    if (from_end) return Places{count - high, count - low};
    return Places{low - 1, high - 1};
}

// search = "SEARCH" [search-return-opts] SP search-program
Parsed<Search> parse_search(Parser& p, bool uid) {
    Search search;
    search.uid = uid;
    TRY(result, parse_search_return(p));
    search.result = result;
    TRY(key, parse_program(p));
    search.key = std::move(key);
    return search;
}

// sort = ["UID" SP] "SORT" [search-return-opts] SP sort-criteria SP search-criteria   (RFC 5267, 5)
Parsed<Search> parse_sort(Parser& p, bool uid) {
    Search search;
    search.kind = Search::Kind::sort;
    search.uid = uid;
    TRY(result, parse_search_return(p));
    search.result = result;
    TRY_VOID(p.in.space());
    TRY(criteria, parse_sort_criteria(p.in));
    search.criteria = std::move(criteria);
    TRY(key, parse_criteria(p));
    search.key = std::move(key);
    return search;
}

// thread = ["UID" SP] "THREAD" SP thread-alg SP search-criteria
Parsed<Search> parse_thread(Parser& p, bool uid) {
    Search search;
    search.kind = Search::Kind::thread;
    search.uid = uid;
    TRY_VOID(p.in.space());
    TRY(algorithm, parse_algorithm(p.in));
    search.algorithm = algorithm;
    TRY(key, parse_criteria(p));
    search.key = std::move(key);
    return search;
}

// esearch = "ESEARCH" [SP esearch-source-opts] [SP search-return-opts] SP search-program   (RFC 7377, 4)
Parsed<Search> parse_esearch(Parser& p) {
    Search search;
    search.kind = Search::Kind::multiple;
    search.uid = true;
    Lexer ahead = p.in;
    if (ahead.take(' ') && ahead.take_word("IN")) {
        p.in = ahead;
        TRY(sources, parse_sources(p));
        search.sources = std::move(sources);
    } else {
        search.sources.emplace_back();
    }
    TRY(result, parse_search_return(p));
    search.result = result;
    search.result.extended = true;
    if (search.result.save && !is_selected_alone(search.sources))
        return p.in.error("SAVE is for the selected mailbox");
    TRY(key, parse_program(p));
    search.key = std::move(key);
    return search;
}

// "CANCELUPDATE" 1*(SP quoted)   (RFC 5267, 5)
Parsed<CancelUpdate> parse_cancel_update(Parser& p) {
    CancelUpdate cancel;
    do {
        if (cancel.tags.size() == kMaxCancelledUpdates) return p.in.error("too many tags");
        TRY_VOID(p.in.space());
        TRY(tag, p.in.string());
        cancel.tags.push_back(std::move(tag));
    } while (!Lexer(p.in).end());
    return cancel;
}

}  // namespace mailstead::imapd::proto
