// SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314, 3).
#include "common/base/text.h"
#include "common/sasl/saslprep.h"
#include "imapd/commands/commands.h"

namespace mailstead::imapd::commands {
namespace {

using store::Right;
using store::Rights;
using store::SetAcl;

constexpr std::string_view kAnyoneName = "anyone";
// RFC 4314, 4: one of them is needed for MYRIGHTS.
constexpr Rights kForMyRights =
    Right::lookup | Right::read | Right::insert | Right::create | Right::remove | Right::administer;

struct Identifier {
    AccountId who;
    bool negative = false;
};

// identifier = astring: an account's login, "anyone", or either behind "-" (RFC 4314, 2 and 3).
Result<Identifier, Reply> read_identifier(Session& session, std::string_view text) {
    Identifier identifier;
    identifier.negative = text.starts_with('-');
    if (identifier.negative) text.remove_prefix(1);
    const auto prepared = sasl::saslprep(text, sasl::Spelling::query);
    if (!prepared || prepared->empty()) return bad("Not an identifier");
    if (text::iequals(*prepared, kAnyoneName)) return identifier;
    const auto account = session.backend.account_of(*prepared);
    if (!account) return reply_to(account.error());
    if (!*account) return no("Nobody here has that name");
    identifier.who = **account;
    return identifier;
}

struct Modification {
    SetAcl::How how = SetAcl::How::replace;
    Rights rights;
};

// mod-rights = astring: "+" rights to add, "-" rights to remove, rights to replace
std::optional<Modification> read_modification(std::string_view text) {
    Modification modification;
    if (text.starts_with('+')) modification.how = SetAcl::How::add;
    if (text.starts_with('-')) modification.how = SetAcl::How::remove;
    if (modification.how != SetAcl::How::replace) text.remove_prefix(1);
    const auto rights = Rights::parse(text);
    if (!rights) return std::nullopt;
    modification.rights = *rights;
    return modification;
}

// What the owner's rights are set to must be all of them: they are always granted.
bool leaves_all(const Modification& modification) {
    switch (modification.how) {
        case SetAcl::How::add:
            return true;
        case SetAcl::How::remove:
            return modification.rights.empty();
        case SetAcl::How::replace:
            break;
    }
    return modification.rights == Rights::all();
}

}  // namespace

net::Task<Reply> setacl(Session& session, Command& command) {
    const auto& wanted = std::get<proto::AclArguments>(command.arguments);
    const bool removes = command.verb == proto::Verb::deleteacl;
    const auto modification = removes ? Modification() : read_modification(wanted.rights);
    if (!modification) co_return bad("Not a right that is known here");
    const auto place = co_await session.locate(wanted.mailbox);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal(*place, Right::administer)) co_return *std::move(refused);
    const auto identifier = read_identifier(session, wanted.identifier);
    if (!identifier) co_return identifier.error();
    if (identifier->who == place->account) {
        if (!identifier->negative && !removes && leaves_all(*modification)) co_return ok("As it was");
        co_return no("The owner has all rights, always", "CANNOT");
    }
    SetAcl change;
    change.mailbox = place->name;
    change.who = identifier->who;
    change.negative = identifier->negative;
    change.how = modification->how;
    change.rights = modification->rights;
    store::Action action = std::move(change);
    const auto done = co_await session.apply(place->account, std::move(action));
    if (!done) co_return reply_to(done.error());
    co_return ok(removes ? "Deleted" : "Set");
}

// acl-data = "ACL" SP mailbox *(SP identifier SP rights)
net::Task<Reply> getacl(Session& session, Command& command) {
    const MailboxName& name = std::get<proto::OneMailbox>(command.arguments).mailbox;
    const auto place = co_await session.locate(name);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal(*place, Right::administer)) co_return *std::move(refused);
    const auto now = place->reader.snapshot();
    if (!now) co_return reply_to(now.error());
    const auto list = now->acl(place->mailbox->id);
    if (!list) co_return reply_to(list.error());
    const proto::Utf8 utf8 = session.enabled.strings();
    std::string line = "* ACL ";
    proto::write_mailbox(line, name, utf8);
    const auto add = [&](std::string_view identifier, Rights rights) {
        line += ' ';
        proto::write_astring(line, identifier, utf8);
        line += ' ';
        line += rights.to_string();
    };
    if (const auto owner = session.backend.address_of(place->account); owner && *owner)
        add(**owner, Rights::all());
    for (const store::AclEntry& entry : *list) {
        std::string identifier = entry.negative ? "-" : "";
        if (entry.who == store::kAnyone) {
            identifier += kAnyoneName;
        } else {
            const auto address = session.backend.address_of(entry.who);
            if (!address) co_return reply_to(address.error());
            if (!*address) continue;  // the account is gone, its number is never used again
            identifier += **address;
        }
        add(identifier, entry.rights);
    }
    session.out() += line + "\r\n";
    co_return ok("That is all");
}

// listrights-data = "LISTRIGHTS" SP mailbox SP identifier SP rights *(SP rights)
net::Task<Reply> listrights(Session& session, Command& command) {
    const auto& wanted = std::get<proto::AclArguments>(command.arguments);
    const auto place = co_await session.locate(wanted.mailbox);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal(*place, Right::administer)) co_return *std::move(refused);
    const auto identifier = read_identifier(session, wanted.identifier);
    if (!identifier) co_return identifier.error();
    const proto::Utf8 utf8 = session.enabled.strings();
    std::string& out = session.out();
    out += "* LISTRIGHTS ";
    proto::write_mailbox(out, wanted.mailbox, utf8);
    out += ' ';
    proto::write_astring(out, wanted.identifier, utf8);  // as it came (RFC 4314, 3.4)
    if (identifier->who != place->account) {
        out += " \"\" l r s w i p k x t e c d a";  // nothing is tied
    } else {
        out += ' ';
        out += identifier->negative ? "\"\"" : Rights::all().to_string();
    }
    out += "\r\n";
    co_return ok("That is all");
}

// myrights-data = "MYRIGHTS" SP mailbox SP rights
void write_my_rights(std::string& out, const MailboxName& name, Rights rights, proto::Utf8 utf8) {
    out += "* MYRIGHTS ";
    proto::write_mailbox(out, name, utf8);
    out += ' ';
    out += rights.to_string();
    out += "\r\n";
}

net::Task<Reply> myrights(Session& session, Command& command) {
    const MailboxName& name = std::get<proto::OneMailbox>(command.arguments).mailbox;
    const auto place = co_await session.locate(name);
    if (!place) co_return reply_to(place.error());
    if (!place->mailbox || !place->rights.any_of(kForMyRights))
        co_return no("No such mailbox", "NONEXISTENT");
    write_my_rights(session.out(), name, place->rights, session.enabled.strings());
    co_return ok("That is all");
}

}  // namespace mailstead::imapd::commands
