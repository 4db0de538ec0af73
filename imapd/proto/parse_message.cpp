#include "common/base/text.h"
#include "imapd/proto/parser.h"

namespace mailstead::imapd::proto {
namespace {

// search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
Parsed<SearchReturn> parse_search_return(Lexer& in) {
    SearchReturn result;
    Lexer ahead = in;
    if (!ahead.take(' ') || !ahead.take_word("RETURN")) return result;
    in = ahead;
    result.extended = true;
    TRY_VOID(in.space());
    TRY_VOID(in.expect('(', "( expected"));
    if (in.take(')')) {
        result.all = true;  // RFC 9051, 6.4.4: an empty list is the same as ALL
        return result;
    }
    do {
        if (in.take_word("MIN")) {
            result.min = true;
        } else if (in.take_word("MAX")) {
            result.max = true;
        } else if (in.take_word("ALL")) {
            result.all = true;
        } else if (in.take_word("COUNT")) {
            result.count = true;
        } else if (in.take_word("SAVE")) {
            result.save = true;
        } else {
            return in.error("unknown search return option");
        }
    } while (in.take(' '));
    TRY_VOID(in.expect(')', ") expected"));
    return result;
}

// ["CHARSET" SP charset SP]
Parsed<void> parse_charset(Parser& p) {
    if (!p.in.take_word("CHARSET")) return {};
    TRY_VOID(p.in.space());
    const std::size_t start = p.in.offset();
    TRY(charset, p.in.astring());
    if (!text::iequals(charset, "UTF-8") && !text::iequals(charset, "US-ASCII")) {
        p.is_no = true;
        p.code = "BADCHARSET (UTF-8 US-ASCII)";  // RFC 9051, 6.4.4
        return ParseError("unsupported charset", start);
    }
    return p.in.space();
}

Parsed<SequenceSet> parse_set(Lexer& in) {
    TRY_VOID(in.space());
    return SequenceSet::parse(in);
}

// fetch-modifier =/ "CHANGEDSINCE" SP mod-sequence-value / "VANISHED"   (RFC 7162, 7)
Parsed<void> parse_fetch_modifiers(Lexer& in, Fetch& fetch) {
    Lexer ahead = in;
    if (!ahead.take(' ') || !ahead.take('(')) return {};
    in = ahead;
    do {
        if (in.take_word("CHANGEDSINCE")) {
            TRY_VOID(in.space());
            TRY(mod_seq, in.number64());  // 0 too: iOS Mail sends it
            fetch.changed_since = mod_seq;
        } else if (in.take_word("VANISHED")) {
            fetch.vanished = true;
        } else {
            return in.error("unknown fetch modifier");
        }
    } while (in.take(' '));
    if (fetch.vanished && (!fetch.uid || !fetch.changed_since)) {
        return in.error("VANISHED needs UID FETCH and CHANGEDSINCE");  // RFC 7162, 3.2.6
    }
    return in.expect(')', ") expected");
}

}  // namespace

// search = "SEARCH" [search-return-opts] SP search-program
// search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
Parsed<Search> parse_search(Parser& p, bool uid) {
    Search search;
    search.uid = uid;
    TRY(result, parse_search_return(p.in));
    search.result = result;
    TRY_VOID(p.in.space());
    TRY_VOID(parse_charset(p));
    TRY(key, parse_search_keys(p.in));
    search.key = std::move(key);
    return search;
}

// fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att)
// ")") [fetch-modifiers]
Parsed<Fetch> parse_fetch(Parser& p, bool uid) {
    Fetch fetch;
    fetch.uid = uid;
    TRY(set, parse_set(p.in));
    fetch.messages = std::move(set);
    TRY_VOID(p.in.space());
    TRY(items, parse_fetch_items(p.in));
    fetch.items = std::move(items);
    TRY_VOID(parse_fetch_modifiers(p.in, fetch));
    return fetch;
}

// store = "STORE" SP sequence-set [SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"] SP store-att-flags
// store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
Parsed<Store> parse_store(Parser& p, bool uid) {
    Store store;
    store.uid = uid;
    TRY(set, parse_set(p.in));
    store.messages = std::move(set);
    TRY_VOID(p.in.space());
    if (p.in.take('(')) {
        if (!p.in.take_word("UNCHANGEDSINCE")) return p.in.error("unknown store modifier");
        TRY_VOID(p.in.space());
        TRY(mod_seq, p.in.number64());
        store.unchanged_since = mod_seq;
        TRY_VOID(p.in.expect(')', ") expected"));
        TRY_VOID(p.in.space());
    }
    if (p.in.take('+')) {
        store.how = Store::How::add;
    } else if (p.in.take('-')) {
        store.how = Store::How::remove;
    }
    if (p.in.take_word("FLAGS.SILENT")) {
        store.silent = true;
    } else if (!p.in.take_word("FLAGS")) {
        return p.in.error("FLAGS expected");
    }
    TRY_VOID(p.in.space());
    TRY(flags, parse_store_flags(p.in));
    store.flags = std::move(flags);
    return store;
}

// copy = "COPY" SP sequence-set SP mailbox    move = "MOVE" SP sequence-set SP mailbox
Parsed<Copy> parse_copy(Parser& p, bool uid, bool move) {
    Copy copy;
    copy.uid = uid;
    copy.move = move;
    TRY(set, parse_set(p.in));
    copy.messages = std::move(set);
    TRY_VOID(p.in.space());
    TRY(mailbox, parse_mailbox(p));
    copy.mailbox = std::move(mailbox);
    return copy;
}

}  // namespace mailstead::imapd::proto
