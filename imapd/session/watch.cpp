#include "imapd/session/watch.h"

#include <algorithm>
#include <functional>

#include "imapd/proto/response.h"
#include "imapd/session/place.h"

namespace mailstead::imapd {

using proto::NotifyEvent;
using proto::NotifyEvents;
using proto::NotifyGroup;
using store::Outcome;
using Filter = NotifyGroup::Filter;

namespace {

// More than this at once, and looking everywhere is no dearer.
constexpr std::size_t kMaxMarked = 64;

bool is_selected_filter(const NotifyGroup& group) {
    return group.filter == Filter::selected || group.filter == Filter::selected_delayed;
}

bool matches(const NotifyGroup& group, const MailboxName& name, bool subscribed) {
    switch (group.filter) {
        case Filter::selected:
        case Filter::selected_delayed:
            return false;
        case Filter::inboxes:  // RFC 5465, 6.3: user+folder@ may deliver anywhere
        case Filter::personal:
            return true;
        case Filter::subscribed:
            return subscribed;
        case Filter::subtree:
            return std::any_of(group.names.begin(), group.names.end(),
                               [&](const MailboxName& top) { return name == top || name.is_below(top); });
        case Filter::mailboxes:
            return std::find(group.names.begin(), group.names.end(), name) != group.names.end();
    }
    return false;
}

struct StatusLine {
    bool messages = false;
    bool unseen = false;
    bool mod_seq = false;
};

}  // namespace

// ---- what is wanted

NotifyEvents Watch::selected_events() const {
    for (const NotifyGroup& group : wanted_.groups) {
        if (is_selected_filter(group)) return group.events;
    }
    return NotifyEvents();
}

bool Watch::delays_expunges() const {
    return std::any_of(wanted_.groups.begin(), wanted_.groups.end(),
                       [](const NotifyGroup& group) { return group.filter == Filter::selected_delayed; });
}

const std::vector<proto::FetchItem>& Watch::new_message_items() const {
    static const std::vector<proto::FetchItem> none;
    for (const NotifyGroup& group : wanted_.groups) {
        if (is_selected_filter(group)) return group.new_message_items;
    }
    return none;
}

// RFC 5465, 6: several groups may speak of one mailbox.
NotifyEvents Watch::events_of(const MailboxName& name, bool subscribed) const {
    NotifyEvents events;
    for (const NotifyGroup& group : wanted_.groups) {
        if (!group.events.empty() && matches(group, name, subscribed)) events.add(group.events);
    }
    return events;
}

bool Watch::wants_anywhere(NotifyEvent event) const {
    return std::any_of(wanted_.groups.begin(), wanted_.groups.end(),
                       [event](const NotifyGroup& group) { return group.events.has(event); });
}

std::size_t Watch::watched() const {
    return static_cast<std::size_t>(std::count_if(known_.begin(), known_.end(), [this](const auto& entry) {
        return !events_of(entry.second.name, entry.second.subscribed).empty();
    }));
}

// ---- how things stand

Watch::Seen Watch::seen_of(const WatchView::Mailbox& mailbox) {
    const store::MailboxInfo& info = mailbox.info;
    Seen seen;
    seen.readable = mailbox.readable;
    seen.name = info.name;
    seen.uidvalidity = info.uidvalidity;
    seen.uidnext = info.uidnext;
    seen.highestmodseq = info.highestmodseq;
    seen.messages = info.messages;
    seen.unseen = info.unseen;
    seen.subscribed = info.subscribed;
    seen.special_use = info.special_use;
    return seen;
}

// Changes name the mailboxes as their owner does.
MailboxName Watch::as_client_calls(const MailboxName& name) const {
    if (owner_.empty()) return name;
    auto joined = join_foreign(owner_, name);
    return joined ? *std::move(joined) : name;
}

Outcome<bool> Watch::begin(const WatchView& view) {
    known_.clear();
    marked_.clear();
    look_everywhere_ = false;
    if (wanted_.groups.empty()) return true;
    TRY(mailboxes, view.mailboxes());
    for (const WatchView::Mailbox& mailbox : mailboxes)
        known_.emplace(mailbox.info.id.value, seen_of(mailbox));
    if (watched() > limit_) return false;
    const Enabled enabled;
    const Capabilities capabilities;
    const WatchContext context{enabled, capabilities, std::nullopt};
    std::string nothing;
    Pass pass{view, context, nothing, true, {}, {}, {}, {}};
    if (wants_anywhere(NotifyEvent::subscription_change)) {
        TRY(names, view.subscriptions());
        for (const MailboxName& name : names) subscriptions_.insert(name.utf8());
    }
    TRY_VOID(compare_annotations(pass));
    return true;
}

void Watch::write_no_access(const WatchContext& context, std::string& out) const {
    for (const auto& [id, seen] : known_) {
        if (seen.readable || events_of(seen.name, seen.subscribed).empty()) continue;
        out += "* LIST (\\NoAccess) \"/\" ";
        proto::write_mailbox(out, seen.name, context.enabled.strings());
        out += "\r\n";
    }
}

void Watch::write_status(const WatchContext& context, std::string& out) const {
    for (const auto& [id, seen] : known_) {
        if (context.selected == MailboxId(id)) continue;
        const NotifyEvents events = events_of(seen.name, seen.subscribed);
        if (!events.about_messages() || !seen.readable) continue;
        out += "* STATUS ";
        proto::write_mailbox(out, seen.name, context.enabled.strings());
        out += " (MESSAGES ";
        proto::write_number(out, seen.messages);
        out += " UIDNEXT ";
        proto::write_number(out, seen.uidnext.value);
        out += " UIDVALIDITY ";
        proto::write_number(out, seen.uidvalidity.value);
        if (events.has(NotifyEvent::flag_change)) {
            out += " UNSEEN ";
            proto::write_number(out, seen.unseen);
            if (context.capabilities.has(Capability::condstore)) {
                out += " HIGHESTMODSEQ ";
                proto::write_number(out, seen.highestmodseq.value);
            }
        }
        out += ")\r\n";
    }
}

// ---- what happens

void Watch::mark(std::span<const MailboxId> mailboxes) {
    if (wanted_.groups.empty()) return;
    if (mailboxes.empty()) look_everywhere_ = true;
    for (const MailboxId mailbox : mailboxes) {
        if (look_everywhere_) break;
        if (std::find(marked_.begin(), marked_.end(), mailbox) == marked_.end()) marked_.push_back(mailbox);
        look_everywhere_ = marked_.size() > kMaxMarked;
    }
    if (look_everywhere_) marked_.clear();
}

void Watch::note_own(const store::Action& action, const store::ChangeResult& result) {
    using Reach = OwnNames::Reach;
    if (wanted_.groups.empty()) return;
    if (const auto* appended = std::get_if<store::Appended>(&result)) {
        own_arrivals_[appended->mailbox.value] += static_cast<std::uint32_t>(appended->uids.count());
        mark(std::span<const MailboxId>(&appended->mailbox, 1));
    } else if (const auto* copied = std::get_if<store::Copied>(&result)) {
        own_arrivals_[copied->mailbox.value] += static_cast<std::uint32_t>(copied->destination.count());
        mark(std::span<const MailboxId>(&copied->mailbox, 1));
    }
    if (const auto* create = std::get_if<store::CreateMailbox>(&action)) {
        own_names_.push_back({as_client_calls(create->name), Reach::and_above});
    } else if (const auto* remove = std::get_if<store::DeleteMailbox>(&action)) {
        own_names_.push_back({as_client_calls(remove->name), Reach::itself});
    } else if (const auto* rename = std::get_if<store::RenameMailbox>(&action)) {
        own_names_.push_back({as_client_calls(rename->from), Reach::and_below});
        own_names_.push_back({as_client_calls(rename->to), Reach::and_below});
        own_names_.push_back({as_client_calls(rename->to), Reach::and_above});
    } else if (const auto* subscribe = std::get_if<store::Subscribe>(&action)) {
        own_names_.push_back({subscribe->name, Reach::itself});
    } else if (const auto* metadata = std::get_if<store::SetMetadata>(&action)) {
        own_annotations_.push_back(metadata->mailbox ? std::optional(as_client_calls(*metadata->mailbox))
                                                     : std::nullopt);
    } else {
        return;
    }
    look_everywhere_ = true;
    marked_.clear();
}

bool Watch::is_own(const MailboxName& name) const {
    return std::any_of(own_names_.begin(), own_names_.end(), [&](const OwnNames& own) {
        if (name == own.name) return true;
        if (own.reach == OwnNames::Reach::and_above) return own.name.is_below(name);
        return own.reach == OwnNames::Reach::and_below && name.is_below(own.name);
    });
}

Outcome<bool> Watch::tell(const WatchView& view, const WatchContext& context, std::string& out) {
    foreign_subscriptions_.clear();
    Pass pass{view, context, out, look_everywhere_, {}, {}, {}, {}};
    if (pass.everywhere) {
        TRY_VOID(look_everywhere(pass));
        if (watched() > limit_) return false;
        TRY_VOID(compare_subscriptions(pass));
        TRY_VOID(compare_annotations(pass));
    } else {
        for (const MailboxId mailbox : marked_) TRY_VOID(look_at(pass, mailbox));
    }
    const std::set<std::string> parents = std::move(pass.parents);
    for (const std::string& parent : parents) {
        if (pass.listed.count(parent) != 0) continue;
        const auto name = MailboxName::parse(parent);
        if (!name) continue;
        const auto at = std::find_if(known_.begin(), known_.end(),
                                     [&](const auto& entry) { return entry.second.name == *name; });
        const Seen* mailbox = at == known_.end() ? nullptr : &at->second;
        write_list(pass, *name, mailbox, mailbox != nullptr && mailbox->subscribed, nullptr);
    }
    look_everywhere_ = false;
    marked_.clear();
    own_names_.clear();
    own_arrivals_.clear();
    own_annotations_.clear();
    return true;
}

Outcome<void> Watch::look_everywhere(Pass& pass) {
    TRY(mailboxes, pass.view.mailboxes());
    std::set<std::uint32_t> existing;
    pass.names.clear();
    for (const WatchView::Mailbox& mailbox : mailboxes) {
        existing.insert(mailbox.info.id.value);
        pass.names.push_back(mailbox.info.name.utf8());
    }
    std::sort(pass.names.begin(), pass.names.end());
    std::vector<MailboxId> missing;
    for (const auto& [id, seen] : known_) {
        if (existing.count(id) == 0) missing.emplace_back(id);
    }
    for (const MailboxId mailbox : missing) gone(pass, mailbox);
    for (const WatchView::Mailbox& mailbox : mailboxes) compare(pass, mailbox);
    return Outcome<void>();
}

Outcome<void> Watch::look_at(Pass& pass, MailboxId mailbox) {
    const auto found = pass.view.mailbox(mailbox);
    if (found) {
        compare(pass, *found);
    } else if (found.error().fault == store::Fault::non_existent) {
        gone(pass, mailbox);
    } else {
        return found.error();
    }
    return Outcome<void>();
}

void Watch::compare(Pass& pass, const WatchView::Mailbox& mailbox) {
    const Seen now = seen_of(mailbox);
    const MailboxId id = mailbox.info.id;
    const auto at = known_.find(id.value);
    if (at == known_.end()) {
        known_.emplace(id.value, now);
        if (!pass.everywhere) pass.names.clear();
        const bool granted_anew = withdrawn_.erase(id.value) != 0;
        const NotifyEvents events = events_of(now.name, now.subscribed);
        if (!is_own(now.name) && (granted_anew || events.has(NotifyEvent::mailbox_name)))
            write_list(pass, now.name, &now, now.subscribed, nullptr);
        affect_parent(pass, now.name);
        Seen empty = now;
        empty.messages = empty.unseen = 0;
        empty.uidnext = Uid(1);
        return compare_messages(pass, id, empty, now);
    }
    Seen before = std::exchange(at->second, now);
    if (before.name != now.name) compare_name(pass, before, now);
    // RFC 5465, 5.9: nothing of it is told while it may not be read; \NoAccess says so, and that it may.
    if (before.readable != now.readable && !events_of(now.name, now.subscribed).empty())
        write_list(pass, now.name, &now, now.subscribed, nullptr);
    // What the client knows of its messages is what it could see last.
    if (!now.readable) {
        before.name = now.name;
        before.subscribed = now.subscribed;
        before.readable = false;
        at->second = std::move(before);
        return;
    }
    compare_messages(pass, id, before, now);
}

void Watch::gone(Pass& pass, MailboxId mailbox) {
    const auto at = known_.find(mailbox.value);
    if (at == known_.end()) return;
    const Seen before = std::move(at->second);
    known_.erase(at);
    annotations_.erase(mailbox.value);
    if (!pass.everywhere) pass.names.clear();
    affect_parent(pass, before.name);
    if (is_own(before.name)) return;
    const NotifyEvents events = events_of(before.name, before.subscribed);
    if (events.has(NotifyEvent::mailbox_name)) {
        write_list(pass, before.name, nullptr, before.subscribed, nullptr);
    } else if (!owner_.empty() && !events.empty()) {
        // RFC 5465, 5.9: whether it was deleted or only the right to list it has gone, this is the end of it.
        withdrawn_.insert(mailbox.value);
        Seen hidden = before;
        hidden.readable = false;
        write_list(pass, before.name, &hidden, before.subscribed, nullptr);
    }
}

// RFC 5465, 5.4: one LIST for the mailbox that was renamed, none for those below it.
void Watch::compare_name(Pass& pass, const Seen& before, const Seen& now) {
    if (!pass.everywhere) pass.names.clear();
    const bool with_parent =
        std::any_of(pass.renamed.begin(), pass.renamed.end(), [&](const Renaming& above) {
            if (!before.name.is_below(above.from)) return false;
            const auto moved = before.name.rebased(above.from, above.to);
            return moved && *moved == now.name;
        });
    pass.renamed.push_back({before.name, now.name});
    if (with_parent || is_own(now.name)) return;
    NotifyEvents events = events_of(before.name, before.subscribed);
    events.add(events_of(now.name, now.subscribed));
    if (events.has(NotifyEvent::mailbox_name)) write_list(pass, now.name, &now, now.subscribed, &before.name);
}

// RFC 5465, 5.1 to 5.3: STATUS for what happened in a mailbox that is not selected.
void Watch::compare_messages(Pass& pass, MailboxId mailbox, const Seen& before, const Seen& now) {
    if (pass.context.selected == mailbox || !now.readable) return;
    NotifyEvents events = events_of(now.name, now.subscribed);
    if (!events.about_messages()) return;
    const bool condstore = pass.context.enabled.condstore;
    const bool other_messages = before.messages != now.messages || before.uidnext != now.uidnext;
    StatusLine line;
    line.messages = other_messages;
    if (events.has(NotifyEvent::flag_change)) {
        line.unseen = before.unseen != now.unseen;
        line.mod_seq = condstore && before.highestmodseq != now.highestmodseq;
    }
    const auto own = own_arrivals_.find(mailbox.value);
    if (own != own_arrivals_.end() && before.messages + own->second == now.messages &&
        before.uidnext.value + own->second == now.uidnext.value) {
        return;
    }
    const bool renewed = before.uidvalidity != now.uidvalidity;
    if (!line.messages && !line.unseen && !line.mod_seq && !renewed) return;
    line.mod_seq = line.mod_seq || condstore;
    std::string& out = pass.out;
    out += "* STATUS ";
    proto::write_mailbox(out, now.name, pass.context.enabled.strings());
    out += " (";
    if (line.messages) {
        out += "MESSAGES ";
        proto::write_number(out, now.messages);
        out += " UIDNEXT ";
        proto::write_number(out, now.uidnext.value);
        out += ' ';
    }
    out += "UIDVALIDITY ";
    proto::write_number(out, now.uidvalidity.value);
    if (line.unseen) {
        out += " UNSEEN ";
        proto::write_number(out, now.unseen);
    }
    if (line.mod_seq) {
        out += " HIGHESTMODSEQ ";
        proto::write_number(out, now.highestmodseq.value);
    }
    out += ")\r\n";
}

// RFC 5465, 5.5. Names that moved with their mailboxes are no news.
Outcome<void> Watch::compare_subscriptions(Pass& pass) {
    if (!wants_anywhere(NotifyEvent::subscription_change)) return Outcome<void>();
    TRY(names, pass.view.subscriptions());
    std::set<std::string> now;
    for (const MailboxName& name : names) now.insert(name.utf8());
    std::map<std::string, bool> changed;
    for (const std::string& name : now) {
        if (subscriptions_.count(name) == 0) changed.emplace(name, true);
    }
    for (const std::string& name : subscriptions_) {
        if (now.count(name) == 0) changed.emplace(name, false);
    }
    subscriptions_ = std::move(now);
    for (const Renaming& renaming : pass.renamed) {
        changed.erase(renaming.from.utf8());
        changed.erase(renaming.to.utf8());
    }
    for (const auto& [text, subscribed] : changed) {
        const auto name = MailboxName::parse(text);
        if (!name || is_own(*name) || !events_of(*name, true).has(NotifyEvent::subscription_change)) continue;
        if (split_foreign(*name)) {
            foreign_subscriptions_.emplace(text, subscribed);
            continue;
        }
        const auto at = std::find_if(known_.begin(), known_.end(),
                                     [&](const auto& entry) { return entry.second.name == *name; });
        write_list(pass, *name, at == known_.end() ? nullptr : &at->second, subscribed, nullptr);
    }
    return Outcome<void>();
}

// ---- annotations (RFC 5465, 5.6 and 5.7)

Outcome<void> Watch::compare_annotations(Pass& pass) {
    const auto own = [this](const std::optional<MailboxName>& name) {
        return std::find(own_annotations_.begin(), own_annotations_.end(), name) != own_annotations_.end();
    };
    if (wants_anywhere(NotifyEvent::server_metadata_change))
        TRY_VOID(compare_annotations_of(pass, std::nullopt, 0, !own(std::nullopt)));
    if (!wants_anywhere(NotifyEvent::mailbox_metadata_change)) return Outcome<void>();
    for (const auto& [id, seen] : known_) {
        if (!seen.readable) continue;
        if (!events_of(seen.name, seen.subscribed).has(NotifyEvent::mailbox_metadata_change)) continue;
        TRY_VOID(compare_annotations_of(pass, seen.name, id, !own(seen.name)));
    }
    return Outcome<void>();
}

Outcome<void> Watch::compare_annotations_of(Pass& pass, const std::optional<MailboxName>& name,
                                            std::uint32_t key, bool tell) {
    TRY(entries, pass.view.metadata(name));
    Annotations now;
    for (const auto& entry : entries) now.emplace(entry.name, std::hash<std::string>()(entry.value));
    std::set<std::string> changed;
    const Annotations& before = annotations_[key];
    for (const auto& [entry, digest] : now) {
        const auto at = before.find(entry);
        if (at == before.end() || at->second != digest) changed.insert(entry);
    }
    for (const auto& [entry, digest] : before) {
        if (now.count(entry) == 0) changed.insert(entry);
    }
    annotations_[key] = std::move(now);
    if (changed.empty() || !tell) return Outcome<void>();
    // RFC 5464, 4.4.2: names alone.
    pass.out += "* METADATA ";
    if (name) {
        proto::write_mailbox(pass.out, *name, pass.context.enabled.strings());
    } else {
        pass.out += "\"\"";
    }
    for (const std::string& entry : changed) {
        pass.out += ' ';
        proto::write_astring(pass.out, entry);
    }
    pass.out += "\r\n";
    return Outcome<void>();
}

// ---- LIST

// RFC 5465, 5.4: creation and deletion affect the parent as well, whether it exists or not.
void Watch::affect_parent(Pass& pass, const MailboxName& name) {
    const auto parent = name.parent();
    if (!parent || is_own(name)) return;
    const auto at = std::find_if(known_.begin(), known_.end(),
                                 [&](const auto& entry) { return entry.second.name == *parent; });
    const bool subscribed = at != known_.end() && at->second.subscribed;
    if (events_of(*parent, subscribed).has(NotifyEvent::mailbox_name)) pass.parents.insert(parent->utf8());
}

bool Watch::has_children(Pass& pass, const MailboxName& name) const {
    if (pass.names.empty()) {
        for (const auto& [id, seen] : known_) pass.names.push_back(seen.name.utf8());
        std::sort(pass.names.begin(), pass.names.end());
    }
    const std::string start = name.utf8() + MailboxName::kSeparator;
    const auto at = std::lower_bound(pass.names.begin(), pass.names.end(), start);
    return at != pass.names.end() && at->starts_with(start);
}

void Watch::write_list(Pass& pass, const MailboxName& name, const Seen* mailbox, bool subscribed,
                       const MailboxName* old_name) {
    pass.listed.insert(name.utf8());
    std::string& out = pass.out;
    out += mailbox == nullptr ? "* LIST (\\NonExistent" : "* LIST (";
    bool separate = mailbox == nullptr;
    const auto add = [&](std::string_view attribute) {
        if (separate) out += ' ';
        separate = true;
        out += attribute;
    };
    if (mailbox != nullptr && !mailbox->readable) add("\\NoAccess");
    if (subscribed) add("\\Subscribed");
    if (pass.context.capabilities.has(Capability::children))
        add(has_children(pass, name) ? "\\HasChildren" : "\\HasNoChildren");
    if (mailbox != nullptr && pass.context.capabilities.has(Capability::special_use)) {
        const std::string_view use = store::attribute_of(mailbox->special_use);
        if (!use.empty()) add(use);
    }
    out += ") \"/\" ";
    proto::write_mailbox(out, name, pass.context.enabled.strings());
    if (old_name != nullptr) {
        out += " (\"OLDNAME\" (";
        proto::write_mailbox(out, *old_name, pass.context.enabled.strings());
        out += "))";
    }
    out += "\r\n";
}

}  // namespace mailstead::imapd
