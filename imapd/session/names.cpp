// From names to mailboxes: one's own, and those that others share (RFC 4314).
#include <algorithm>

#include "common/runtime/log.h"
#include "imapd/session/session.h"

namespace mailstead::imapd {

using store::Failure;
using store::Fault;
using store::Outcome;

namespace {

// Whoever shares everything with everybody must not make everybody's LIST long: what is beyond can be
// selected by its name, but is not listed.
constexpr std::size_t kListedOfOneOwner = 1'000;
constexpr std::size_t kListedInAll = 10'000;

// Those of one account that `who` may list.
Outcome<void> add_shared(const store::AccountReader& owner, AccountId who, std::string_view address,
                         std::vector<Session::Foreign>& found) {
    TRY(now, owner.snapshot());
    TRY(granted, now.granted_to(who));
    const std::size_t most = std::min(found.size() + kListedOfOneOwner, kListedInAll);
    for (const MailboxId id : granted) {
        if (found.size() >= most) break;
        TRY(rights, now.rights(id, who));
        if (!rights.has(store::Right::lookup)) continue;
        TRY(mailbox, now.mailbox(id));
        auto name = join_foreign(address, mailbox.name);
        if (!name) continue;
        mailbox.name = *std::move(name);
        // RFC 6154, 2: uses are for whoever gave them; a client would take somebody else's Sent for its own.
        mailbox.special_use = store::SpecialUse::none;
        found.push_back({owner.id(), std::move(mailbox), rights, owner});
    }
    return {};
}

}  // namespace

net::Task<Outcome<Place>> Session::locate(MailboxName name) {
    auto foreign = split_foreign(name);
    if (!foreign) co_return find_place(account, *reader_, std::move(name));
    const Failure nobody(Fault::non_existent, "no such mailbox");
    if (!foreign->mailbox) co_return nobody;
    const auto owner = backend.account_of(foreign->address);
    if (!owner) co_return owner.error();
    if (!*owner) co_return nobody;
    const AccountId id = **owner;
    if (id == account) co_return find_place(account, *reader_, *std::move(foreign->mailbox));
    // Accounts that share nothing with the user are not even opened: no difference from those that do not
    // exist.
    const auto shares = backend.is_sharer(id, account);
    if (!shares) co_return shares.error();
    if (!*shares) co_return nobody;
    auto opened = co_await backend.open(id);
    if (!opened) co_return opened.error();
    co_return find_place(id, *std::move(opened), *std::move(foreign->mailbox));
}

Outcome<Place> Session::find_place(AccountId owner, store::AccountReader reader, MailboxName name) const {
    Place place{owner, std::move(reader), std::move(name), owner == account, std::nullopt, {}, {}};
    TRY(now, place.reader.snapshot());
    auto found = now.find(place.name);
    if (!found && found.error().fault != Fault::non_existent) return found.error();
    if (place.own) {
        place.rights = place.rights_above = store::Rights::all();
    } else if (found) {
        TRY(rights, now.rights(found->id, account));
        place.rights = rights;
    }
    if (found) place.mailbox = *std::move(found);
    if (place.own) return place;
    for (auto above = place.name.parent(); above; above = above->parent()) {
        const auto parent = now.find(*above);
        if (!parent && parent.error().fault != Fault::non_existent) return parent.error();
        if (!parent) continue;
        TRY(rights, now.rights(parent->id, account));
        place.rights_above = rights;
        break;
    }
    return place;
}

// RFC 4314, 5.1.1: a right that was withdrawn is gone with the next command, and the client hears which flags
// it may still change. False when it may not even read any more.
bool Session::renew_rights() {
    if (selected->own) return true;
    const auto now = selected->snapshot();
    if (!now) return true;  // the command's own answer says what is wrong
    const auto rights = now->rights(selected->info.id, account);
    if (!rights) return rights.error().fault != Fault::non_existent;
    if (!rights->has(store::Right::read)) return false;
    if (*rights == selected->rights) return true;
    const store::FlagScope before = selected->changeable_flags();
    selected->rights = *rights;
    if (selected->changeable_flags() == before) return true;
    write_available_flags(out(), keywords);
    write_permanent_flags(out(), keywords, selected->changeable_flags());
    return true;
}

net::Task<Outcome<std::vector<Session::Foreign>>> Session::foreign_mailboxes() {
    std::vector<Foreign> found;
    const auto owners = backend.sharers(account);
    if (!owners) co_return owners.error();
    for (const AccountId owner : *owners) {
        const auto address = backend.address_of(owner);
        if (!address || !*address) continue;
        auto opened = co_await backend.open(owner);
        Outcome<void> added =
            opened ? add_shared(*opened, account, **address, found) : Outcome<void>(opened.error());
        // Somebody else's broken mailbox does not keep the user from his own.
        if (!added)
            log::warning("imap.shared.unavailable", {{"owner", **address}, {"reason", added.error().what}});
    }
    co_return found;
}

}  // namespace mailstead::imapd
