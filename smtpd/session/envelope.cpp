// Who may send, and where recipients' mail goes.
#include "common/runtime/log.h"
#include "common/runtime/metrics.h"
#include "smtpd/session/session.h"

namespace mailstead::smtpd {
namespace {

metrics::Counter recipients_refused("smtp_recipients_refused");

}  // namespace

Action Session::check_sender(const CheckSender& action) {
    const auto allowed = worker_.environment.directory.may_send_as(core_->identity()->account, action.from);
    if (!allowed) {
        log::error("smtp.directory.failed", {{"session", id_}, {"why", allowed.error().what}});
        return core_->on_sender(SenderVerdict::unavailable);
    }
    if (!*allowed) {
        log::info("smtp.sender.reject", {{"session", id_},
                                         {"peer", client_ip_},
                                         {"login", core_->identity()->login},
                                         {"from", action.from.to_string()}});
        worker_.deliver->record({.trace_id = core_->transaction().id,
                                 .time = now(),
                                 .stage = "refused",
                                 .fields = {{"why", "sender is no address of the account"},
                                            {"login", core_->identity()->login},
                                            {"from", action.from.to_string()},
                                            {"peer", client_ip_}}});
    }
    return core_->on_sender(*allowed ? SenderVerdict::allowed : SenderVerdict::not_yours);
}

std::optional<Action> Session::resolve(const ResolveRecipient& action) {
    const directory::Directory& directory = worker_.environment.directory;
    const auto resolution = action.to ? directory.resolve(*action.to) : directory.resolve_postmaster();
    // Domain::parse took the host name at start.
    Address to = action.to ? *action.to : *Address::parse("postmaster@" + profile_.hostname);
    RecipientVerdict verdict{.status = RecipientStatus::unavailable, .to = std::move(to), .targets = {}};
    if (!resolution) {
        log::error("smtp.directory.failed", {{"session", id_}, {"why", resolution.error().what}});
        return answer_recipient(std::move(verdict));
    }
    if (std::holds_alternative<directory::NotOurDomain>(*resolution)) {
        verdict.status = RecipientStatus::not_ours;
        verdict.targets.remote.push_back(verdict.to);
        return answer_recipient(std::move(verdict));
    }
    if (std::holds_alternative<directory::UnknownUser>(*resolution)) {
        verdict.status = RecipientStatus::unknown_user;
        return answer_recipient(std::move(verdict));
    }
    verdict.status = RecipientStatus::accepted;
    verdict.targets = std::get<directory::Targets>(*resolution);
    // Only a mailbox that is alone can refuse; where several get the mail, one that is full fails by itself
    // later.
    if (verdict.targets.local.size() != 1 || !verdict.targets.remote.empty())
        return answer_recipient(std::move(verdict));
    pending_account_ = verdict.targets.local[0].account;
    const auto account = directory.find_account(pending_account_);
    if (!account || !*account || (*account)->limits == directory::Limits())
        return answer_recipient(std::move(verdict));
    pending_recipient_ = std::move(verdict);
    return std::nullopt;
}

net::Task<Action> Session::ask_quota() {
    const std::uint64_t size = core_->transaction().mail.size.value_or(0);
    const auto over = co_await worker_.deliver->over_quota(pending_account_, size);
    RecipientVerdict verdict = *std::move(pending_recipient_);
    pending_recipient_.reset();
    // Without an answer the message is taken: deliver decides again when it has all of it.
    if (over && *over) verdict.status = RecipientStatus::over_quota;
    co_return answer_recipient(std::move(verdict));
}

// Each target is told to deliver with the address as it was given.
bool Session::fits_envelope(const RecipientVerdict& verdict) {
    constexpr std::size_t kMaxOctets = 768u << 10;  // of the 1 MiB that a message between daemons may have
    constexpr std::size_t kEach = 64 + 500;  // lengths and flags, and the longest ORCPT (RFC 3461, 4.2)
    if (core_->transaction().recipients.empty()) envelope_octets_ = 0;
    const std::size_t given = verdict.to.local().decoded().size() + verdict.to.domain().ascii().size();
    std::size_t octets = verdict.targets.local.size() * (kEach + 2 * given);
    for (const Address& remote : verdict.targets.remote) {
        octets += kEach + given + remote.local().decoded().size() + remote.domain().ascii().size();
    }
    // One recipient is always possible: an alias has at most directory::kMaxTargets.
    if (envelope_octets_ > 0 && envelope_octets_ + octets > kMaxOctets) return false;
    envelope_octets_ += octets;
    return true;
}

Action Session::answer_recipient(RecipientVerdict verdict) {
    const auto& identity = core_->identity();
    const bool taken = verdict.status == RecipientStatus::accepted ||
                       (identity && verdict.status == RecipientStatus::not_ours);
    if (taken && !fits_envelope(verdict)) verdict.status = RecipientStatus::message_full;
    if (taken && verdict.status != RecipientStatus::message_full && identity &&
        !worker_.environment.rate.take(identity->account, Clock::now())) {
        verdict.status = RecipientStatus::too_many;
    }
    if (verdict.status == RecipientStatus::accepted ||
        (identity && verdict.status == RecipientStatus::not_ours)) {
        return core_->on_recipient(std::move(verdict));
    }
    static constexpr std::string_view kWhy[] = {
        "accepted",           "no such user",         "relaying denied", "over quota", "too many recipients",
        "envelope too large", "directory unavailable"};
    const std::string_view why = kWhy[static_cast<std::size_t>(verdict.status)];
    const std::string to = verdict.to.to_string();
    const std::string from = to_string(core_->transaction().mail.from);
    recipients_refused.add();
    log::info(
        "smtp.rcpt.reject",
        {{"id", core_->transaction().id}, {"peer", client_ip_}, {"from", from}, {"to", to}, {"why", why}});
    worker_.deliver->record(
        {.trace_id = core_->transaction().id,
         .time = now(),
         .stage = "refused",
         .fields = {{"why", std::string(why)}, {"from", from}, {"to", to}, {"peer", client_ip_}}});
    return core_->on_recipient(std::move(verdict));
}

}  // namespace mailstead::smtpd
