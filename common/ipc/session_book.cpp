#include "common/ipc/session_book.h"

#include <chrono>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include "common/net/event.h"
#include "common/net/task_group.h"

namespace mailstead::ipc {

namespace {

using Clock = std::chrono::steady_clock;

// deliver answers a poll within a minute.
constexpr net::Timeout kPollTimeout = std::chrono::seconds(90);
constexpr net::Timeout kCheckTimeout = std::chrono::seconds(30);
constexpr net::Timeout kPause{250};  // while deliver is away
constexpr auto kCheckEvery = std::chrono::minutes(1);

}  // namespace

struct SessionBook::State : std::enable_shared_from_this<State> {
    struct Entry {
        LiveSession* session = nullptr;
        AccountId account;
        Credential credential;
        bool ended = false;
    };
    using Claims = std::vector<SessionCheck::Claim>;

    State(boost::asio::io_context& context, Client& where) : deliver(where), tasks(context) {}

    static net::Task<void> run(std::shared_ptr<State> self);
    static net::Task<bool> follow(std::shared_ptr<State> self, SessionOrders orders, bool all);
    // How many were ended; nullopt: deliver could not be asked.
    static net::Task<std::optional<std::uint64_t>> check(std::shared_ptr<State> self, Claims claims);
    static net::Task<void> check_one(std::shared_ptr<State> self, Claims claims);
    static net::Task<bool> recheck(std::shared_ptr<State> self, std::uint64_t task, AccountId account);
    // Zero: of all accounts.
    Claims claims_of(AccountId account) const;
    void describe(std::uint64_t task, AccountId account);
    void end(std::uint64_t task, const SessionSelector& which);
    bool end(Entry& entry, EndReason reason);
    bool is_meant(const std::string& id, const Entry& entry, const SessionSelector& which) const;

