// NOTIFY for other users' mailboxes (RFC 5465, with the rights of RFC 4314).
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/net/task.h"
#include "imapd/proto/notify.h"
#include "imapd/session/backend.h"
#include "imapd/session/watch.h"

namespace mailstead::imapd {

// Subscribed names, as the client uses them.
using Subscribed = std::set<std::string>;

// One session's. There is a Watch for each account whose mailboxes the client named or is subscribed to;
// whether they are shared, or exist, is looked at when that account changes. Nothing that the client hears
// tells an account that shares nothing from one that does not exist.
class SharedWatches {
public:
    // `listening` hears of changes of those accounts. Both outlive it.
    SharedWatches(Backend& backend, Listening& listening, AccountId user)
        : backend_(backend), listening_(listening), user_(user) {}
    ~SharedWatches() { end(); }
    SharedWatches(const SharedWatches&) = delete;
    SharedWatches& operator=(const SharedWatches&) = delete;

    // Notes how things stand. False: too much to watch.
    net::Task<store::Outcome<bool>> begin(proto::Notify wanted, Subscribed subscribed);
    void end();

    // Which answers to write for mailboxes of an account.
    using ContextOf = std::function<WatchContext(AccountId)>;
    // RFC 5465, 3.1
    void write_no_access(const ContextOf& context, std::string& out) const;
    void write_status(const ContextOf& context, std::string& out) const;

    // Something changed in these mailboxes of `owner`; empty: anywhere.
    void mark(AccountId owner, std::span<const MailboxId> mailboxes);
    void mark_all();
    bool is_marked() const;
    void note_own(AccountId owner, const store::Action& action, const store::ChangeResult& result);
    // Whether the subscriptions say what is watched (RFC 5465, 6.4).
    bool follows_subscriptions() const;
    const Subscribed& subscribed() const { return subscribed_; }
    // They are these now. False: too much to watch.
    net::Task<store::Outcome<bool>> renew(Subscribed subscribed);
    // Appends what the client does not know yet. False: too much to watch.
    net::Task<store::Outcome<bool>> tell(ContextOf context, std::string& out);

private:
    struct Owner {
        std::string address;
        Watch watch;
        std::optional<store::AccountReader> reader;
    };

    store::Outcome<std::map<AccountId, std::string>> owners_wanted() const;
    proto::Notify part_of(AccountId owner, const std::string& address) const;
    net::Task<store::Outcome<bool>> add(AccountId id, std::string address);
    net::Task<store::Outcome<void>> refresh(AccountId id, Owner& owner);
    std::size_t watched() const;

    Backend& backend_;
    Listening& listening_;
    AccountId user_;
    proto::Notify wanted_;
    Subscribed subscribed_;
    std::map<AccountId, Owner> owners_;
};

}  // namespace mailstead::imapd
