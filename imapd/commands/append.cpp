// APPEND (RFC 9051, 6.3.12; RFC 3502; RFC 4469) and REPLACE (RFC 8508): the literals lie in files already.
#include "common/base/clock.h"
#include "imapd/commands/commands.h"
#include "imapd/commands/compose.h"

namespace mailstead::imapd::commands {
namespace {

store::FlagList to_store(proto::FlagList flags) {
    return {store::SystemFlags::from_bits(flags.system), std::move(flags.keywords)};
}

// resp-code-apnd = "APPENDUID" SP nz-number SP append-uid   (RFC 4315, 3)
std::string append_uid(const store::Appended& appended) {
    std::string code = "APPENDUID ";
    proto::write_number(code, appended.uidvalidity.value);
    code += ' ';
    write_uids(code, appended.uids);
    return code;
}

struct Prepared {
    store::Append change;
    std::vector<FileDescriptor> files;
};

Prepared prepare(proto::Append& wanted, Intake& intake, const Place& place) {
    Prepared prepared;
    prepared.change.to.name = place.name;
    const store::FlagScope scope = place.rights.changeable_flags();  // RFC 4314, 4
    const Time arrived = now();
    for (std::size_t i = 0; i < wanted.messages.size(); ++i) {
        proto::AppendMessage& message = wanted.messages[i];
        store::NewMessage added;
        added.flags = scope.within(to_store(std::move(message.flags)));
        added.internal_date = message.internal_date ? Time(*message.internal_date) : arrived;
        added.size = intake.files[i].size;
        added.file = static_cast<std::uint32_t>(i);
        prepared.change.messages.push_back(std::move(added));
        prepared.files.push_back(std::move(intake.files[i].descriptor));
    }
    return prepared;
}

// What has come of the messages, made whole.
net::Task<std::optional<Reply>> complete(Session& session, Intake& intake, const proto::Append& wanted) {
    auto refused = co_await compose(session, intake, wanted, Extent::whole);
    if (refused) co_return refused;
    if (intake.files.size() != wanted.messages.size()) co_return bad("A message is missing");
    co_return std::nullopt;
}

}  // namespace

net::Task<Reply> append(Session& session, Command& command) {
    auto& wanted = std::get<proto::Append>(command.arguments);
    Intake intake = std::move(session.intake);
    session.intake = Intake();
    if (intake.refusal) co_return *intake.refusal;
    const auto place = co_await session.locate(wanted.mailbox);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal_to_insert(*place)) co_return *std::move(refused);
    const auto incomplete = co_await complete(session, intake, wanted);
    if (incomplete) co_return *incomplete;
    Prepared prepared = prepare(wanted, intake, *place);
    store::Action action = std::move(prepared.change);
    const auto done = co_await session.apply(place->account, std::move(action), std::move(prepared.files));
    if (!done) co_return reply_to(done.error());
    const auto* appended = std::get_if<store::Appended>(&*done);
    if (appended == nullptr) co_return no("The server did not understand itself", "SERVERBUG");
    co_return ok("Stored",
                 session.capabilities.has(Capability::uidplus) ? append_uid(*appended) : std::string());
}

net::Task<Reply> replace(Session& session, Command& command) {
    auto& wanted = std::get<proto::Replace>(command.arguments);
    Intake intake = std::move(session.intake);
    session.intake = Intake();
    if (intake.refusal) co_return *intake.refusal;
    const auto uids = session.resolve(wanted.message, wanted.uid);
    if (!uids) co_return bad(std::string(uids.error().what));
    const store::Rights rights = session.selected->rights;
    // RFC 8508, 4.1
    if (!rights.has(store::Right::delete_message) || !rights.has(store::Right::expunge))
        co_return no("You may not take messages out of this mailbox", "NOPERM");
    if (uids->empty()) co_return no("No such message", "EXPUNGEISSUED");
    const auto place = co_await session.locate(wanted.append.mailbox);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal_to_insert(*place)) co_return *std::move(refused);
    // One change of one account: between two it could not be a single action (RFC 8508, 3.4).
    if (place->account != session.selected->account)
        co_return no("A message cannot be replaced by one of another account", "CANNOT");
    const auto incomplete = co_await complete(session, intake, wanted.append);
    if (incomplete) co_return *incomplete;
    Prepared prepared = prepare(wanted.append, intake, *place);
    store::Replace change;
    change.append = std::move(prepared.change);
    change.from = session.selected->info.id;
    change.uid = uids->first();
    store::Action action = std::move(change);
    const auto done = co_await session.apply(place->account, std::move(action), std::move(prepared.files));
    if (!done) co_return reply_to(done.error());
    const auto* appended = std::get_if<store::Appended>(&*done);
    if (appended == nullptr) co_return no("The server did not understand itself", "SERVERBUG");
    // RFC 8508, 4.3: before the client hears that the old one is gone.
    if (session.capabilities.has(Capability::uidplus))
        session.out() += "* OK [" + append_uid(*appended) + "] The message is replaced\r\n";
    std::string code;
    if (session.enabled.qresync) {  // RFC 7162, 3.2.10, as behind UID EXPUNGE
        code = "HIGHESTMODSEQ ";
        proto::write_number(code, appended->modseq.value);
    }
    co_return ok("Replaced", std::move(code));
}

}  // namespace mailstead::imapd::commands