    Client& deliver;
    net::TaskGroup tasks;
    std::unordered_map<std::string, Entry> sessions;
    std::uint64_t epoch = 0;  // of the latest orders
    Clock::time_point next_check = Clock::now() + kCheckEvery;
    bool stopping = false;
};

net::Task<void> SessionBook::State::run(std::shared_ptr<State> self) {
    bool first = true;
    for (;;) {
        const SessionPoll poll{first};
        Descriptors none;
        auto orders = co_await ask(self->deliver, poll, std::move(none), kPollTimeout);
        if (self->stopping) co_return;
        bool followed = false;
        if (orders) {
            const bool all = first || orders->check_all || Clock::now() >= self->next_check;
            followed = co_await follow(self, *std::move(orders), all);
        }
        if (self->stopping) co_return;
        first = !followed;
        if (followed) continue;
        const auto slept = co_await net::sleep_for(kPause);
        if (!slept) co_return;
    }
}

net::Task<bool> SessionBook::State::follow(std::shared_ptr<State> self, SessionOrders orders, bool all) {
    self->epoch = orders.epoch;
    if (all) {
        Claims claims = self->claims_of({});
        const auto checked = co_await check(self, std::move(claims));
        if (!checked) co_return false;
        self->next_check = Clock::now() + kCheckEvery;
    }
    for (const SessionOrder& order : orders.orders) {
        if (const auto* describe = std::get_if<SessionOrder::Describe>(&order.what)) {
            self->describe(order.task, describe->account);
        } else if (const auto* end = std::get_if<SessionOrder::End>(&order.what)) {
            self->end(order.task, end->which);
        } else {
            const AccountId account = std::get<SessionOrder::Recheck>(order.what).account;
            const bool done = co_await recheck(self, order.task, account);
            if (!done) co_return false;
        }
    }
    co_return true;
}

net::Task<bool> SessionBook::State::recheck(std::shared_ptr<State> self, std::uint64_t task,
                                            AccountId account) {
    Claims claims = self->claims_of(account);
    const auto ended = co_await check(self, std::move(claims));
    if (!ended) co_return false;
    send(self->deliver, SessionResult{task, *ended, true, {}});
    co_return true;
}

SessionBook::State::Claims SessionBook::State::claims_of(AccountId account) const {
    Claims claims;
    for (const auto& [id, entry] : sessions) {
        if (!entry.ended && (!account || entry.account == account))
            claims.push_back({id, entry.account, entry.credential});
    }
    return claims;
}

net::Task<std::optional<std::uint64_t>> SessionBook::State::check(std::shared_ptr<State> self,
                                                                  Claims claims) {
    std::uint64_t ended = 0;
    while (!claims.empty()) {
        SessionCheck question;
        while (!claims.empty() && question.claims.size() < kMaxSessionsInMessage) {
            question.claims.push_back(std::move(claims.back()));
            claims.pop_back();
        }
        Descriptors none;
        const auto verdicts = co_await ask(self->deliver, question, std::move(none), kCheckTimeout);
        if (!verdicts) co_return std::nullopt;
        for (const SessionCheck::Claim& claim : question.claims) {
            for (const auto& [id, reason] : verdicts->ended) {
                if (id != claim.id) continue;
                // Meanwhile the session may have ended, and its client logged in anew.
                const auto found = self->sessions.find(id);
                const bool same = found != self->sessions.end() && found->second.account == claim.account &&
                                  found->second.credential == claim.credential;
                if (same && self->end(found->second, reason)) ++ended;
            }
        }
    }
    co_return ended;
}

net::Task<void> SessionBook::State::check_one(std::shared_ptr<State> self, Claims claims) {
    co_await check(self, std::move(claims));
}

bool SessionBook::State::end(Entry& entry, EndReason reason) {
    if (std::exchange(entry.ended, true)) return false;
    entry.session->end(reason);
    return true;
}

void SessionBook::State::describe(std::uint64_t task, AccountId account) {
    SessionResult result;
    result.task = task;
    for (const auto& [id, entry] : sessions) {
        if (account && entry.account != account) continue;
        SessionFacts facts = entry.session->facts();
        facts.id = id;
        facts.account = entry.account;
        facts.credential = entry.credential;
        result.sessions.push_back(std::move(facts));
        if (result.sessions.size() < kMaxSessionsInMessage) continue;
        send(deliver, result);
        result.sessions.clear();
    }
    result.last = true;
    send(deliver, result);
}

bool SessionBook::State::is_meant(const std::string& id, const Entry& entry,
                                  const SessionSelector& which) const {
    if (const auto* of = std::get_if<SessionsOf>(&which)) return entry.account == of->account;
    if (const auto* named = std::get_if<SessionNamed>(&which)) return id == named->id;
    return entry.session->facts().peer.ip == std::get<SessionsFrom>(which).address;
}

void SessionBook::State::end(std::uint64_t task, const SessionSelector& which) {
    SessionResult result;
    result.task = task;
    result.last = true;
    for (auto& [id, entry] : sessions) {
        if (is_meant(id, entry, which) && end(entry, EndReason::administrator)) ++result.count;
    }
    send(deliver, result);
}

SessionBook::SessionBook(boost::asio::io_context& context, Client& deliver)
    : state_(std::make_shared<State>(context, deliver)) {}

SessionBook::~SessionBook() {
    state_->stopping = true;
}

void SessionBook::start() {
    boost::asio::post(state_->tasks.context(), [state = state_] {
        if (!state->stopping) state->tasks.spawn(State::run(state));
    });
}

void SessionBook::request_stop() {
    boost::asio::post(state_->tasks.context(), [state = state_] {
        state->stopping = true;
        state->tasks.abort();
    });
}

void SessionBook::enter(LiveSession& session, std::string id, AccountId account, Credential credential,
                        std::uint64_t epoch) {
    if (epoch < state_->epoch) {
        State::Claims claims{{id, account, credential}};
        state_->tasks.spawn(State::check_one(state_, std::move(claims)));
    }
    state_->sessions.insert_or_assign(std::move(id),
                                      State::Entry{&session, account, std::move(credential), false});
}

void SessionBook::leave(const std::string& id) {
    state_->sessions.erase(id);
}

}  // namespace mailstead::ipc
