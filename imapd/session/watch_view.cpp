#include "imapd/session/watch_view.h"

#include <algorithm>

#include "imapd/session/place.h"

namespace mailstead::imapd {

using store::Failure;
using store::Fault;
using store::Outcome;

// ---- one's own

Outcome<std::vector<WatchView::Mailbox>> OwnView::mailboxes() const {
    TRY(infos, snapshot_.mailboxes());
    std::vector<Mailbox> all;
    all.reserve(infos.size());
    for (store::MailboxInfo& info : infos) all.push_back({std::move(info), true});
    return all;
}

Outcome<WatchView::Mailbox> OwnView::mailbox(MailboxId id) const {
    TRY(info, snapshot_.mailbox(id));
    return Mailbox{std::move(info), true};
}

Outcome<std::vector<MailboxName>> OwnView::subscriptions() const {
    return snapshot_.subscriptions();
}

Outcome<WatchView::Annotations> OwnView::metadata(const std::optional<MailboxName>& name) const {
    return snapshot_.metadata(name);
}

// ---- somebody else's

Outcome<std::vector<WatchView::Mailbox>> SharedView::mailboxes() const {
    std::vector<Mailbox> all;
    if (snapshot_ == nullptr) return all;
    TRY(granted, snapshot_->granted_to(user_));
    for (const MailboxId id : granted) {
        auto one = mailbox(id);
        if (one) {
            all.push_back(*std::move(one));
        } else if (one.error().fault != Fault::non_existent) {
            return one.error();
        }
    }
    return all;
}

Outcome<WatchView::Mailbox> SharedView::mailbox(MailboxId id) const {
    const Failure nobody(Fault::non_existent, "no such mailbox");
    if (snapshot_ == nullptr) return nobody;
    TRY(info, snapshot_->mailbox(id));
    TRY(rights, snapshot_->rights(id, user_));
    if (!rights.has(store::Right::lookup)) return nobody;
    auto name = join_foreign(address_, info.name);
    if (!name) return nobody;
    info.name = *std::move(name);
    info.subscribed = subscribed_.count(info.name.utf8()) != 0;
    info.special_use = store::SpecialUse::none;  // RFC 6154, 2: for whoever gave it
    return Mailbox{std::move(info), rights.has(store::Right::read)};
}

Outcome<std::vector<MailboxName>> SharedView::subscriptions() const {
    return std::vector<MailboxName>();
}

// RFC 5464, 3.3: private ones are the owner's.
Outcome<WatchView::Annotations> SharedView::metadata(const std::optional<MailboxName>& name) const {
    Annotations annotations;
    if (snapshot_ == nullptr || !name) return annotations;
    const auto foreign = split_foreign(*name);
    if (!foreign || !foreign->mailbox) return annotations;
    TRY(all, snapshot_->metadata(foreign->mailbox));
    annotations = std::move(all);
    std::erase_if(annotations, [](const auto& each) { return each.name.starts_with("/private/"); });
    return annotations;
}

}  // namespace mailstead::imapd
