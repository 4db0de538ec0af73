#include "imapd/proto/search_key.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/mime/date_time.h"
#include "imapd/proto/flags.h"

namespace mailstead::imapd::proto {
namespace {

enum class Argument : std::uint8_t {
    nothing,
    text,
    header_text,
    named_header,
    keyword,
    date,
    number,
    seconds,
    set,
    above,
    below,
    mod_seq
};

constexpr std::uint32_t kLastUid = 0xffffffff;  // uniqueid = nz-number

struct Row {
    std::string_view name;
    SearchOp op;
    Argument argument = Argument::nothing;
    bool negated = false;
    SystemFlag flag = SystemFlag::seen;
};

constexpr Row kRows[] = {
    {"ALL", SearchOp::all},
    {"ANSWERED", SearchOp::flag, Argument::nothing, false, SystemFlag::answered},
    {"DELETED", SearchOp::flag, Argument::nothing, false, SystemFlag::deleted},
    {"DRAFT", SearchOp::flag, Argument::nothing, false, SystemFlag::draft},
    {"FLAGGED", SearchOp::flag, Argument::nothing, false, SystemFlag::flagged},
    {"SEEN", SearchOp::flag, Argument::nothing, false, SystemFlag::seen},
    {"UNANSWERED", SearchOp::flag, Argument::nothing, true, SystemFlag::answered},
    {"UNDELETED", SearchOp::flag, Argument::nothing, true, SystemFlag::deleted},
    {"UNDRAFT", SearchOp::flag, Argument::nothing, true, SystemFlag::draft},
    {"UNFLAGGED", SearchOp::flag, Argument::nothing, true, SystemFlag::flagged},
    {"UNSEEN", SearchOp::flag, Argument::nothing, true, SystemFlag::seen},
    {"NEW", SearchOp::none},
    {"RECENT", SearchOp::none},
    {"OLD", SearchOp::all},
    {"KEYWORD", SearchOp::keyword, Argument::keyword},
    {"UNKEYWORD", SearchOp::keyword, Argument::keyword, true},
    {"BCC", SearchOp::header, Argument::header_text},
    {"CC", SearchOp::header, Argument::header_text},
    {"FROM", SearchOp::header, Argument::header_text},
    {"SUBJECT", SearchOp::header, Argument::header_text},
    {"TO", SearchOp::header, Argument::header_text},
    {"HEADER", SearchOp::header, Argument::named_header},
    {"BODY", SearchOp::body, Argument::text},
    {"TEXT", SearchOp::text, Argument::text},
    {"BEFORE", SearchOp::before, Argument::date},
    {"ON", SearchOp::on, Argument::date},
    {"SINCE", SearchOp::since, Argument::date},
    {"SENTBEFORE", SearchOp::sent_before, Argument::date},
    {"SENTON", SearchOp::sent_on, Argument::date},
    {"SENTSINCE", SearchOp::sent_since, Argument::date},
    {"SAVEDBEFORE", SearchOp::saved_before, Argument::date},
    {"SAVEDON", SearchOp::saved_on, Argument::date},
    {"SAVEDSINCE", SearchOp::saved_since, Argument::date},
    {"SAVEDATESUPPORTED", SearchOp::all},
    {"OLDER", SearchOp::older, Argument::seconds},
    {"YOUNGER", SearchOp::younger, Argument::seconds},
    {"LARGER", SearchOp::larger, Argument::number},
    {"SMALLER", SearchOp::smaller, Argument::number},
    {"UID", SearchOp::uid, Argument::set},
    {"UIDAFTER", SearchOp::uid, Argument::above},
    {"UIDBEFORE", SearchOp::uid, Argument::below},
    {"MODSEQ", SearchOp::mod_seq, Argument::mod_seq},
    {"EMAILID", SearchOp::email_id, Argument::text},
    {"THREADID", SearchOp::thread_id, Argument::text},
};

SearchKey negate(SearchKey key) {
    SearchKey outer;
    outer.op = SearchOp::negation;
    outer.children.push_back(std::move(key));
    return outer;
}

class KeyParser {
public:
    explicit KeyParser(Lexer& in) : in_(in) {}

