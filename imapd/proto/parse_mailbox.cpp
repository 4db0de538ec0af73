#include "common/address/modified_utf7.h"
#include "common/base/text.h"
#include "imapd/proto/list_pattern.h"
#include "imapd/proto/parser.h"

namespace mailstead::imapd::proto {
namespace {

// known-sequence-set and known-uid-set: "*" is not allowed (RFC 7162, 7).
Parsed<SequenceSet> parse_known(Lexer& in) {
    const std::size_t start = in.offset();
    TRY(set, SequenceSet::parse(in));
    if (set.has_star() || set.is_saved_result()) return ParseError("numbers expected", start);
    return set;
}

// select-param =/ "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"
// seq-match-data = "(" known-sequence-set SP known-uid-set ")"
Parsed<QResync> parse_qresync(Lexer& in) {
    QResync q;
    TRY_VOID(in.space());
    TRY_VOID(in.expect('(', "( expected"));
    TRY(uidvalidity, in.nz_number());
    TRY_VOID(in.space());
    TRY(mod_seq, in.number64());
    q.uidvalidity = uidvalidity;
    q.mod_seq = mod_seq;
    bool more = in.take(' ');
    if (more && in.peek() != '(') {
        TRY(known, parse_known(in));
        q.known_uids = std::move(known);
        more = in.take(' ');
    }
    if (more) {
        TRY_VOID(in.expect('(', "( expected"));
        TRY(numbers, parse_known(in));
        TRY_VOID(in.space());
        TRY(uids, parse_known(in));
        TRY_VOID(in.expect(')', ") expected"));
        q.matched.emplace(std::move(numbers), std::move(uids));
    }
    TRY_VOID(in.expect(')', ") expected"));
    return q;
}

struct StatusRow {
    std::string_view name;
    bool StatusItems::*item;
};
constexpr StatusRow kStatusRows[] = {
    {"MESSAGES", &StatusItems::messages},
    {"RECENT", &StatusItems::recent},
    {"UIDNEXT", &StatusItems::uidnext},
    {"UIDVALIDITY", &StatusItems::uidvalidity},
    {"UNSEEN", &StatusItems::unseen},
    {"DELETED", &StatusItems::deleted},
    {"DELETED-STORAGE", &StatusItems::deleted_storage},
    {"SIZE", &StatusItems::size},
    {"HIGHESTMODSEQ", &StatusItems::highest_mod_seq},
    {"APPENDLIMIT", &StatusItems::append_limit},
    {"MAILBOXID", &StatusItems::mailbox_id},
};

// "(" status-att *(SP status-att) ")"
Parsed<StatusItems> parse_status_items(Lexer& in) {
    StatusItems items;
    TRY_VOID(in.expect('(', "status items expected"));
    do {
        const std::size_t start = in.offset();
        TRY(name, in.word());
        bool known = false;
        for (const StatusRow& row : kStatusRows) {
            if (!text::iequals(row.name, name)) continue;
            items.*row.item = true;
            known = true;
        }
        if (!known) return ParseError("unknown status item", start);
    } while (in.take(' '));
    TRY_VOID(in.expect(')', ") expected"));
    return items;
}

// A pattern or reference in UTF-8, as mailbox names are compared. What is no modified UTF-7 stands for
// itself.
std::string pattern_to_utf8(std::string pattern, const ParseOptions& options) {
    if (options.utf8_names) return pattern;
    auto decoded = decode_modified_utf7(pattern);
    return decoded ? *std::move(decoded) : std::move(pattern);
}

// list-select-opts = "(" [list-select-opt *(SP list-select-opt)] ")"
Parsed<void> parse_select_options(Lexer& in, List& list) {
    TRY_VOID(in.expect('(', "( expected"));
    list.extended = true;
    if (in.take(')')) return {};
    do {
        if (in.take_word("SUBSCRIBED")) {
            list.subscribed_only = true;
        } else if (in.take_word("REMOTE")) {
            list.remote = true;
        } else if (in.take_word("RECURSIVEMATCH")) {
            list.recursive_match = true;
        } else if (in.take_word("SPECIAL-USE")) {
            list.special_use_only = true;
        } else {
            return in.error("unknown selection option");
        }
    } while (in.take(' '));
    // RFC 5258, 3: RECURSIVEMATCH must not be alone, nor with REMOTE alone.
    if (list.recursive_match && !list.subscribed_only && !list.special_use_only) {
        return in.error("RECURSIVEMATCH needs another selection option");
    }
    return in.expect(')', ") expected");
}

// list-return-opts = "RETURN" SP "(" [list-return-opt *(SP list-return-opt)] ")"
Parsed<void> parse_return_options(Lexer& in, List& list) {
    if (!in.take_word("RETURN")) return in.error("RETURN expected");
    TRY_VOID(in.space());
    TRY_VOID(in.expect('(', "( expected"));
    list.extended = true;
    if (in.take(')')) return {};
    do {
        if (in.take_word("SUBSCRIBED")) {
            list.return_subscribed = true;
        } else if (in.take_word("CHILDREN")) {
            list.return_children = true;
        } else if (in.take_word("SPECIAL-USE")) {
            list.return_special_use = true;
        } else if (in.take_word("MYRIGHTS")) {
            list.return_my_rights = true;  // RFC 8440, 5
        } else if (in.take_word("STATUS")) {
            TRY_VOID(in.space());
            TRY(items, parse_status_items(in));
            list.return_status = items;
        } else if (in.take_word("METADATA")) {  // RFC 9590, 5
            TRY_VOID(in.space());
            TRY(names, parse_metadata_entries(in));
            list.return_metadata.emplace().names = std::move(names);
        } else {
            return in.error("unknown return option");
        }
    } while (in.take(' '));
    return in.expect(')', ") expected");
}

// mbox-or-pat = list-mailbox / patterns    patterns = "(" list-mailbox *(SP list-mailbox) ")"
Parsed<void> parse_patterns(Parser& p, List& list) {
    Lexer& in = p.in;
    const bool several = in.take('(');
    if (several) list.extended = true;
    do {
        if (list.patterns.size() == kMaxListPatterns) return in.error("too many patterns");
        TRY(pattern, in.list_mailbox());
        list.patterns.push_back(pattern_to_utf8(std::move(pattern), p.options));
    } while (several && in.take(' '));
    if (several) TRY_VOID(in.expect(')', ") expected"));
    return {};
}

Parsed<void> parse_reference(Parser& p, List& list) {
    TRY(reference, p.in.astring());
    list.reference = pattern_to_utf8(std::move(reference), p.options);
    return p.in.space();
}

}  // namespace

Parsed<MailboxName> parse_mailbox(Parser& p) {
    const std::size_t start = p.in.offset();
    TRY(text, p.in.astring());
    const auto name =
        p.options.utf8_names ? MailboxName::parse(text) : MailboxName::parse_modified_utf7(text);
    if (name) return *name;
    p.is_no = true;
    p.code = "CANNOT";  // RFC 5530, 3: a name that can never exist
    return ParseError(name.error().what, start);
}

// select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"]   (RFC 4466, 2.4)
Parsed<Select> parse_select(Parser& p, bool read_only) {
    Select select;
    select.read_only = read_only;
    TRY_VOID(p.in.space());
    TRY(mailbox, parse_mailbox(p));
    select.mailbox = std::move(mailbox);
    Lexer ahead = p.in;
    if (!ahead.take(' ') || !ahead.take('(')) return select;
    p.in = ahead;
    do {
        if (p.in.take_word("CONDSTORE")) {
            select.condstore = true;
        } else if (p.in.take_word("QRESYNC")) {
            TRY(qresync, parse_qresync(p.in));
            select.qresync = std::move(qresync);
        } else {
            return p.in.error("unknown select parameter");
        }
    } while (p.in.take(' '));
    TRY_VOID(p.in.expect(')', ") expected"));
    return select;
}

// create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]   (RFC 6154, 6)
Parsed<Create> parse_create(Parser& p) {
    Create create;
    TRY_VOID(p.in.space());
    TRY(mailbox, parse_mailbox(p));
    create.mailbox = std::move(mailbox);
    Lexer ahead = p.in;
    if (!ahead.take(' ') || !ahead.take('(')) return create;
    p.in = ahead;
    if (!p.in.take_word("USE")) return p.in.error("unknown create parameter");
    TRY_VOID(p.in.space());
    TRY_VOID(p.in.expect('(', "( expected"));
    if (!p.in.take(')')) {
        do {
            if (create.special_uses.size() == 16) return p.in.error("too many attributes");
            TRY_VOID(p.in.expect('\\', "attribute expected"));
            TRY(name, p.in.atom());
            create.special_uses.push_back("\\" + std::string(name));
        } while (p.in.take(' '));
        TRY_VOID(p.in.expect(')', ") expected"));
    }
    TRY_VOID(p.in.expect(')', ") expected"));
    return create;
}

// rename = "RENAME" SP mailbox SP mailbox
Parsed<Rename> parse_rename(Parser& p) {
    TRY_VOID(p.in.space());
    TRY(from, parse_mailbox(p));
    TRY_VOID(p.in.space());
    TRY(to, parse_mailbox(p));
    return Rename{std::move(from), std::move(to)};
}

// status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
Parsed<Status> parse_status(Parser& p) {
    TRY_VOID(p.in.space());
    TRY(mailbox, parse_mailbox(p));
    TRY_VOID(p.in.space());
    TRY(items, parse_status_items(p.in));
    return Status{std::move(mailbox), items};
}

// list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
Parsed<List> parse_list(Parser& p) {
    List list;
    TRY_VOID(p.in.space());
    if (p.in.peek() == '(') {
        TRY_VOID(parse_select_options(p.in, list));
        TRY_VOID(p.in.space());
    }
    TRY_VOID(parse_reference(p, list));
    TRY_VOID(parse_patterns(p, list));
    Lexer ahead = p.in;
    if (ahead.end()) return list;
    TRY_VOID(p.in.space());
    TRY_VOID(parse_return_options(p.in, list));
    return list;
}

// lsub = "LSUB" SP mailbox SP list-mailbox   (RFC 3501, 9)
Parsed<List> parse_lsub(Parser& p) {
    List list;
    list.lsub = true;
    list.subscribed_only = true;
    TRY_VOID(p.in.space());
    TRY_VOID(parse_reference(p, list));
    TRY(pattern, p.in.list_mailbox());
    list.patterns.push_back(pattern_to_utf8(std::move(pattern), p.options));
    return list;
}

}  // namespace mailstead::imapd::proto
