#include "deliver/auth/auth_service.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/net/event.h"
#include "common/runtime/log.h"

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxConversations = 2'000;
constexpr auto kConversationLifetime = 2min;
constexpr std::size_t kMaxPairs = 50'000;
constexpr std::uint32_t kFreeFailures = 3;
constexpr auto kLongestDelay = 10'000ms;
constexpr auto kForgetAfter = 1h;

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
    return {ipc::AuthBusy{std::move(reason)}};
}

sasl::ChannelBindings bindings_of(const ipc::AuthStep& step) {
    return {step.bindings.tls_exporter, step.bindings.tls_unique, step.bindings.tls_server_end_point};
}

std::string pair_of(const std::string& client, const std::string& login) {
    return client + ' ' + text::lower(login);
}

}  // namespace

std::chrono::milliseconds FailureDelays::delay(const std::string& pair, Clock::time_point at) {
    const std::lock_guard lock(mutex_);
    const auto known = counts_.find(pair);
    if (known == counts_.end() || at - known->second.last > kForgetAfter ||
        known->second.failures <= kFreeFailures)
        return 0ms;
    const std::uint32_t steps = std::min<std::uint32_t>(known->second.failures - kFreeFailures, 8);
    return std::min<std::chrono::milliseconds>(250ms * (1 << (steps - 1)), kLongestDelay);
}

void FailureDelays::failed(const std::string& pair, Clock::time_point at) {
    const std::lock_guard lock(mutex_);
    if (counts_.size() >= kMaxPairs) {
        std::erase_if(counts_, [&](const auto& each) { return at - each.second.last > 5min; });
        if (counts_.size() >= kMaxPairs) counts_.clear();
    }
    Count& count = counts_[pair];
    if (at - count.last > kForgetAfter) count.failures = 0;
    ++count.failures;
    count.last = at;
}

void FailureDelays::succeeded(const std::string& pair) {
    const std::lock_guard lock(mutex_);
    counts_.erase(pair);
}

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
    ipc::AuthAnswer answer =
        co_await proceed(std::move(conversation), std::move(step.client_bytes), step.service);
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
    started->client = net::customer_network(step.client_ip).to_string();
    return {};
}

AuthService::Held AuthService::take(std::uint64_t id, std::uint64_t connection) {
    const std::lock_guard lock(mutex_);
    const auto at = conversations_.find(id);
    if (at == conversations_.end() || at->second->connection != connection) return nullptr;
    Held conversation = std::move(at->second);
    conversations_.erase(at);
    return conversation->deadline > std::chrono::steady_clock::now() ? conversation : nullptr;
}

std::uint64_t AuthService::keep(Held conversation) {
    const auto at = std::chrono::steady_clock::now();
    conversation->deadline = at + kConversationLifetime;
    const std::lock_guard lock(mutex_);
    if (conversations_.size() >= kMaxConversations) {
        std::erase_if(conversations_, [&](const auto& each) { return each.second->deadline <= at; });
        if (conversations_.size() >= kMaxConversations) return 0;
    }
    const std::uint64_t id = next_id_++;
    conversations_.emplace(id, std::move(conversation));
    return id;
}

void AuthService::cancel(std::uint64_t conversation, std::uint64_t connection) {
    take(conversation, connection);
}

void AuthService::forget(std::uint64_t connection) {
    const std::lock_guard lock(mutex_);
    std::erase_if(conversations_, [&](const auto& each) { return each.second->connection == connection; });
}

net::Task<ipc::AuthAnswer> AuthService::proceed(Held conversation, Secret client_bytes,
                                                ipc::Service service) {
    // SCRAM, and passwords that were right a moment ago, cost microseconds: less than the way to the pool.
    if (!conversation->exchange->is_slow(client_bytes.reveal())) {
        sasl::Outcome quick = conversation->exchange->step(client_bytes.reveal());
        co_return co_await settle(std::move(conversation), std::move(quick), service);
    }
    auto bytes = std::make_shared<Secret>(std::move(client_bytes));
    auto work = [conversation, bytes]() -> Result<sasl::Outcome> {
        return conversation->exchange->step(bytes->reveal());
    };
    auto outcome = co_await runtime::offload(pool_, std::move(work));
    if (!outcome) co_return busy(outcome.error().what);
    co_return co_await settle(std::move(conversation), *std::move(outcome), service);
}

net::Task<ipc::AuthAnswer> AuthService::settle(Held conversation, sasl::Outcome result,
                                               ipc::Service service) {
    if (auto* question = std::get_if<sasl::CheckToken>(&result)) {
        sasl::Outcome checked = co_await check_token(conversation, std::move(*question));
        result = std::move(checked);
    }
    co_return co_await conclude(std::move(conversation), std::move(result), service);
}

net::Task<sasl::Outcome> AuthService::check_token(Held conversation, sasl::CheckToken question) {
    auto shared = std::make_shared<sasl::CheckToken>(std::move(question));
    auto work = [tokens = tokens_, shared] { return tokens->check(shared->token, shared->login); };
    const auto verdict = co_await runtime::offload(tokens_->pool(), work);
    co_return conversation->exchange->on_token(verdict ? *verdict : sasl::TokenVerdict());
}

net::Task<ipc::AuthAnswer> AuthService::conclude(Held conversation, sasl::Outcome outcome,
                                                 ipc::Service service) {
    const auto at = FailureDelays::Clock::now();
    if (auto* challenge = std::get_if<sasl::Challenge>(&outcome)) {
        const std::uint64_t id = keep(conversation);
        if (id == 0) co_return busy("too many logins at once");
        co_return ipc::AuthAnswer{ipc::AuthChallenge{Secret::take(challenge->bytes), id}};
    }
    if (auto* success = std::get_if<sasl::Success>(&outcome)) {
        delays_.succeeded(pair_of(conversation->client, success->login));
        log::debug("auth.success", {{"service", ipc::to_string(service)},
                                    {"login", success->login},
                                    {"network", conversation->client}});
        co_return ipc::AuthAnswer{ipc::AuthSuccess{success->account, std::move(success->login), Secret{}}};
    }
    const auto& failed = std::get<sasl::Failure>(outcome);
    if (failed.reason == sasl::FailureReason::temporary) co_return busy("the proof could not be checked");
    log::info("auth.failure", {{"service", ipc::to_string(service)},
                               {"login", failed.login},
                               {"network", conversation->client},
                               {"reason", sasl::to_string(failed.reason)}});
    if (failed.reason == sasl::FailureReason::wrong_credentials) {
        const std::string pair = pair_of(conversation->client, failed.login);
        delays_.failed(pair, at);
        const auto delay = delays_.delay(pair, at);
        if (delay > 0ms) co_await net::sleep_for(delay);
    }
    co_return failure(std::string(sasl::to_string(failed.reason)), kind_of(failed.reason));
}

}  // namespace mailstead::deliver
