// COPY, MOVE (RFC 9051, 6.4.7 and 6.4.8; RFC 6851; RFC 4315, 3).
#include "imapd/commands/commands.h"
#include "imapd/commands/copy_across.h"

namespace mailstead::imapd::commands {
namespace {

// resp-code-copy = "COPYUID" SP nz-number SP uid-set SP uid-set
std::string copy_uid(const store::Copied& copied) {
    std::string code = "COPYUID ";
    proto::write_number(code, copied.uidvalidity.value);
    code += ' ';
    write_uids(code, copied.source);
    code += ' ';
    write_uids(code, copied.destination);
    return code;
}

// RFC 6851, 4.2: what UID STORE +FLAGS \Deleted and UID EXPUNGE need together.
bool may_take_out(const Selected& view) {
    return view.rights.has(store::Right::delete_message) && view.rights.has(store::Right::expunge);
}

net::Task<store::Outcome<store::Copied>> copy_within(Session& session, store::UidSet uids, const Place& to,
                                                     bool move) {
    store::Copy change;
    change.from = session.selected->info.id;
    change.uids = std::move(uids);
    change.to.name = to.name;
    change.move = move;
    change.scope = to.rights.changeable_flags();  // RFC 4314, 4
    store::Action action = std::move(change);
    auto done = co_await session.apply(to.account, std::move(action));
    if (!done) co_return done.error();
    auto* copied = std::get_if<store::Copied>(&*done);
    if (copied == nullptr) co_return store::Failure(store::Fault::invalid, "an answer to something else");
    co_return std::move(*copied);
}

}  // namespace

net::Task<Reply> copy(Session& session, Command& command) {
    const auto& wanted = std::get<proto::Copy>(command.arguments);
    auto uids = session.resolve(wanted.messages, wanted.uid);
    if (!uids) co_return bad(std::string(uids.error().what));
    if (wanted.move && !may_take_out(*session.selected))
        co_return no("You may not take messages out of this mailbox", "NOPERM");
    if (uids->empty()) co_return ok("No messages");
    // RFC 9738, 3.1: a COPY is whole or refused; of a MOVE the rest stays where it is.
    const std::string limited = session.limit(*uids);
    if (!wanted.move && !limited.empty()) co_return no("Too many messages at once", limited);
    if (!wanted.move) {
        if (auto refused = session.refusal_of_many(uids->count(), session.limits().saved))
            co_return *std::move(refused);
    }
    const auto place = co_await session.locate(wanted.mailbox);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal_to_insert(*place)) co_return *std::move(refused);
    store::UidSet chosen = *std::move(uids);
    store::Outcome<store::Copied> copied = store::Copied();
    if (place->account == session.selected->account) {
        auto done = co_await copy_within(session, std::move(chosen), *place, wanted.move);
        copied = std::move(done);
    } else {
        auto done = co_await copy_across(session, std::move(chosen), *place, wanted.move);
        copied = std::move(done);
    }
    if (!copied) co_return reply_to(copied.error());
    const std::string done_text = wanted.move ? "Moved" : "Copied";
    if (copied->source.empty() || !session.capabilities.has(Capability::uidplus))
        co_return ok(done_text, limited);
    if (!wanted.move) co_return ok(done_text, copy_uid(*copied));
    // RFC 6851, 4.3: in an untagged OK, before the messages vanish.
    session.out() += "* OK [" + copy_uid(*copied) + "] Moved\r\n";
    if (!session.enabled.qresync) co_return ok(done_text, limited);
    session.tell_limit(limited);
    std::string code = "HIGHESTMODSEQ ";  // RFC 7162, 3.2.10
    proto::write_number(code, copied->modseq.value);
    co_return ok(done_text, std::move(code));
}

}  // namespace mailstead::imapd::commands
