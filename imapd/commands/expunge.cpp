// EXPUNGE, UID EXPUNGE (RFC 9051, 6.4.3; RFC 4315, 2.1). The untagged answers come with the updates behind
// every command.
#include "imapd/commands/commands.h"

namespace mailstead::imapd::commands {
namespace {

// RFC 9738, 3.1: counted are the messages that go. EXPUNGE and CLOSE are never limited.
std::string limit_expunge(const Session& session, store::Expunge& change) {
    const auto now = session.selected->snapshot();
    if (!now) return {};
    auto deleted = now->deleted(change.mailbox);
    if (!deleted) return {};
    store::UidSet going = deleted->intersected(*change.uids);
    std::string code = session.limit(going);
    if (!code.empty()) change.uids = std::move(going);
    return code;
}

}  // namespace

net::Task<Reply> expunge(Session& session, Command& command) {
    const auto& wanted = std::get<proto::Expunge>(command.arguments);
    const Selected& view = *session.selected;
    if (!view.rights.has(store::Right::expunge)) co_return no("You may not expunge here", "NOPERM");
    store::Expunge change;
    change.mailbox = view.info.id;
    if (wanted.uids) {
        auto uids = session.resolve(*wanted.uids, true);
        if (!uids) co_return bad(std::string(uids.error().what));
        if (uids->empty()) co_return ok("Nothing to expunge");
        change.uids = *std::move(uids);
    }
    std::string limited;
    if (change.uids && session.limits().messages != 0) limited = limit_expunge(session, change);
    store::Action action = std::move(change);
    const auto done = co_await session.apply(view.account, std::move(action));
    if (!done) co_return reply_to(done.error());
    const auto* expunged = std::get_if<store::Expunged>(&*done);
    if (!session.enabled.qresync || expunged == nullptr || !expunged->modseq)
        co_return ok("Expunged", std::move(limited));
    session.tell_limit(limited);
    std::string code = "HIGHESTMODSEQ ";  // RFC 7162, 3.2.10
    proto::write_number(code, expunged->modseq.value);
    co_return ok("Expunged", std::move(code));
}

}  // namespace mailstead::imapd::commands
