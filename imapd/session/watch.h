// What a client is to be told of without asking (RFC 5465): which mailboxes it watches for what, and what it
// knows of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/store/store.h"
#include "imapd/proto/notify.h"
#include "imapd/session/capabilities.h"
#include "imapd/session/selected.h"
#include "imapd/session/watch_view.h"

namespace mailstead::imapd {

// How answers are to be written, and which mailbox they are not about.
struct WatchContext {
    const Enabled& enabled;
    const Capabilities& capabilities;
    std::optional<MailboxId> selected;
};

// One session's, of one account. A change costs what the changed mailboxes cost; only when mailboxes come, go
// or change their names is the list of all of them read.
class Watch {
public:
    // `limit`: how many mailboxes may be watched. `owner`: the address of the account when it is not the
    // user's.
    Watch(proto::Notify wanted, std::size_t limit, std::string owner = {})
        : wanted_(std::move(wanted)), limit_(limit), owner_(std::move(owner)) {}

    // What the client wants to hear of the selected mailbox; empty when that has been left out (RFC 5465,
    // 3.1).
    proto::NotifyEvents selected_events() const;
    // SELECTED-DELAYED: no EXPUNGE but where every client may get one.
    bool delays_expunges() const;
    const std::vector<proto::FetchItem>& new_message_items() const;

    // Notes how things stand. False: too many mailboxes.
    store::Outcome<bool> begin(const WatchView& view);
    // How many mailboxes are watched.
    std::size_t watched() const;
    // RFC 5465, 3.1: LIST of what is to be watched, may be listed, and may not be read.
    void write_no_access(const WatchContext& context, std::string& out) const;
    // RFC 5465, 3.1: STATUS of each watched mailbox other than the selected one.
    void write_status(const WatchContext& context, std::string& out) const;

    // Something changed in these mailboxes; empty: anywhere.
    void mark(std::span<const MailboxId> mailboxes);
    // Anything may have changed, names and subscriptions too.
    bool is_marked_everywhere() const { return look_everywhere_; }
    bool is_marked() const { return look_everywhere_ || !marked_.empty(); }
    // The client's own change, which it need not hear of (RFC 5465, 5).
    void note_own(const store::Action& action, const store::ChangeResult& result);
    // Appends what the client does not know yet. False: too many mailboxes; the watch is over.
    store::Outcome<bool> tell(const WatchView& view, const WatchContext& context, std::string& out);
    // Other users' mailboxes among the subscriptions that the last tell() met: whether they are subscribed
    // now, by name. They are told by whoever can see them.
    const std::map<std::string, bool>& foreign_subscriptions() const { return foreign_subscriptions_; }

private:
    struct Seen {
        MailboxName name = MailboxName::inbox();
        UidValidity uidvalidity;
        Uid uidnext;
        ModSeq highestmodseq;
        std::uint32_t messages = 0;
        std::uint32_t unseen = 0;
        bool subscribed = false;
        bool readable = true;
        store::SpecialUse special_use = store::SpecialUse::none;
    };
    // Entry names with a digest of each value.
    using Annotations = std::map<std::string, std::size_t>;
    struct Renaming {
        MailboxName from = MailboxName::inbox();
        MailboxName to = MailboxName::inbox();
    };
    struct OwnNames {
        MailboxName name = MailboxName::inbox();
        enum class Reach : std::uint8_t { itself, and_above, and_below } reach = Reach::itself;
    };
    // One call of tell().
    struct Pass {
        const WatchView& view;
        const WatchContext& context;
        std::string& out;
        bool everywhere = false;
        std::vector<Renaming> renamed;
        std::vector<std::string> names;  // of all mailboxes, sorted; made when first needed
        std::set<std::string> parents;   // to be listed
        std::set<std::string> listed;
    };

    static Seen seen_of(const WatchView::Mailbox& mailbox);
    MailboxName as_client_calls(const MailboxName& name) const;
    proto::NotifyEvents events_of(const MailboxName& name, bool subscribed) const;
    bool wants_anywhere(proto::NotifyEvent event) const;
    bool is_own(const MailboxName& name) const;

    store::Outcome<void> look_everywhere(Pass& pass);
    store::Outcome<void> look_at(Pass& pass, MailboxId mailbox);
    void compare(Pass& pass, const WatchView::Mailbox& mailbox);
    void gone(Pass& pass, MailboxId mailbox);
    void compare_name(Pass& pass, const Seen& before, const Seen& now);
    void compare_messages(Pass& pass, MailboxId mailbox, const Seen& before, const Seen& now);
    store::Outcome<void> compare_subscriptions(Pass& pass);
    store::Outcome<void> compare_annotations(Pass& pass);
    store::Outcome<void> compare_annotations_of(Pass& pass, const std::optional<MailboxName>& name,
                                                std::uint32_t key, bool tell);
    void affect_parent(Pass& pass, const MailboxName& name);
    void write_list(Pass& pass, const MailboxName& name, const Seen* mailbox, bool subscribed,
                    const MailboxName* old_name);
    bool has_children(Pass& pass, const MailboxName& name) const;

    proto::Notify wanted_;
    std::size_t limit_;
    std::string owner_;
    std::map<std::string, bool> foreign_subscriptions_;
    std::set<std::uint32_t> withdrawn_;  // mailboxes of others that the client heard it may not see any more
    std::unordered_map<std::uint32_t, Seen> known_;               // by mailbox id
    std::set<std::string> subscriptions_;                         // while SubscriptionChange is wanted
    std::unordered_map<std::uint32_t, Annotations> annotations_;  // by mailbox id, 0 for the account's
    std::vector<MailboxId> marked_;
    bool look_everywhere_ = false;
    // Own changes that the next look will meet.
    std::vector<OwnNames> own_names_;
    std::unordered_map<std::uint32_t, std::uint32_t> own_arrivals_;
    std::vector<std::optional<MailboxName>> own_annotations_;
};

}  // namespace mailstead::imapd
