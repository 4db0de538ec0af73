// APPEND (RFC 9051, 6.3.12; RFC 3502): the messages lie in files already.
#include "common/base/clock.h"
#include "imapd/commands/commands.h"

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

}  // namespace

net::Task<Reply> append(Session& session, Command& command) {
    auto& wanted = std::get<proto::Append>(command.arguments);
    Intake intake = std::move(session.intake);
    session.intake = Intake();
    if (intake.refusal) co_return *intake.refusal;
    if (intake.files.size() != wanted.messages.size()) co_return bad("A message is missing");

    const auto place = co_await session.locate(wanted.mailbox);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal_to_insert(*place)) co_return *std::move(refused);
    const store::FlagScope scope = place->rights.changeable_flags();  // RFC 4314, 4
    store::Append change;
    change.to.name = place->name;
    std::vector<FileDescriptor> files;
    const Time arrived = now();
    for (std::size_t i = 0; i < wanted.messages.size(); ++i) {
        proto::AppendMessage& message = wanted.messages[i];
        store::NewMessage added;
        added.flags = scope.within(to_store(std::move(message.flags)));
        added.internal_date = message.internal_date ? Time(*message.internal_date) : arrived;
        added.size = intake.files[i].size;
        added.file = static_cast<std::uint32_t>(i);
        change.messages.push_back(std::move(added));
        files.push_back(std::move(intake.files[i].descriptor));
    }
    store::Action action = std::move(change);
    const auto done = co_await session.apply(place->account, std::move(action), std::move(files));
    if (!done) co_return reply_to(done.error());
    const auto* appended = std::get_if<store::Appended>(&*done);
    if (appended == nullptr) co_return no("The server did not understand itself", "SERVERBUG");
    co_return ok("Stored",
                 session.capabilities.has(Capability::uidplus) ? append_uid(*appended) : std::string());
}

}  // namespace mailstead::imapd::commands