    // search-key *(SP search-key)
    Parsed<SearchKey> list(unsigned depth) {
        SearchKey all;
        all.op = SearchOp::all_of;
        do {
            TRY(key, one(depth));
            all.children.push_back(std::move(key));
        } while (in_.take(' '));
        if (all.children.size() == 1) {
            SearchKey only = std::move(all.children.front());
            return only;
        }
        return all;
    }

private:
    // search-key = ... / "NOT" SP search-key / "OR" SP search-key SP search-key / sequence-set /
    //              "(" search-key *(SP search-key) ")" / "FUZZY" SP search-key / "FILTER" SP filter-name
    Parsed<SearchKey> one(unsigned depth) {
        if (depth == kMaxNesting) return in_.error("search keys nested too deep");
        if (++count_ > kMaxSearchKeys) return in_.error("too many search keys");
        const char c = in_.peek();
        if (c == '(') return group(depth);
        if (text::is_digit(c) || c == '*' || c == '$') return set(SearchOp::sequence);
        const std::size_t start = in_.offset();
        TRY(name, in_.word());
        if (text::iequals(name, "NOT")) return negation(depth);
        if (text::iequals(name, "OR")) return alternative(depth);
        if (text::iequals(name, "FUZZY")) return loosely(depth);
        if (text::iequals(name, "FILTER")) return filter();
        const auto row = std::find_if(std::begin(kRows), std::end(kRows),
                                      [&](const Row& r) { return text::iequals(r.name, name); });
        if (row == std::end(kRows)) return ParseError("unknown search key", start);
        TRY(key, plain(*row));
        if (!row->negated) return key;
        return negate(std::move(key));
    }

    Parsed<SearchKey> group(unsigned depth) {
        TRY_VOID(in_.expect('(', "( expected"));
        TRY(key, list(depth + 1));
        TRY_VOID(in_.expect(')', ") expected"));
        return key;
    }

    Parsed<SearchKey> negation(unsigned depth) {
        TRY_VOID(in_.space());
        TRY(key, one(depth + 1));
        return negate(std::move(key));
    }

    // RFC 6203, 7
    Parsed<SearchKey> loosely(unsigned depth) {
        TRY_VOID(in_.space());
        TRY(key, one(depth + 1));
        SearchKey outer;
        outer.op = SearchOp::fuzzy;
        outer.children.push_back(std::move(key));
        return outer;
    }

    // RFC 5466, 4
    Parsed<SearchKey> filter() {
        TRY_VOID(in_.space());
        const std::size_t start = in_.offset();
        TRY(name, in_.atom());
        if (!is_filter_name(name)) return ParseError("filter name expected", start);
        SearchKey key;
        key.op = SearchOp::filter;
        key.text = std::string(name);
        return key;
    }

    Parsed<SearchKey> alternative(unsigned depth) {
        SearchKey either;
        either.op = SearchOp::any_of;
        for (int i = 0; i < 2; ++i) {
            TRY_VOID(in_.space());
            TRY(key, one(depth + 1));
            either.children.push_back(std::move(key));
        }
        return either;
    }

    Parsed<SearchKey> set(SearchOp op) {
        SearchKey key;
        key.op = op;
        TRY(parsed, SequenceSet::parse(in_));
        number_count_ += parsed.written().size();
        const bool too_many = (parsed.has_ranges() && ++range_count_ > kMaxRangeKeys) ||
                              number_count_ > SequenceSet::kMaxRanges;
        if (too_many) return in_.error("too many ranges");
        key.set = std::move(parsed);
        return key;
    }

    // search-key =/ "UIDAFTER" SP uniqueid / "UIDBEFORE" SP uniqueid   (RFC 9738, 3.2)
    // Without "*", which would name the last message whatever its UID.
    Parsed<SearchKey> beside(SearchKey key, bool above) {
        TRY_VOID(in_.space());
        TRY(uid, in_.nz_number());
        if (++range_count_ > kMaxRangeKeys) return in_.error("too many ranges");
        if (uid == (above ? kLastUid : 1)) {
            key.op = SearchOp::none;
        } else {
            key.set = SequenceSet::of({above ? NumberRange{uid + 1, kLastUid} : NumberRange{1, uid - 1}});
        }
        return key;
    }

