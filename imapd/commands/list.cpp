// LIST (RFC 9051, 6.3.9; RFC 5258; RFC 5819; RFC 6154) and LSUB (RFC 3501, 6.3.9).
#include <algorithm>
#include <map>
#include <set>

#include "imapd/commands/commands.h"
#include "imapd/proto/list_pattern.h"

namespace mailstead::imapd::commands {
namespace {

struct Entry {
    const store::MailboxInfo* mailbox = nullptr;  // null: no such mailbox
    const Session::Foreign* foreign = nullptr;    // another account's
    bool only_a_level = false;                    // no mailbox that the user may see, but some are below it
    bool subscribed = false;
    bool above_chosen = false;  // some mailbox below it is chosen by the selection options
    bool above_hidden = false;  // ... and is not itself listed (LSUB)
};

// Keys are names in UTF-8, so that they are listed in one order always.
using Entries = std::map<std::string, Entry, std::less<>>;

class Lister {
public:
    Lister(const proto::List& wanted, const std::vector<std::string>& patterns,
           const std::vector<store::MailboxInfo>& mailboxes, const std::vector<Session::Foreign>& foreign,
           const std::vector<MailboxName>& subscriptions)
        : wanted_(wanted), patterns_(patterns) {
        for (const auto& mailbox : mailboxes) entries_[mailbox.name.utf8()].mailbox = &mailbox;
        for (const auto& shared : foreign) {
            Entry& entry = entries_[shared.mailbox.name.utf8()];
            entry.mailbox = &shared.mailbox;
            entry.foreign = &shared;
        }
        for (const auto& shared : foreign) add_levels(shared.mailbox.name);
        for (const auto& name : subscriptions) entries_[name.utf8()].subscribed = true;
        if (wanted.recursive_match || wanted.lsub) mark_ancestors();
    }

    template <class Write>
    void each(Write&& write) const {
        for (const auto& [name, entry] : entries_) {
            if (!matches(name)) continue;
            if (chosen(entry) || (wanted_.recursive_match && entry.above_chosen) ||
                (wanted_.lsub && entry.above_hidden) || shown_as_level(name, entry)) {
                write(name, entry);
            }
        }
    }

    // Whether the selection options choose the entry for itself.
    bool chosen(const Entry& entry) const {
        if (wanted_.subscribed_only && !entry.subscribed) return false;
        if (!wanted_.subscribed_only && entry.mailbox == nullptr) return false;
        const bool special =
            entry.mailbox != nullptr && entry.mailbox->special_use != store::SpecialUse::none;
        return !wanted_.special_use_only || special;
    }

    bool has_children(std::string_view name) const {
        const std::string start = std::string(name) + MailboxName::kSeparator;
        for (auto at = entries_.lower_bound(start); at != entries_.end() && at->first.starts_with(start);
             ++at) {
            if (at->second.mailbox != nullptr) return true;
        }
        return false;
    }

private:
    bool matches(std::string_view name) const {
        return std::any_of(patterns_.begin(), patterns_.end(), [name](const std::string& pattern) {
            return proto::matches_list_pattern(pattern, name, MailboxName::kSeparator);
        });
    }

    void add_levels(const MailboxName& name) {
        for (auto above = name.parent(); above; above = above->parent()) {
            Entry& entry = entries_[above->utf8()];
            if (entry.mailbox == nullptr) entry.only_a_level = true;
        }
    }

    // RFC 9051, 6.3.9: levels that "%" at the end of a pattern finds are shown although they are no
    // mailboxes, so that a client can go down. For everything else they do not exist (RFC 4314, 4).
    bool shown_as_level(std::string_view name, const Entry& entry) const {
        if (!entry.only_a_level || wanted_.subscribed_only || wanted_.special_use_only) return false;
        return std::any_of(patterns_.begin(), patterns_.end(), [name](const std::string& pattern) {
            return pattern.ends_with('%') &&
                   proto::matches_list_pattern(pattern, name, MailboxName::kSeparator);
        });
    }

    void mark_ancestors() {
        std::vector<std::pair<std::string, bool>> found;
        for (const auto& [name, entry] : entries_) {
            if (chosen(entry)) found.emplace_back(name, matches(name));
        }
        for (const auto& [name, listed] : found) {
            for (std::size_t cut = name.rfind('/'); cut != std::string::npos && cut != 0;
                 cut = name.rfind('/', cut - 1)) {
                Entry& above = entries_[name.substr(0, cut)];
                above.above_chosen = true;
                if (!listed) above.above_hidden = true;
            }
        }
    }

    const proto::List& wanted_;
    const std::vector<std::string>& patterns_;
    Entries entries_;
};

class LineWriter {
public:
    LineWriter(Session& session, const proto::List& wanted, const Lister& lister, const store::Snapshot& now)
        : session_(session), wanted_(wanted), lister_(lister), now_(now) {}

    // mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox [SP
    // mbox-list-extended]
    void write(const std::string& name, const Entry& entry) {
        const auto parsed = MailboxName::parse(name);
        if (!parsed) return;
        std::string& out = session_.out();
        out += wanted_.lsub ? "* LSUB (" : "* LIST (";
        first_ = true;
        write_attributes(name, entry);
        out += ") \"/\" ";
        proto::write_mailbox(out, *parsed, session_.enabled.strings());
        if (wanted_.recursive_match && entry.above_chosen) write_child_info();
        out += "\r\n";
        if (entry.mailbox == nullptr) return;
        const store::Rights rights = entry.foreign != nullptr ? entry.foreign->rights : store::Rights::all();
        // RFC 8440, 3: not for those that are shown for their children alone.
        if (wanted_.return_my_rights && lister_.chosen(entry))
            write_my_rights(out, *parsed, rights, session_.enabled.strings());
        if (wanted_.return_status && rights.has(store::Right::read)) write_status_line(entry);
        if (wanted_.return_metadata) write_annotations(*parsed, entry);
    }

private:
    void write_attributes(const std::string& name, const Entry& entry) {
        if (wanted_.lsub) {
            // RFC 3501, 6.3.9: a parent shown only because something below it is subscribed.
            if (!entry.subscribed) add("\\Noselect");
        } else if (entry.mailbox == nullptr) {
            add("\\NonExistent");
            if (entry.only_a_level) add("\\Noselect");  // for clients that know no better
        }
        if (!wanted_.lsub && entry.subscribed && (wanted_.subscribed_only || wanted_.return_subscribed))
            add("\\Subscribed");
        if (session_.capabilities.has(Capability::children)) {
            add(lister_.has_children(name) ? "\\HasChildren" : "\\HasNoChildren");
        }
        // In LSUB as well: Outlook looks for them there.
        if (entry.mailbox != nullptr && session_.capabilities.has(Capability::special_use)) {
            const std::string_view use = store::attribute_of(entry.mailbox->special_use);
            if (!use.empty()) add(use);
        }
    }

    void add(std::string_view attribute) {
        if (!first_) session_.out() += ' ';
        first_ = false;
        session_.out() += attribute;
    }

    // childinfo-extended-item = "CHILDINFO" SP "(" list-select-base-opt-quoted *(SP ...) ")"
    void write_child_info() {
        session_.out() += " (\"CHILDINFO\" (";
        session_.out() += wanted_.subscribed_only ? "\"SUBSCRIBED\"" : "\"SPECIAL-USE\"";
        if (wanted_.subscribed_only && wanted_.special_use_only) session_.out() += " \"SPECIAL-USE\"";
        session_.out() += "))";
    }

    void write_status_line(const Entry& entry) {
        std::string& out = session_.out();
        const store::MailboxInfo& mailbox = *entry.mailbox;
        const AccountId id_scope = entry.foreign != nullptr ? entry.foreign->owner : AccountId();
        out += "* STATUS ";
        proto::write_mailbox(out, mailbox.name, session_.enabled.strings());
        out += " (";
        write_status(out, *wanted_.return_status, mailbox, session_.backend.append_limit(), id_scope);
        out += ")\r\n";
    }

    // RFC 9590, 3: a mailbox whose annotations cannot be read has no METADATA.
    void write_annotations(const MailboxName& name, const Entry& entry) {
        const auto annotations =
            entry.foreign == nullptr ? now_.metadata(name) : annotations_of(*entry.foreign);
        if (annotations) (void)write_metadata(session_, name, *wanted_.return_metadata, *annotations);
    }

    static store::Outcome<std::vector<store::Snapshot::Annotation>> annotations_of(
        const Session::Foreign& foreign) {
        const auto name = split_foreign(foreign.mailbox.name);
        if (!name || !name->mailbox) return store::Failure(store::Fault::non_existent, "no such mailbox");
        return shared_annotations(foreign.reader, *name->mailbox, foreign.rights);
    }

    Session& session_;
    const proto::List& wanted_;
    const Lister& lister_;
    const store::Snapshot& now_;
    bool first_ = true;
};

std::vector<std::string> full_patterns(const proto::List& wanted) {
    std::vector<std::string> patterns;
    for (const std::string& pattern : wanted.patterns) {
        patterns.push_back(proto::simplify_list_pattern(
            proto::join_reference(wanted.reference, pattern, MailboxName::kSeparator)));
    }
    return patterns;
}

// Whether others' mailboxes could be asked for: if not, none is looked at.
bool asks_for_foreign(const proto::List& wanted, const std::vector<std::string>& patterns) {
    if (wanted.special_use_only && !wanted.recursive_match) return false;
    return std::any_of(patterns.begin(), patterns.end(), [](std::string_view pattern) {
        const std::string_view fixed = pattern.substr(0, pattern.find_first_of("*%"));
        return fixed.starts_with(kOtherUsers) ||
               (fixed.size() < pattern.size() && kOtherUsers.starts_with(fixed));
    });
}

}  // namespace

net::Task<Reply> list(Session& session, Command& command) {
    const auto& wanted = std::get<proto::List>(command.arguments);
    // RFC 9051, 6.3.9: an empty name asks for the separator.
    if (!wanted.lsub && wanted.patterns.size() == 1 && wanted.patterns.front().empty() && !wanted.extended) {
        session.out() += "* LIST (\\Noselect) \"/\" \"\"\r\n";
        co_return ok("That is all");
    }
    if (wanted.return_status && wanted.return_status->highest_mod_seq) session.enable_condstore();
    const std::vector<std::string> patterns = full_patterns(wanted);
    std::vector<Session::Foreign> foreign;
    if (asks_for_foreign(wanted, patterns)) {
        auto found = co_await session.foreign_mailboxes();
        if (found) foreign = *std::move(found);
    }
    const auto now = session.own_snapshot();
    if (!now) co_return reply_to(now.error());
    const auto mailboxes = now->mailboxes();
    if (!mailboxes) co_return reply_to(mailboxes.error());
    const auto subscriptions = now->subscriptions();
    if (!subscriptions) co_return reply_to(subscriptions.error());
    const Lister lister(wanted, patterns, *mailboxes, foreign, *subscriptions);
    LineWriter writer(session, wanted, lister, *now);
    lister.each([&](const std::string& name, const Entry& entry) { writer.write(name, entry); });
    co_return ok("That is all");
}

}  // namespace mailstead::imapd::commands
