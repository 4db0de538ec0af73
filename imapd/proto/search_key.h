// What SEARCH looks for, as a tree of bounded size (RFC 9051, 6.4.4; RFC 7162, 3.1.5; RFC 5032; RFC
// 8474, 5.3; RFC 8514, 4.3).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "imapd/proto/lexer.h"
#include "imapd/proto/sequence_set.h"

namespace mailstead::imapd::proto {

inline constexpr std::size_t kMaxSearchKeys = 2000;  // nodes of the tree
inline constexpr std::size_t kMaxTextKeys = 64;      // of them BODY and TEXT: each reads every message
inline constexpr std::size_t kMaxRangeKeys = 64;     // of them sets with ranges: each may name every message

enum class SearchOp : std::uint8_t {
    all,       // matches everything
    none,      // matches nothing (NEW, RECENT: no message is recent, RFC 9051 has no such flag)
    all_of,    // every child
    any_of,    // some child
    negation,  // not its one child
    sequence,  // set
    uid,       // set
    flag,      // system flag `number` (SystemFlag)
    keyword,   // text
    before,    // INTERNALDATE earlier than `day`
    on,
    since,
    sent_before,  // Date: header field
    sent_on,
    sent_since,
    saved_before,  // SAVEDATE
    saved_on,
    saved_since,
    older,  // `number` seconds
    younger,
    larger,  // `number` octets
    smaller,
    mod_seq,    // at least `number`
    email_id,   // text
    thread_id,  // text
    header,  // the field `field` contains `text` (empty: exists); BCC, CC, FROM, SUBJECT, TO are this as well
    body,    // text
    text,    // text
    fuzzy,   // its one child, matched loosely (RFC 6203)
    filter   // text: the name of a stored search (RFC 5466)
};

struct SearchKey {
    SearchOp op = SearchOp::all;
    std::uint64_t number = 0;
    std::chrono::year_month_day day{};
    std::string field;
    std::string text;  // UTF-8
    SequenceSet set;
    std::vector<SearchKey> children;

    // Whether this key, or one below it, is of this kind.
    bool contains(SearchOp which) const;
};

// search-key *(SP search-key), as one key of kind all_of (or the key itself when there is but one).
Parsed<SearchKey> parse_search_keys(Lexer& in);

// The value of a filter: search keys and nothing else (RFC 5466, 3.1). Literals in it stand as `{n}` CRLF and
// bytes.
Parsed<SearchKey> parse_filter(std::string_view value);
// filter-name = 1*<any ATOM-CHAR except "/">
bool is_filter_name(std::string_view name);

// The bounds above hold for a search with its filters in place as well; what it is beyond them, or nullptr.
const char* excess_of(const SearchKey& key);

}  // namespace mailstead::imapd::proto
