// GETQUOTA, GETQUOTAROOT (RFC 9208): one root, "", for the whole account; its storage in units of 1,024
// octets.
#include "imapd/commands/commands.h"

namespace mailstead::imapd::commands {
namespace {

std::uint64_t kibibytes(std::uint64_t octets) {
    return octets / 1024 + (octets % 1024 != 0 ? 1 : 0);
}

// quota-response = "QUOTA" SP quota-root-name SP "(" quota-resource ")"
void write_quota(std::string& out, const store::AccountInfo& account) {
    out += "* QUOTA \"\" (STORAGE ";
    proto::write_number(out, kibibytes(account.octets));
    out += ' ';
    proto::write_number(out, account.quota_octets / 1024);
    out += ")\r\n";
}

}  // namespace

net::Task<Reply> getquota(Session& session, Command& command) {
    const auto now = session.own_snapshot();
    if (!now) co_return reply_to(now.error());
    const auto account = now->account();
    if (!account) co_return reply_to(account.error());
    if (!std::get<proto::QuotaRoot>(command.arguments).name.empty() || account->quota_octets == 0) {
        co_return no("No such quota root", "NONEXISTENT");
    }
    write_quota(session.out(), *account);
    co_return ok("That is all");
}

net::Task<Reply> getquotaroot(Session& session, Command& command) {
    const MailboxName& name = std::get<proto::OneMailbox>(command.arguments).mailbox;
    const auto place = co_await session.locate(name);
    if (!place) co_return reply_to(place.error());
    if (auto refused = refusal(*place, store::Right::read)) co_return *std::move(refused);  // RFC 9208, 6
    if (!place->own) {
        // How much mail the owner has is no business of those he shares a mailbox with.
        session.out() += "* QUOTAROOT ";
        proto::write_mailbox(session.out(), name, session.enabled.strings());
        session.out() += "\r\n";
        co_return ok("That is all");
    }
    const auto now = session.own_snapshot();
    if (!now) co_return reply_to(now.error());
    const auto account = now->account();
    if (!account) co_return reply_to(account.error());
    std::string& out = session.out();
    out += "* QUOTAROOT ";
    proto::write_mailbox(out, name, session.enabled.strings());
    out += account->quota_octets == 0 ? "\r\n" : " \"\"\r\n";
    if (account->quota_octets != 0) write_quota(out, *account);
    co_return ok("That is all");
}

}  // namespace mailstead::imapd::commands
