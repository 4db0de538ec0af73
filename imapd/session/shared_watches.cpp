#include "imapd/session/shared_watches.h"

#include <algorithm>
#include <iterator>

#include "common/runtime/log.h"
#include "imapd/session/place.h"

namespace mailstead::imapd {

using proto::NotifyGroup;
using store::Outcome;
using Filter = NotifyGroup::Filter;

namespace {

// Each is an index to be opened, and its changes wake the session.
constexpr std::size_t kMaxOwners = 200;

// RFC 5465, 6: the other filters are about the selected mailbox, or one's own.
bool is_about_others(const NotifyGroup& group) {
    const bool by_name = group.filter == Filter::subtree || group.filter == Filter::mailboxes;
    return !group.events.empty() && (by_name || group.filter == Filter::subscribed);
}

// All of them, to whomever they belong.
bool is_root_of_others(const NotifyGroup& group, const MailboxName& name) {
    return group.filter == Filter::subtree && name.utf8() == kOtherUsers.substr(0, kOtherUsers.size() - 1);
}

}  // namespace

// ---- who is watched

Outcome<std::map<AccountId, std::string>> SharedWatches::owners_wanted() const {
    std::set<std::string> addresses;
    bool all = false;
    for (const NotifyGroup& group : wanted_.groups) {
        if (!is_about_others(group)) continue;
        for (const MailboxName& name : group.names) {
            if (const auto foreign = split_foreign(name)) addresses.insert(foreign->address);
            all = all || is_root_of_others(group, name);
        }
        if (group.filter != Filter::subscribed) continue;
        for (const std::string& text : subscribed_) {
            const auto name = MailboxName::parse(text);
            if (!name) continue;
            if (const auto foreign = split_foreign(*name)) addresses.insert(foreign->address);
        }
    }
    std::map<AccountId, std::string> owners;
    std::vector<AccountId> ids;
    if (all) {
        TRY(sharers, backend_.sharers(user_));
        ids = std::move(sharers);
    }
    for (const std::string& address : addresses) {
        TRY(id, backend_.account_of(address));
        if (id) ids.push_back(*id);
    }
    for (const AccountId id : ids) {
        if (id == user_ || owners.count(id) != 0) continue;
        TRY(address, backend_.address_of(id));
        if (address) owners.emplace(id, *std::move(address));
    }
    return owners;
}

// The groups that may be about mailboxes of `owner`, with its address as LIST shows it: the client may have
// named it by another one.
proto::Notify SharedWatches::part_of(AccountId owner, const std::string& address) const {
    proto::Notify part;
    for (const NotifyGroup& group : wanted_.groups) {
        if (!is_about_others(group)) continue;
        NotifyGroup mine = group;
        mine.names.clear();
        for (const MailboxName& name : group.names) {
            const auto foreign = split_foreign(name);
            if (!foreign) {
                if (is_root_of_others(group, name)) mine.names.push_back(name);
                continue;
            }
            const auto id = backend_.account_of(foreign->address);
            if (!id || *id != owner) continue;
            if (foreign->mailbox) {
                auto joined = join_foreign(address, *foreign->mailbox);
                if (joined) mine.names.push_back(*std::move(joined));
            } else if (auto top = MailboxName::parse(std::string(kOtherUsers) + address)) {
                mine.names.push_back(*std::move(top));
            }
        }
        if (mine.filter == Filter::subscribed || !mine.names.empty()) part.groups.push_back(std::move(mine));
    }
    return part;
}

std::size_t SharedWatches::watched() const {
    std::size_t sum = 0;
    for (const auto& [id, owner] : owners_) sum += owner.watch.watched();
    return sum;
}

bool SharedWatches::follows_subscriptions() const {
    return std::any_of(wanted_.groups.begin(), wanted_.groups.end(), [](const NotifyGroup& group) {
        return group.filter == Filter::subscribed && is_about_others(group);
    });
}

// ---- how things stand

net::Task<Outcome<bool>> SharedWatches::begin(proto::Notify wanted, Subscribed subscribed) {
    end();
    wanted_ = std::move(wanted);
    co_return co_await renew(std::move(subscribed));
}

void SharedWatches::end() {
    for (const auto& [id, owner] : owners_) backend_.unwatch(id, listening_);
    owners_.clear();
}

net::Task<Outcome<bool>> SharedWatches::renew(Subscribed subscribed) {
    subscribed_ = std::move(subscribed);
    const auto wanted = owners_wanted();
    if (!wanted) co_return wanted.error();
    if (wanted->size() > kMaxOwners) co_return false;
    for (auto at = owners_.begin(); at != owners_.end();) {
        if (wanted->count(at->first) == 0) {
            backend_.unwatch(at->first, listening_);
            at = owners_.erase(at);
        } else {
            at->second.watch.mark({});
            ++at;
        }
    }
    for (const auto& [id, address] : *wanted) {
        if (owners_.count(id) != 0) continue;
        std::string of = address;
        const auto added = co_await add(id, std::move(of));
        if (!added || !*added) co_return added;
    }
    co_return true;
}

// Listens first: what changes meanwhile is looked at again.
net::Task<Outcome<bool>> SharedWatches::add(AccountId id, std::string address) {
    proto::Notify part = part_of(id, address);
    Watch watch(std::move(part), backend_.watch_limit(), address);
    const auto at = owners_.emplace(id, Owner{std::move(address), std::move(watch), std::nullopt}).first;
    backend_.watch(id, listening_);
    Owner& owner = at->second;
    const auto opened = co_await refresh(id, owner);
    std::optional<store::Snapshot> now;
    if (opened && owner.reader) {
        auto snapshot = owner.reader->snapshot();
        if (snapshot) now = *std::move(snapshot);
    }
    const SharedView view(now ? &*now : nullptr, user_, owner.address, subscribed_);
    const auto begun = owner.watch.begin(view);
    if (!begun) co_return begun.error();
    owner.watch.mark({});
    if (!*begun) co_return false;
    co_return watched() <= backend_.watch_limit();
}

// Whoever shares nothing is not even opened.
net::Task<Outcome<void>> SharedWatches::refresh(AccountId id, Owner& owner) {
    const auto shares = backend_.is_sharer(id, user_);
    if (!shares) co_return shares.error();
    if (!*shares) {
        owner.reader.reset();
    } else if (!owner.reader) {
        auto opened = co_await backend_.open(id);
        if (!opened) co_return opened.error();
        owner.reader = *std::move(opened);
    }
    co_return Outcome<void>();
}

void SharedWatches::write_no_access(const ContextOf& context, std::string& out) const {
    for (const auto& [id, owner] : owners_) owner.watch.write_no_access(context(id), out);
}

void SharedWatches::write_status(const ContextOf& context, std::string& out) const {
    for (const auto& [id, owner] : owners_) owner.watch.write_status(context(id), out);
}

// ---- what happens

void SharedWatches::mark(AccountId owner, std::span<const MailboxId> mailboxes) {
    const auto at = owners_.find(owner);
    if (at != owners_.end()) at->second.watch.mark(mailboxes);
}

void SharedWatches::mark_all() {
    for (auto& [id, owner] : owners_) owner.watch.mark({});
}

bool SharedWatches::is_marked() const {
    return std::any_of(owners_.begin(), owners_.end(),
                       [](const auto& entry) { return entry.second.watch.is_marked(); });
}

void SharedWatches::note_own(AccountId owner, const store::Action& action,
                             const store::ChangeResult& result) {
    const auto at = owners_.find(owner);
    if (at != owners_.end()) at->second.watch.note_own(action, result);
}

net::Task<Outcome<bool>> SharedWatches::tell(ContextOf context, std::string& out) {
    bool counts_changed = false;
    for (auto& [id, owner] : owners_) {
        if (!owner.watch.is_marked()) continue;
        counts_changed = counts_changed || owner.watch.is_marked_everywhere();
        const auto opened = co_await refresh(id, owner);
        // Somebody else's broken mailbox does not keep the user from his own.
        if (!opened) {
            log::warning("imap.shared.unavailable",
                         {{"owner", owner.address}, {"reason", opened.error().what}});
            continue;
        }
        std::optional<store::Snapshot> now;
        if (owner.reader) {
            auto snapshot = owner.reader->snapshot();
            if (!snapshot) continue;
            now = *std::move(snapshot);
        }
        const SharedView view(now ? &*now : nullptr, user_, owner.address, subscribed_);
        const auto told = owner.watch.tell(view, context(id), out);
        if (!told) co_return told.error();
        if (!*told) co_return false;
    }
    co_return !counts_changed || watched() <= backend_.watch_limit();
}

}  // namespace mailstead::imapd
