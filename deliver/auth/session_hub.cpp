#include "deliver/auth/session_hub.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "common/base/clock.h"
#include "common/runtime/log.h"

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;
using Standing = directory::Authenticator::Standing;

// Long enough to cost nothing, short enough for the client's patience.
constexpr std::chrono::milliseconds kPoll = 50s;
constexpr std::chrono::milliseconds kErrand = 5s;
// An answer must fit into a frame of the channel.
constexpr std::size_t kMostOctets = std::size_t{6} << 20;
constexpr std::size_t kOctetsOfNumbers = 64;

std::size_t octets_of(const ipc::SessionFacts& facts) {
    return kOctetsOfNumbers + facts.id.size() + facts.login.size() + facts.client.size() + facts.tls.size() +
           facts.last_command.size() + facts.mailbox.size() + facts.credential.name.size();
}

std::optional<ipc::EndReason> reason_to_end(Standing standing) {
    switch (standing) {
        case Standing::holds:
            return std::nullopt;
        case Standing::removed:
            return ipc::EndReason::account_removed;
        case Standing::locked:
            return ipc::EndReason::account_locked;
        case Standing::credential:
            break;
    }
    return ipc::EndReason::credential;
}

}  // namespace

// Greater than what the deliver before this one had.
SessionHub::SessionHub(const directory::Authenticator& authenticator, runtime::OffloadPool& pool)
    : authenticator_(authenticator),
      pool_(pool),
      epoch_(static_cast<std::uint64_t>(now().time_since_epoch().count()) * 1'000) {}

std::uint64_t SessionHub::epoch() const {
    const std::lock_guard lock(mutex_);
    return epoch_;
}

void SessionHub::wake(const std::shared_ptr<Wait>& waiting) {
    if (waiting) boost::asio::post(waiting->executor(), [waiting] { waiting->end(); });
}

ipc::SessionOrders SessionHub::take_orders(Link& link) const {
    ipc::SessionOrders answer;
    answer.epoch = epoch_;
    answer.check_all = std::exchange(link.check_all, false);
    answer.orders = std::exchange(link.orders, {});
    return answer;
}

net::Task<ipc::SessionOrders> SessionHub::poll(ipc::SessionPoll poll, std::uint64_t connection) {
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto wait = std::make_shared<Wait>(executor);
    {
        const std::lock_guard lock(mutex_);
        const auto [link, is_new] = links_.try_emplace(connection);
        // Of what happened before it was known here, it was not told.
        if (is_new && !poll.first) link->second.check_all = true;
        const bool something = link->second.check_all || !link->second.orders.empty();
        if (poll.first || something || stopping_) co_return take_orders(link->second);
        link->second.polling = wait;
    }
    co_await wait->at_most(kPoll);
    const std::lock_guard lock(mutex_);
    const auto link = links_.find(connection);
    if (link == links_.end()) co_return ipc::SessionOrders{};
    link->second.polling.reset();
    co_return take_orders(link->second);
}

net::Task<ipc::SessionVerdicts> SessionHub::check(ipc::SessionCheck question) {
    const auto shared = std::make_shared<const ipc::SessionCheck>(std::move(question));
    auto work = [this, shared] {
        ipc::SessionVerdicts verdicts;
        for (const ipc::SessionCheck::Claim& claim : shared->claims) {
            const auto standing = authenticator_.standing(claim.account, claim.credential);
            // What cannot be read now is looked at again later.
            const auto reason = standing ? reason_to_end(*standing) : std::nullopt;
            if (reason) verdicts.ended.emplace_back(claim.id, *reason);
        }
        return verdicts;
    };
    auto verdicts = co_await runtime::offload_or_run(pool_, std::move(work));
    co_return verdicts;
}

void SessionHub::done_with(Errand& errand, std::uint64_t connection) {
    if (errand.outstanding.erase(connection) != 0 && errand.outstanding.empty()) wake(errand.waiting);
}

void SessionHub::take_result(ipc::SessionResult result, std::uint64_t connection) {
    const std::lock_guard lock(mutex_);
    const auto found = errands_.find(result.task);
    if (found == errands_.end() || !found->second.outstanding.contains(connection)) return;
    Errand& errand = found->second;
    errand.ended += result.count;
    for (ipc::SessionFacts& facts : result.sessions) {
        errand.octets += octets_of(facts);
        errand.more = errand.more || errand.octets > kMostOctets;
        if (!errand.more) errand.sessions.push_back(std::move(facts));
    }
    if (result.last) done_with(errand, connection);
}

void SessionHub::forget(std::uint64_t connection) {
    const std::lock_guard lock(mutex_);
    const auto link = links_.find(connection);
    if (link == links_.end()) return;
    wake(link->second.polling);
    links_.erase(link);
    for (auto& [id, errand] : errands_) done_with(errand, connection);
}

net::Task<SessionHub::Errand> SessionHub::send_out(decltype(ipc::SessionOrder::what) what) {
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto wait = std::make_shared<Wait>(executor);
    std::uint64_t id = 0;
    bool nobody = false;
    {
        const std::lock_guard lock(mutex_);
        if (std::holds_alternative<ipc::SessionOrder::Recheck>(what)) ++epoch_;
        id = ++last_errand_;
        Errand& errand = errands_[id];
        errand.waiting = wait;
        for (auto& [connection, link] : links_) {
            errand.outstanding.insert(connection);
            if (link.orders.size() >= ipc::kMaxSessionOrders) {
                link.orders.clear();
                link.check_all = true;
            }
            link.orders.push_back({id, what});
            wake(link.polling);
        }
        nobody = errand.outstanding.empty();
    }
    if (!nobody) co_await wait->at_most(kErrand);
    const std::lock_guard lock(mutex_);
    const auto found = errands_.find(id);
    Errand errand = std::move(found->second);
    errands_.erase(found);
    co_return errand;
}

net::Task<ipc::SessionsEnded> SessionHub::account_changed(AccountId account) {
    decltype(ipc::SessionOrder::what) what = ipc::SessionOrder::Recheck{account};
    const Errand errand = co_await send_out(std::move(what));
    log::info("sessions.revoked", {{"account", account.value}, {"ended", errand.ended}});
    co_return ipc::SessionsEnded{errand.ended, errand.outstanding.size()};
}

net::Task<ipc::SessionsEnded> SessionHub::kick(ipc::SessionSelector which) {
    decltype(ipc::SessionOrder::what) what = ipc::SessionOrder::End{std::move(which)};
    const Errand errand = co_await send_out(std::move(what));
    log::info("sessions.kicked", {{"ended", errand.ended}});
    co_return ipc::SessionsEnded{errand.ended, errand.outstanding.size()};
}

net::Task<ipc::WhoAnswer> SessionHub::who(AccountId account) {
    decltype(ipc::SessionOrder::what) what = ipc::SessionOrder::Describe{account};
    Errand errand = co_await send_out(std::move(what));
    co_return ipc::WhoAnswer{std::move(errand.sessions), errand.more, errand.outstanding.size()};
}

void SessionHub::request_stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [connection, link] : links_) wake(link.polling);
    for (const auto& [id, errand] : errands_) wake(errand.waiting);
}

}  // namespace mailstead::deliver
