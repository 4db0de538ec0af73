// COPY, MOVE (RFC 9051, 6.4.7 and 6.4.8; RFC 6851; RFC 4315, 3).
#include "imapd/commands/commands.h"

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

}  // namespace

net::Task<Reply> copy(Session& session, Command& command) {
    const auto& wanted = std::get<proto::Copy>(command.arguments);
    auto uids = session.resolve(wanted.messages, wanted.uid);
    if (!uids) co_return bad(std::string(uids.error().what));
    if (uids->empty()) co_return ok("No messages");
    store::Copy change;
    change.from = session.selected->info.id;
    change.uids = *std::move(uids);
    change.to.name = wanted.mailbox;
    change.move = wanted.move;
    store::Action action = std::move(change);
    const auto done = co_await session.apply(std::move(action));
    if (!done) co_return reply_to(done.error());
    const auto* copied = std::get_if<store::Copied>(&*done);
    if (copied == nullptr) co_return no("The server did not understand itself", "SERVERBUG");
    const std::string done_text = wanted.move ? "Moved" : "Copied";
    if (copied->source.empty() || !session.capabilities.has(Capability::uidplus)) co_return ok(done_text);
    if (!wanted.move) co_return ok(done_text, copy_uid(*copied));
    // RFC 6851, 4.3: in an untagged OK, before the messages vanish.
    session.out() += "* OK [" + copy_uid(*copied) + "] Moved\r\n";
    std::string code;
    if (session.enabled.qresync) {  // RFC 7162, 3.2.10
        code = "HIGHESTMODSEQ ";
        proto::write_number(code, copied->modseq.value);
    }
    co_return ok(done_text, std::move(code));
}

}  // namespace mailstead::imapd::commands
