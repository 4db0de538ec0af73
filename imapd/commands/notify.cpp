// NOTIFY (RFC 5465).
#include "imapd/commands/commands.h"

namespace mailstead::imapd::commands {

net::Task<Reply> notify(Session& session, Command& command) {
    auto& wanted = std::get<proto::Notify>(command.arguments);
    // RFC 5465, 3.1: SET is a NOOP as well, whatever was wanted before.
    if (!wanted.none) {
        UpdateOptions everything;
        everything.whatever_is_watched = true;
        const bool alive = co_await session.tell_updates(everything);
        if (!alive) co_return no("Connection lost");
    }
    const bool status = wanted.status;
    Watch watch(std::move(wanted), session.backend.watch_limit());
    {
        const auto now = session.own_snapshot();
        if (!now) co_return reply_to(now.error());
        const auto begun = watch.begin(*now);
        if (!begun) co_return reply_to(begun.error());
        if (!*begun) co_return no("Too many mailboxes to watch", "NOTIFICATIONOVERFLOW");
        if (status) watch.write_status(session.watch_context(), session.out());
    }
    session.watch = std::move(watch);
    co_return ok("Noted");
}

}  // namespace mailstead::imapd::commands
