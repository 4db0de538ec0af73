// What a Watch looks at: one account's mailboxes as the session's user sees them.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/store/store.h"

namespace mailstead::imapd {

// One moment of one account. Names are those that the client uses.
class WatchView {
public:
    struct Mailbox {
        store::MailboxInfo info;
        bool readable = true;  // may be looked into, not only be listed
    };
    using Annotations = std::vector<store::Snapshot::Annotation>;

    virtual ~WatchView() = default;
    // All that may be listed.
    virtual store::Outcome<std::vector<Mailbox>> mailboxes() const = 0;
    // Fault::non_existent when it may not be listed.
    virtual store::Outcome<Mailbox> mailbox(MailboxId id) const = 0;
    // What SubscriptionChange is about.
    virtual store::Outcome<std::vector<MailboxName>> subscriptions() const = 0;
    // Of the mailbox, or of the account for nullopt, as far as the user may see them.
    virtual store::Outcome<Annotations> metadata(const std::optional<MailboxName>& name) const = 0;
};

// One's own account.
class OwnView final : public WatchView {
public:
    // `snapshot` outlives it.
    explicit OwnView(const store::Snapshot& snapshot) : snapshot_(snapshot) {}
    store::Outcome<std::vector<Mailbox>> mailboxes() const override;
    store::Outcome<Mailbox> mailbox(MailboxId id) const override;
    store::Outcome<std::vector<MailboxName>> subscriptions() const override;
    store::Outcome<Annotations> metadata(const std::optional<MailboxName>& name) const override;

private:
    const store::Snapshot& snapshot_;
};

// Another account, `address`, by the rights that `user` has there (RFC 4314). Subscriptions to its mailboxes
// are in the user's own account.
class SharedView final : public WatchView {
public:
    // `snapshot`, null when nothing is shared, and `subscribed`, names as the client uses them, outlive it.
    SharedView(const store::Snapshot* snapshot, AccountId user, std::string address,
               const std::set<std::string>& subscribed)
        : snapshot_(snapshot), user_(user), address_(std::move(address)), subscribed_(subscribed) {}
    store::Outcome<std::vector<Mailbox>> mailboxes() const override;
    store::Outcome<Mailbox> mailbox(MailboxId id) const override;
    store::Outcome<std::vector<MailboxName>> subscriptions() const override;
    store::Outcome<Annotations> metadata(const std::optional<MailboxName>& name) const override;

private:
    const store::Snapshot* snapshot_;
    AccountId user_;
    std::string address_;
    const std::set<std::string>& subscribed_;
};

}  // namespace mailstead::imapd
