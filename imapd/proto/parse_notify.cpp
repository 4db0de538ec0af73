#include <algorithm>

#include "imapd/proto/parser.h"

namespace mailstead::imapd::proto {
namespace {

using Filter = NotifyGroup::Filter;

struct EventRow {
    std::string_view name;
    NotifyEvent event;
};
constexpr EventRow kEvents[] = {
    {"MessageNew", NotifyEvent::message_new},
    {"MessageExpunge", NotifyEvent::message_expunge},
    {"FlagChange", NotifyEvent::flag_change},
    {"MailboxName", NotifyEvent::mailbox_name},
    {"SubscriptionChange", NotifyEvent::subscription_change},
    {"MailboxMetadataChange", NotifyEvent::mailbox_metadata_change},
    {"ServerMetadataChange", NotifyEvent::server_metadata_change},
};
constexpr std::string_view kSupported =
    "BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange "
    "ServerMetadataChange)";

bool of_selected(const NotifyGroup& group) {
    return group.filter == Filter::selected || group.filter == Filter::selected_delayed;
}

// "(" fetch-att *(SP fetch-att) ")" behind MessageNew. Being told of a message must not mark it as seen: the
// client did not ask for this one (RFC 5465, 5.2).
Parsed<void> parse_new_message_items(Lexer& in, NotifyGroup& group) {
    Lexer ahead = in;
    if (!ahead.take(' ') || ahead.peek() != '(') return {};
    if (!of_selected(group)) return ahead.error("fetch items belong to the selected mailbox");
    in = ahead;
    TRY(items, parse_fetch_items(in));
    group.new_message_items = std::move(items);
    for (FetchItem& item : group.new_message_items) item.peek = true;
    return {};
}

// event = message-event / mailbox-event / user-event / event-ext
Parsed<void> parse_event(Parser& p, NotifyGroup& group) {
    const std::size_t start = p.in.offset();
    for (const EventRow& row : kEvents) {
        if (!p.in.take_word(row.name)) continue;
        group.events.add(row.event);
        if (row.event == NotifyEvent::message_new) return parse_new_message_items(p.in, group);
        return {};
    }
    // RFC 5465, 3.1: NO, not BAD, for what is an event but none that this server knows. AnnotationChange is
    // one.
    TRY_VOID(p.in.atom());
    p.is_no = true;
    p.code = kSupported;
    return ParseError("no such event here", start);
}

// RFC 5465, 5 and 6.1
Parsed<void> check_events(const Lexer& in, const NotifyGroup& group) {
    const NotifyEvents events = group.events;
    const bool both = events.has(NotifyEvent::message_new) && events.has(NotifyEvent::message_expunge);
    if (events.about_messages() && !both) return in.error("MessageNew and MessageExpunge go together");
    if (!of_selected(group)) return {};
    for (const EventRow& row : kEvents) {
        NotifyEvents one;
        one.add(row.event);
        if (events.has(row.event) && !one.about_messages())
            return in.error("only message events for the selected mailbox");
    }
    return {};
}

// events = ("(" event *(SP event) ")") / "NONE"
// The examples of RFC 5465 leave the inner parentheses out.
Parsed<void> parse_events(Parser& p, NotifyGroup& group) {
    if (p.in.take_word("NONE")) return {};
    const bool enclosed = p.in.take('(');
    do {
        TRY_VOID(parse_event(p, group));
    } while (p.in.take(' '));
    if (enclosed) TRY_VOID(p.in.expect(')', ") expected"));
    return check_events(p.in, group);
}

// one-or-more-mailbox = mailbox / many-mailboxes    many-mailboxes = "(" mailbox *(SP mailbox) ")"
Parsed<void> parse_names(Parser& p, NotifyGroup& group, std::size_t& names_left) {
    TRY_VOID(p.in.space());
    const bool many = p.in.take('(');
    do {
        if (names_left-- == 0) {
            p.is_no = true;
            p.code = "NOTIFICATIONOVERFLOW";
            return p.in.error("too many mailboxes");
        }
        TRY(name, parse_mailbox(p));
        group.names.push_back(std::move(name));
    } while (many && p.in.take(' '));
    if (many) TRY_VOID(p.in.expect(')', ") expected"));
    return {};
}

// filter-mailboxes = "selected" / "selected-delayed" / "inboxes" / "personal" / "subscribed" /
//                    "subtree" SP one-or-more-mailbox / "mailboxes" SP one-or-more-mailbox
Parsed<void> parse_filter(Parser& p, NotifyGroup& group, std::size_t& names_left) {
    if (p.in.take_word("SELECTED-DELAYED")) {
        group.filter = Filter::selected_delayed;
    } else if (p.in.take_word("SELECTED")) {
        group.filter = Filter::selected;
    } else if (p.in.take_word("INBOXES")) {
        group.filter = Filter::inboxes;
    } else if (p.in.take_word("PERSONAL")) {
        group.filter = Filter::personal;
    } else if (p.in.take_word("SUBSCRIBED")) {
        group.filter = Filter::subscribed;
    } else if (p.in.take_word("SUBTREE")) {
        group.filter = Filter::subtree;
        return parse_names(p, group, names_left);
    } else if (p.in.take_word("MAILBOXES")) {
        group.filter = Filter::mailboxes;
        return parse_names(p, group, names_left);
    } else {
        return p.in.error("unknown mailbox filter");
    }
    return {};
}

// event-group = "(" filter-mailboxes SP events ")"
Parsed<NotifyGroup> parse_group(Parser& p, std::size_t& names_left) {
    NotifyGroup group;
    TRY_VOID(p.in.expect('(', "( expected"));
    TRY_VOID(parse_filter(p, group, names_left));
    TRY_VOID(p.in.space());
    TRY_VOID(parse_events(p, group));
    TRY_VOID(p.in.expect(')', ") expected"));
    return group;
}

}  // namespace

// notify     = "NOTIFY" SP (notify-set / notify-none)
// notify-set = "SET" [SP "STATUS"] SP event-groups    notify-none = "NONE"
Parsed<Notify> parse_notify(Parser& p) {
    Notify notify;
    TRY_VOID(p.in.space());
    if (p.in.take_word("NONE")) {
        notify.none = true;
        return notify;
    }
    if (!p.in.take_word("SET")) return p.in.error("SET or NONE expected");
    TRY_VOID(p.in.space());
    notify.status = p.in.take_word("STATUS");
    if (notify.status) TRY_VOID(p.in.space());
    std::size_t names_left = kMaxNotifyNames;
    bool selected = false;
    do {
        if (notify.groups.size() == kMaxNotifyGroups) return p.in.error("too many event groups");
        TRY(group, parse_group(p, names_left));
        // RFC 5465, 6.1: only one of them, once.
        if (of_selected(group) && std::exchange(selected, true))
            return p.in.error("the selected mailbox is named twice");
        notify.groups.push_back(std::move(group));
    } while (p.in.take(' '));
    return notify;
}

// uidbatches = "UIDBATCHES" SP nz-number [SP nz-number ":" nz-number]   (RFC 10022)
Parsed<UidBatches> parse_uid_batches(Parser& p) {
    UidBatches batches;
    TRY_VOID(p.in.space());
    TRY(size, p.in.nz_number());
    batches.size = size;
    if (Lexer(p.in).end()) return batches;
    TRY_VOID(p.in.space());
    TRY(first, p.in.nz_number());
    TRY_VOID(p.in.expect(':', ": expected"));
    TRY(last, p.in.nz_number());
    if (last < first) return p.in.error("the range is upside down");
    batches.range = NumberRange{first, last};
    return batches;
}

}  // namespace mailstead::imapd::proto
