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
    auto others = session.new_shared_watches();
    proto::Notify wanted_of_others = wanted;
    const auto shared = co_await others->begin(std::move(wanted_of_others), session.subscribed());
    if (!shared) co_return reply_to(shared.error());
    if (!*shared) co_return no("Too many mailboxes to watch", "NOTIFICATIONOVERFLOW");

    Watch watch(std::move(wanted), session.backend.watch_limit());
    const auto now = session.own_snapshot();
    if (!now) co_return reply_to(now.error());
    const auto begun = watch.begin(OwnView(*now));
    if (!begun) co_return reply_to(begun.error());
    if (!*begun) co_return no("Too many mailboxes to watch", "NOTIFICATIONOVERFLOW");
    const SharedWatches::ContextOf context = [&session](AccountId owner) {
        return session.watch_context(owner);
    };
    others->write_no_access(context, session.out());
    if (status) {
        watch.write_status(session.watch_context(session.account), session.out());
        others->write_status(context, session.out());
    }
    session.watch = std::move(watch);
    session.shared_watches = std::move(others);
    co_return ok("Noted");
}

}  // namespace mailstead::imapd::commands
