#include "deliver/auth/auth_service.h"

#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "common/base/text.h"
#include "common/runtime/log.h"
#include "common/runtime/metrics.h"

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;
using Clock = LoginGuard::Clock;
using Work = sasl::Ahead::Work;

constexpr std::size_t kMaxConversations = 2'000;
constexpr auto kConversationLifetime = 2min;

metrics::Counter given_up("auth_given_up");
metrics::Counter too_busy("auth_busy");

using FailureKind = ipc::AuthFailure::Kind;

ipc::AuthAnswer failure(std::string reason, FailureKind kind) {
    return {ipc::AuthFailure{std::move(reason), kind}};
}

FailureKind kind_of(sasl::FailureReason reason) {
    if (reason == sasl::FailureReason::malformed) return FailureKind::malformed;
    if (reason == sasl::FailureReason::not_authorized) return FailureKind::not_authorized;
    return FailureKind::wrong_credentials;
}

ipc::AuthAnswer busy(std::string reason) {
    too_busy.add();
    return {ipc::AuthBusy{std::move(reason)}};
}

sasl::Outcome temporary(const std::string& login) {
    return sasl::Failure{sasl::FailureReason::temporary, login};
}

sasl::ChannelBindings bindings_of(const ipc::AuthStep& step) {
    return {step.bindings.tls_exporter, step.bindings.tls_unique, step.bindings.tls_server_end_point};
}

// Gives the turn back.
class TakenTurn {
public:
    TakenTurn(LoginGuard& guard, const LoginGuard::Turn& turn) : guard_(guard), turn_(turn) {}
    ~TakenTurn() { guard_.left(turn_); }
    TakenTurn(const TakenTurn&) = delete;
    TakenTurn& operator=(const TakenTurn&) = delete;

private:
    LoginGuard& guard_;
    const LoginGuard::Turn& turn_;
};

}  // namespace

// A step in hand can be found by whoever cancels it.
class AuthService::Entered {
public:
    Entered(AuthService& service, const Held& conversation, std::uint64_t attempt) : service_(service) {
        conversation->ticket = 0;
        conversation->login.clear();
        const std::lock_guard lock(service_.mutex_);
        if (attempt == 0) attempt = ++service_.last_unnamed_;
        at_ = service_.in_hand_.emplace(std::pair(conversation->connection, attempt), conversation).first;
        owns_ = at_->second == conversation;  // a number that is used twice is not cancelled
        if (service_.stopping_) conversation->gone = true;
    }
    ~Entered() {
        const std::lock_guard lock(service_.mutex_);
        if (owns_) service_.in_hand_.erase(at_);
    }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

private:
    AuthService& service_;
    InHand::iterator at_;
    bool owns_ = false;
};

net::Task<ipc::AuthAnswer> AuthService::step(ipc::AuthStep step, std::uint64_t connection) {
    Held conversation;
    if (step.conversation == 0) {
        ipc::AuthAnswer answer = begin(step, connection, conversation);
        if (!conversation) co_return answer;
        if (!step.has_initial) {
            // RFC 4422, 3.3: the client did not speak first; it hears the mechanism's first challenge, which
            // may be empty.
            std::string challenge = conversation->exchange->first_challenge();
            const std::uint64_t id = keep(std::move(conversation));
            if (id == 0) co_return busy("too many logins at once");
            co_return ipc::AuthAnswer{ipc::AuthChallenge{Secret::take(challenge), id}};
        }
    } else {
        conversation = take(step.conversation, connection);
        if (!conversation) co_return failure("no such conversation", FailureKind::malformed);
    }
    const Entered entered(*this, conversation, step.attempt);
    ipc::AuthAnswer answer = co_await proceed(conversation, std::move(step.client_bytes));
    if (conversation->gone) given_up.add();
    co_return answer;
}

ipc::AuthAnswer AuthService::begin(const ipc::AuthStep& step, std::uint64_t connection, Held& started) {
    const sasl::OAuthFacts* const oauth = tokens_ == nullptr ? nullptr : &tokens_->facts();
    auto exchange = sasl::start_exchange(step.mechanism, authenticator_, bindings_of(step), oauth);
    if (!exchange)
        return failure("unknown mechanism " + text::quote_for_log(step.mechanism, 32),
                       FailureKind::malformed);
    started = std::make_shared<Conversation>();
    started->connection = connection;
    started->exchange = std::move(exchange);
    started->origin = origin_of(step.client_ip);
    started->client = net::customer_network(step.client_ip).to_string();
    started->service = step.service;
    started->epoch = epoch_ ? epoch_() : 0;
    return {};
}

