// What the client hears of changes by others: after a command, and in IDLE.
#include <algorithm>

#include "common/base/text.h"
#include "common/runtime/log.h"
#include "imapd/commands/commands.h"
#include "imapd/commands/live_search.h"
#include "imapd/proto/response.h"
#include "imapd/session/session.h"

namespace mailstead::imapd {

using proto::Framer;
using store::Outcome;

// RFC 5464, 4.4: what others changed since the last answer.
void Session::tell_metadata() {
    if (const auto current = own_snapshot()) commands::write_metadata_changes(*this, *current);
}

net::Task<bool> Session::tell_updates(UpdateOptions wanted) {
    if (enabled.metadata) tell_metadata();
    if (!selected) co_return true;
    if (!renew_rights()) co_return bye("The selected mailbox is no longer shared with you");
    const UpdateOptions options = as_watched(wanted);
    Updater updater(*selected, enabled, keywords, options);
    for (;;) {
        Outcome<UpdateState> state = UpdateState::done;
        {
            const auto current = selected->snapshot();
            if (!current) co_return true;  // the command's own answer says what is wrong
            state = updater.step(*current, out());
        }
        if (!state) {
            log::warning("imap.update.failed", {{"session", session_id_}, {"reason", state.error().what}});
            co_return true;
        }
        if (*state == UpdateState::gone) co_return bye("The selected mailbox is no more");
        if (*state == UpdateState::done) break;
        const auto sent = co_await connection.flush();
        if (!sent) co_return false;
    }
    const bool alive = co_await commands::update_live_searches(*this);
    if (!alive) co_return false;
    if (updater.arrived().empty() || !watch) co_return true;
    // RFC 5465, 5.2: not for what this client has just put there itself.
    store::UidSet fresh = updater.arrived().without(own_arrivals_);
    own_arrivals_.clear();
    co_return co_await fetch_arrivals(std::move(fresh));
}

void Session::on_change() {
    if (watch) watch->mark({});
    if (shared_watches) shared_watches->mark_all();
    if (waiting_) connection.stream().interrupt();
}

void Session::on_change_in(AccountId owner, std::span<const MailboxId> mailboxes) {
    if (watch && owner == account) watch->mark(mailboxes);
    if (shared_watches) shared_watches->mark(owner, mailboxes);
    if (waiting_) connection.stream().interrupt();
}

net::Task<Reply> Session::idle() {
    proto::write_continuation(out(), "Idling");
    connection.framer().set_plain_lines(true);
    const UpdateOptions everything;
    const auto give_up = std::chrono::steady_clock::now() + connection.timeouts().idle;
    Reply reply = ok("Idle no more");
    for (;;) {
        // RFC 5465, 4: what NOTIFY asked for, and no more.
        bool alive = co_await tell_updates(everything);
        if (alive) alive = co_await tell_watched();
        if (!alive) {
            logging_out = true;
            break;
        }
        const auto left =
            std::chrono::duration_cast<net::Timeout>(give_up - std::chrono::steady_clock::now());
        waiting_ = true;
        const auto news = co_await connection.wait_for_news(std::max(left, net::Timeout(1)));
        waiting_ = false;
        if (news && !*news) continue;
        if (!news) {
            bye_for(news.error());
            logging_out = true;
            break;
        }
        const auto event = co_await connection.next(connection.timeouts().idle);
        if (!event) {
            bye_for(event.error());
            logging_out = true;
            break;
        }
        if (*event != Framer::Event::command || !text::iequals(connection.framer().command(), "DONE"))
            reply = bad("DONE expected");
        break;
    }
    connection.framer().set_plain_lines(false);
    co_return reply;
}

}  // namespace mailstead::imapd
