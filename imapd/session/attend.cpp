// What a session does under NOTIFY (RFC 5465).
#include <algorithm>
#include <chrono>

#include "common/runtime/log.h"
#include "imapd/commands/fetch_answer.h"
#include "imapd/proto/response.h"
#include "imapd/session/session.h"

namespace mailstead::imapd {

using store::UidSet;

// Under NOTIFY: tells what happens until the client says something (RFC 5465, 3.1).
net::Task<bool> Session::attend() {
    if (!watch || connection.framer().in_command()) co_return true;
    const auto give_up = std::chrono::steady_clock::now() + connection.timeouts().idle;
    while (!connection.has_input()) {
        UpdateOptions options;
        options.expunges = !watch->delays_expunges();
        bool alive = co_await tell_updates(options);
        if (alive) alive = co_await tell_watched();
        if (!alive) co_return false;
        const auto left =
            std::chrono::duration_cast<net::Timeout>(give_up - std::chrono::steady_clock::now());
        waiting_ = true;
        const auto news = co_await connection.wait_for_news(std::max(left, net::Timeout(1)));
        waiting_ = false;
        if (!news) co_return bye_for(news.error());
        if (*news) break;
    }
    co_return true;
}

void Session::note_own(AccountId owner, const std::optional<store::Action>& action,
                       const store::ChangeResult& result) {
    if (!watch || !action) return;
    if (owner == account) watch->note_own(*action, result);
    if (shared_watches) shared_watches->note_own(owner, *action, result);
    if (!selected || selected->account != owner) return;
    const auto* appended = std::get_if<store::Appended>(&result);
    if (appended != nullptr && appended->mailbox == selected->info.id)
        own_arrivals_ = own_arrivals_.united(appended->uids);
    const auto* copied = std::get_if<store::Copied>(&result);
    if (copied != nullptr && copied->mailbox == selected->info.id)
        own_arrivals_ = own_arrivals_.united(copied->destination);
}

// RFC 5465, 3.1: after a NOTIFY nothing is told of the selected mailbox but what it names.
UpdateOptions Session::as_watched(UpdateOptions options) const {
    if (!watch || options.whatever_is_watched) return options;
    const proto::NotifyEvents events = watch->selected_events();
    options.flags = events.has(proto::NotifyEvent::flag_change);
    options.arrivals = events.has(proto::NotifyEvent::message_new);
    options.expunges =
        options.expunges && (options.expunges_are_own || events.has(proto::NotifyEvent::message_expunge));
    return options;
}

net::Task<bool> Session::fetch_arrivals(store::UidSet uids) {
    if (uids.empty() || watch->new_message_items().empty()) co_return true;
    proto::Fetch request;
    request.items = watch->new_message_items();
    const auto outcome = co_await commands::answer_fetch(*this, request, std::move(uids), UidSet());
    co_return outcome.alive;
}

WatchContext Session::watch_context(AccountId owner) const {
    const bool there = selected && selected->account == owner;
    return {enabled, capabilities, there ? std::optional(selected->info.id) : std::nullopt};
}

std::unique_ptr<SharedWatches> Session::new_shared_watches() {
    Listening& listening = *this;
    return std::make_unique<SharedWatches>(backend, listening, account);
}

Subscribed Session::subscribed() const {
    Subscribed names;
    const auto now = own_snapshot();
    if (!now) return names;
    const auto subscriptions = now->subscriptions();
    if (!subscriptions) return names;
    for (const MailboxName& name : *subscriptions) names.insert(name.utf8());
    return names;
}

net::Task<bool> Session::tell_watched() {
    if (!watch) co_return true;
    store::Outcome<bool> told = true;
    const bool own = watch->is_marked();
    const bool names_changed = watch->is_marked_everywhere();
    if (own) {
        const auto current = own_snapshot();
        if (!current) co_return true;
        told = watch->tell(OwnView(*current), watch_context(account), out());
    }
    if (own && told && *told) co_await tell_foreign_subscriptions();
    if (told && *told) {
        auto others = co_await tell_shared(names_changed);
        told = std::move(others);
    }
    if (!told) {
        log::warning("imap.update.failed", {{"session", session_id_}, {"reason", told.error().what}});
        co_return true;
    }
    // RFC 5465, 5.8: as if NOTIFY NONE had come.
    if (!*told) {
        out() += "* OK [NOTIFICATIONOVERFLOW] Too many mailboxes to watch\r\n";
        proto::Notify none;
        none.none = true;
        watch.emplace(std::move(none), backend.watch_limit());
        shared_watches.reset();
    }
    co_return co_await flush_if_full();
}

// RFC 5465, 5.5, for mailboxes that are not in the user's own account.
net::Task<void> Session::tell_foreign_subscriptions() {
    if (watch->foreign_subscriptions().empty()) co_return;
    const std::map<std::string, bool> changed = watch->foreign_subscriptions();
    for (const auto& [text, subscribed] : changed) {
        const auto name = MailboxName::parse(text);
        if (!name) continue;
        MailboxName named = *name;
        const auto place = co_await locate(std::move(named));
        const bool exists = place && place->is_visible();
        out() += exists ? "* LIST (" : "* LIST (\\NonExistent";
        if (subscribed) out() += exists ? "\\Subscribed" : " \\Subscribed";
        out() += ") \"/\" ";
        proto::write_mailbox(out(), *name, enabled.strings());
        out() += "\r\n";
    }
}

net::Task<store::Outcome<bool>> Session::tell_shared(bool names_changed) {
    if (!shared_watches) co_return true;
    if (names_changed && shared_watches->follows_subscriptions()) {
        Subscribed names = subscribed();
        if (names != shared_watches->subscribed()) {
            const auto renewed = co_await shared_watches->renew(std::move(names));
            if (!renewed || !*renewed) co_return renewed;
        }
    }
    if (!shared_watches->is_marked()) co_return true;
    SharedWatches::ContextOf context = [this](AccountId owner) { return watch_context(owner); };
    co_return co_await shared_watches->tell(std::move(context), out());
}

}  // namespace mailstead::imapd
