// What a session does under NOTIFY (RFC 5465).
#include <algorithm>
#include <chrono>

#include "common/runtime/log.h"
#include "imapd/commands/fetch_answer.h"
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

WatchContext Session::watch_context() const {
    const bool own = selected && selected->account == account;
    return {enabled, capabilities, own ? std::optional(selected->info.id) : std::nullopt};
}

net::Task<bool> Session::tell_watched() {
    if (!watch || !watch->is_marked()) co_return true;
    {
        const auto current = own_snapshot();
        if (!current) co_return true;
        const auto told = watch->tell(*current, watch_context(), out());
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
        }
    }
    co_return co_await flush_if_full();
}

}  // namespace mailstead::imapd
