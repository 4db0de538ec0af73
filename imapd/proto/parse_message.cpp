#include "common/base/text.h"
#include "imapd/proto/parser.h"

namespace mailstead::imapd::proto {
namespace {

Parsed<SequenceSet> parse_set(Lexer& in) {
    TRY_VOID(in.space());
    return SequenceSet::parse(in);
}

// fetch-modifier =/ "CHANGEDSINCE" SP mod-sequence-value / "VANISHED" / modifier-partial   (RFC 7162, 7; RFC
// 9394, 4)
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
        } else if (fetch.uid && !fetch.partial && in.take_word("PARTIAL")) {  // RFC 9394, 3.3
            TRY_VOID(in.space());
            TRY(range, parse_partial_range(in));
            fetch.partial = range;
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