AuthService::Held AuthService::take(std::uint64_t id, std::uint64_t connection) {
    const std::lock_guard lock(mutex_);
    const auto at = conversations_.find(id);
    if (at == conversations_.end() || at->second->connection != connection) return nullptr;
    Held conversation = std::move(at->second);
    conversations_.erase(at);
    return conversation->deadline > Clock::now() ? conversation : nullptr;
}

std::uint64_t AuthService::keep(Held conversation) {
    const auto at = Clock::now();
    conversation->deadline = at + kConversationLifetime;
    const std::lock_guard lock(mutex_);
    if (conversation->gone) return 0;
    if (conversations_.size() >= kMaxConversations) {
        std::erase_if(conversations_, [&](const auto& each) { return each.second->deadline <= at; });
        if (conversations_.size() >= kMaxConversations) return 0;
    }
    const std::uint64_t id = next_id_++;
    conversations_.emplace(id, std::move(conversation));
    return id;
}

void AuthService::cancel(const ipc::AuthCancel& cancel, std::uint64_t connection) {
    if (cancel.conversation != 0) take(cancel.conversation, connection);
    if (cancel.attempt == 0) return;
    Held waiting;
    {
        const std::lock_guard lock(mutex_);
        const auto found = in_hand_.find({connection, cancel.attempt});
        if (found != in_hand_.end()) waiting = found->second;
    }
    if (!waiting) return;
    waiting->gave_up = true;
    give_up(*waiting);
}

void AuthService::give_up(Conversation& conversation) {
    conversation.gone = true;
    if (conversation.wait) conversation.wait->end();
    if (conversation.ticket != 0) pool_.cancel(conversation.ticket);
}

void AuthService::forget(std::uint64_t connection) {
    std::vector<Held> waiting;
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(conversations_,
                      [&](const auto& each) { return each.second->connection == connection; });
        for (auto at = in_hand_.lower_bound({connection, 0});
             at != in_hand_.end() && at->first.first == connection; ++at) {
            waiting.push_back(at->second);
        }
    }
    for (const Held& each : waiting) give_up(*each);
}

void AuthService::request_stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [key, conversation] : in_hand_) {
        if (!conversation->wait) continue;
        boost::asio::post(conversation->wait->executor(), [this, conversation] { give_up(*conversation); });
    }
}

net::Task<bool> AuthService::wait_for_turn(Held conversation, std::chrono::milliseconds duration) {
    if (duration > 0ms) {
        const std::shared_ptr<Wait> wait = conversation->wait;
        co_await wait->at_most(duration);
    }
    co_return !conversation->gone;
}

net::Task<ipc::AuthAnswer> AuthService::proceed(Held conversation, Secret client_bytes) {
    const auto executor = co_await boost::asio::this_coro::executor;
    conversation->wait = std::make_shared<Wait>(executor);
    sasl::Exchange& exchange = *conversation->exchange;
    const sasl::Ahead ahead = exchange.look_ahead(client_bytes.reveal());
    if (ahead.work == Work::none) {
        sasl::Outcome outcome = exchange.step(client_bytes.reveal());
        if (auto* question = std::get_if<sasl::CheckToken>(&outcome)) {
            sasl::Outcome checked = co_await check_token(conversation, std::move(*question));
            outcome = std::move(checked);
        }
        co_return conclude(conversation, std::move(outcome));
    }
    conversation->login = ahead.login;
    const auto turn = guard_.admit(conversation->origin, ahead.login, Clock::now());
    if (!turn) co_return busy("too many attempts from there");
    const TakenTurn taken(guard_, *turn);
    const bool there = co_await wait_for_turn(conversation, turn->wait);
    sasl::Outcome outcome = temporary(ahead.login);
    if (there) {
        sasl::Outcome proved = co_await prove(conversation, std::move(client_bytes), turn->rank);
        outcome = std::move(proved);
    }
    // Whoever hangs up and comes back has not waited: he might not be told, but he is counted.
    if (conversation->gave_up) guard_.failed(conversation->origin, ahead.login, Clock::now());
    co_return conclude(conversation, std::move(outcome));
}

