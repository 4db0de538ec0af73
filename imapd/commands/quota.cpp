// GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208). Each account has one root: "" to itself, "user/" and its login
// to administrators, who alone may set limits. Storage is in units of 1,024 octets.
#include "imapd/commands/commands.h"

namespace mailstead::imapd::commands {
namespace {

constexpr std::string_view kUsers = "user/";
constexpr std::uint64_t kMostKibibytes = std::uint64_t{1} << 50;

std::uint64_t kibibytes(std::uint64_t octets) {
    return octets / 1024 + (octets % 1024 != 0 ? 1 : 0);
}

bool is_limited(const store::AccountInfo& account) {
    return account.quota_octets != 0 || account.quota_messages != 0 || account.quota_mailboxes != 0;
}

// quota-response = "QUOTA" SP quota-root-name SP quota-list
// quota-list     = "(" quota-resource *(SP quota-resource) ")"   ; empty: no limits (RFC 9208, 4.2.1)
void write_quota(std::string& out, std::string_view root, const store::AccountInfo& account) {
    bool first = true;
    const auto resource = [&](std::string_view name, std::uint64_t usage, std::uint64_t limit) {
        if (!first) out += ' ';
        first = false;
        out += name;
        out += ' ';
        proto::write_number(out, usage);
        out += ' ';
        proto::write_number(out, limit);
    };
    out += "* QUOTA ";
    proto::write_string(out, root);
    out += " (";
    if (account.quota_octets != 0)
        resource("STORAGE", kibibytes(account.octets), kibibytes(account.quota_octets));
    if (account.quota_messages != 0) resource("MESSAGE", account.entries, account.quota_messages);
    if (account.quota_mailboxes != 0) resource("MAILBOX", account.mailboxes, account.quota_mailboxes);
    out += ")\r\n";
}

// The account that a root belongs to; nullopt: there is none, or it is none of the user's business.
std::optional<AccountId> account_of(Session& session, std::string_view root) {
    if (root.empty()) return session.account;
    if (!root.starts_with(kUsers) || !session.backend.is_admin(session.account)) return std::nullopt;
    const auto found = session.backend.account_of(root.substr(kUsers.size()));
    return found ? *found : std::nullopt;
}

net::Task<store::Outcome<store::AccountInfo>> read(Session& session, AccountId account) {
    const auto opened = co_await session.backend.open(account);
    if (!opened) co_return opened.error();
    const auto now = opened->snapshot();
    if (!now) co_return now.error();
    co_return now->account();
}

// Why a limit cannot be set; nullopt when it went into `quota`. What is not named is not limited (RFC 9208,
// 4.1.3).
std::optional<Reply> take_limit(store::SetQuota& quota, const std::string& resource, std::uint64_t limit) {
    if (limit == 0) return no("A limit of 0 cannot be set", "CANNOT");
    if (resource == "STORAGE") {
        if (limit > kMostKibibytes) return no("The limit is too high", "CANNOT");
        quota.octets = limit * 1024;
    } else if (resource == "MESSAGE") {
        quota.messages = limit;
    } else if (resource == "MAILBOX") {
        quota.mailboxes = limit;
    } else {
        return no("No such resource", "CANNOT");
    }
    return std::nullopt;
}

}  // namespace

net::Task<Reply> getquota(Session& session, Command& command) {
    const std::string& root = std::get<proto::QuotaRoot>(command.arguments).name;
    const auto owner = account_of(session, root);
    if (!owner) co_return no("No such quota root", "NONEXISTENT");
    const auto account = co_await read(session, *owner);
    if (!account) co_return reply_to(account.error());
    if (root.empty() && !is_limited(*account)) co_return no("No such quota root", "NONEXISTENT");
    write_quota(session.out(), root, *account);
    co_return ok("That is all");
}

// RFC 9208, 4.1.2: the mailbox need not exist.
net::Task<Reply> getquotaroot(Session& session, Command& command) {
    const MailboxName& name = std::get<proto::OneMailbox>(command.arguments).mailbox;
    const auto place = co_await session.locate(name);
    if (!place) co_return reply_to(place.error());
    if (!place->own) {
        if (auto refused = refusal(*place, store::Right::read)) co_return *std::move(refused);  // RFC 9208, 6
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
    out += is_limited(*account) ? " \"\"\r\n" : "\r\n";
    if (is_limited(*account)) write_quota(out, "", *account);
    co_return ok("That is all");
}

net::Task<Reply> setquota(Session& session, Command& command) {
    const auto& wanted = std::get<proto::SetQuota>(command.arguments);
    if (!session.backend.is_admin(session.account)) co_return no("Only administrators set quotas", "NOPERM");
    const auto owner = account_of(session, wanted.root);
    if (!owner) co_return no("No such quota root", "NONEXISTENT");
    store::SetQuota quota;
    for (const auto& [resource, limit] : wanted.limits) {
        if (const auto refusal = take_limit(quota, resource, limit)) co_return *refusal;
    }
    store::Change change;
    change.at = now();
    change.action = quota;
    std::vector<FileDescriptor> none;
    const auto done = co_await session.backend.apply(*owner, std::move(change), std::move(none));
    if (!done) co_return reply_to(done.error());
    const auto account = co_await read(session, *owner);
    if (!account) co_return reply_to(account.error());
    write_quota(session.out(), wanted.root, *account);
    co_return ok("Set");
}

}  // namespace mailstead::imapd::commands