    Parsed<SearchKey> plain(const Row& row) {
        SearchKey key;
        key.op = row.op;
        key.number = static_cast<std::uint64_t>(row.flag);
        switch (row.argument) {
            case Argument::nothing:
                return key;
            case Argument::header_text:
                key.field = std::string(row.name);
                return with_text(std::move(key));
            case Argument::text:
                return with_text(std::move(key));
            case Argument::named_header: {
                TRY_VOID(in_.space());
                TRY(field, in_.astring());
                key.field = std::move(field);
                return with_text(std::move(key));
            }
            case Argument::keyword: {
                TRY_VOID(in_.space());
                TRY(keyword, in_.atom());
                key.text = std::string(keyword);
                return key;
            }
            case Argument::date:
                return with_date(std::move(key));
            case Argument::number: {
                TRY_VOID(in_.space());
                TRY(number, in_.number64());
                key.number = number;
                return key;
            }
            case Argument::seconds: {  // within-search-key: nz-number (RFC 5032, 4)
                TRY_VOID(in_.space());
                TRY(seconds, in_.nz_number());
                key.number = seconds;
                return key;
            }
            case Argument::set:
                TRY_VOID(in_.space());
                return set(row.op);
            case Argument::above:
            case Argument::below:
                return beside(std::move(key), row.argument == Argument::above);
            case Argument::mod_seq:
                return with_mod_seq(std::move(key));
        }
        return in_.error("unknown search key");
    }

    Parsed<SearchKey> with_text(SearchKey key) {
        if (key.op != SearchOp::header && ++text_count_ > kMaxTextKeys)
            return in_.error("too many text keys");
        TRY_VOID(in_.space());
        const std::size_t start = in_.offset();
        TRY(value, in_.astring());
        if (!text::is_utf8(value)) return ParseError("search text is not UTF-8", start);
        key.text = std::move(value);
        return key;
    }

    // date = date-text / DQUOTE date-text DQUOTE
    Parsed<SearchKey> with_date(SearchKey key) {
        TRY_VOID(in_.space());
        const std::size_t start = in_.offset();
        TRY(written, in_.astring());
        const auto day = mime::parse_imap_date(written);
        if (!day) return ParseError("date expected", start);
        key.day = *day;
        return key;
    }

    // search-modsequence = "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer   (RFC 7162, 7)
    // Mod-sequences are kept for a message as a whole, so that the entry is read and left aside.
    Parsed<SearchKey> with_mod_seq(SearchKey key) {
        TRY_VOID(in_.space());
        if (in_.peek() == '"') {
            TRY(entry, in_.string());
            if (!text::istarts_with(entry, "/flags/")) return in_.error("flag entry expected");
            TRY_VOID(in_.space());
            if (!in_.take_word("priv") && !in_.take_word("shared") && !in_.take_word("all")) {
                return in_.error("entry type expected");
            }
            TRY_VOID(in_.space());
        }
        TRY(number, in_.number64());
        key.number = number;
        return key;
    }

    Lexer& in_;
    std::size_t count_ = 0;
    std::size_t text_count_ = 0;
    std::size_t range_count_ = 0;
    std::size_t number_count_ = 0;
};

}  // namespace

bool SearchKey::contains(SearchOp which) const {
    if (op == which) return true;
    return std::any_of(children.begin(), children.end(),
                       [which](const SearchKey& child) { return child.contains(which); });
}

Parsed<SearchKey> parse_search_keys(Lexer& in) {
    return KeyParser(in).list(0);
}

Parsed<SearchKey> parse_filter(std::string_view value) {
    Lexer in(value);
    TRY(key, parse_search_keys(in));
    TRY_VOID(in.end());
    return key;
}

bool is_filter_name(std::string_view name) {
    Lexer in(name);
    return in.atom() && in.at_end() && name.find('/') == std::string_view::npos;
}

namespace {

struct Counts {
    std::size_t keys = 0;
    std::size_t texts = 0;
    std::size_t ranges = 0;
    std::size_t numbers = 0;
};

void count(const SearchKey& key, Counts& counts) {
    ++counts.keys;
    if (key.op == SearchOp::body || key.op == SearchOp::text) ++counts.texts;
    if (key.set.has_ranges()) ++counts.ranges;
    counts.numbers += key.set.written().size();
    for (const SearchKey& child : key.children) count(child, counts);
}

}  // namespace

const char* excess_of(const SearchKey& key) {
    Counts counts;
    count(key, counts);
    // NOT, AND and parentheses are nodes of their own.
    if (counts.keys > 3 * kMaxSearchKeys) return "Too many search keys";
    if (counts.texts > kMaxTextKeys) return "Too many text keys";
    if (counts.ranges > kMaxRangeKeys || counts.numbers > SequenceSet::kMaxRanges) return "Too many ranges";
    return nullptr;
}

}  // namespace mailstead::imapd::proto