net::Task<sasl::Outcome> AuthService::prove(Held conversation, Secret client_bytes,
                                            runtime::FairPool::Rank rank) {
    // SCRAM, and passwords that were right a moment ago, cost microseconds: less than the way to the pool.
    if (conversation->exchange->look_ahead(client_bytes.reveal()).work != Work::hash)
        co_return conversation->exchange->step(client_bytes.reveal());
    auto bytes = std::make_shared<Secret>(std::move(client_bytes));
    auto work = [conversation, bytes]() -> Result<sasl::Outcome> {
        return conversation->exchange->step(bytes->reveal());
    };
    const runtime::FairPool::Customer customer{conversation->origin.network, conversation->origin.address,
                                               rank};
    auto outcome = co_await runtime::offload_fairly(pool_, customer, conversation->ticket, std::move(work));
    if (!outcome) co_return temporary(conversation->login);
    co_return *std::move(outcome);
}

net::Task<sasl::Outcome> AuthService::check_token(Held conversation, sasl::CheckToken question) {
    auto shared = std::make_shared<sasl::CheckToken>(std::move(question));
    conversation->login = shared->login;
    // Nobody guesses a token that is remembered: no turn is needed for it.
    if (const auto known = tokens_->remembered(shared->token, shared->login))
        co_return conversation->exchange->on_token(*known);
    const sasl::TokenVerdict verdict = co_await ask_about(conversation, shared);
    co_return conversation->exchange->on_token(verdict);
}

net::Task<sasl::TokenVerdict> AuthService::ask_about(Held conversation,
                                                     std::shared_ptr<sasl::CheckToken> question) {
    using Status = sasl::TokenVerdict::Status;
    const auto turn = guard_.admit(conversation->origin, question->login, Clock::now());
    if (!turn) co_return sasl::TokenVerdict();
    const TakenTurn taken(guard_, *turn);
    const bool there = co_await wait_for_turn(conversation, turn->wait);
    sasl::TokenVerdict verdict;
    if (there) {
        const runtime::FairPool::Customer customer{conversation->origin.network, conversation->origin.address,
                                                   turn->rank};
        const sasl::TokenVerdict said =
            co_await tokens_->check(question->token, question->login, customer, conversation->wait);
        verdict = said;
    }
    const bool refused = verdict.status != Status::valid && verdict.status != Status::unavailable;
    if (refused || conversation->gave_up) guard_.failed(conversation->origin, question->login, Clock::now());
    co_return verdict;
}

ipc::AuthAnswer AuthService::conclude(const Held& conversation, sasl::Outcome outcome) {
    if (conversation->gone) return busy("nobody waits for the answer");
    const LoginOrigin& origin = conversation->origin;
    if (auto* challenge = std::get_if<sasl::Challenge>(&outcome)) {
        const std::uint64_t id = keep(conversation);
        if (id == 0) return busy("too many logins at once");
        return {ipc::AuthChallenge{Secret::take(challenge->bytes), id}};
    }
    if (auto* success = std::get_if<sasl::Success>(&outcome)) {
        guard_.succeeded(origin, success->login, Clock::now());
        if (!conversation->login.empty() && conversation->login != success->login)
            guard_.succeeded(origin, conversation->login, Clock::now());
        log::debug("auth.success", {{"service", ipc::to_string(conversation->service)},
                                    {"login", success->login},
                                    {"network", conversation->client}});
        return {ipc::AuthSuccess{success->account, std::move(success->login), Secret{},
                                 std::move(success->credential), conversation->epoch}};
    }
    const auto& failed = std::get<sasl::Failure>(outcome);
    if (failed.reason == sasl::FailureReason::temporary) return busy("the proof could not be checked");
    log::info("auth.failure", {{"service", ipc::to_string(conversation->service)},
                               {"login", failed.login},
                               {"network", conversation->client},
                               {"reason", sasl::to_string(failed.reason)}});
    if (failed.reason == sasl::FailureReason::wrong_credentials)
        guard_.failed(origin, failed.login, Clock::now());
    return failure(std::string(sasl::to_string(failed.reason)), kind_of(failed.reason));
}

}  // namespace mailstead::deliver
