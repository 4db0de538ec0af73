#include "deliver/auth/token_service.h"

#include <fstream>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "common/net/task_group.h"
#include "common/runtime/log.h"
#include "common/runtime/metrics.h"

namespace mailstead::deliver {
namespace {

using Status = sasl::TokenVerdict::Status;

// Each question has a thread of its own, which mostly waits. No network may have all of them: when the issuer
// is slow, a thread is gone for seconds.
constexpr std::size_t kThreads = 8;
constexpr std::size_t kThreadsOfOneNetwork = 2;
constexpr std::size_t kQueue = 256;
constexpr net::Timeout kDeadline{8'000};
constexpr std::size_t kMaxAnswer = 64 * 1024;
constexpr unsigned kOk = 200;
// The issuer asks to be left alone.
constexpr unsigned kTooManyRequests = 429;
constexpr unsigned kServiceUnavailable = 503;
constexpr std::chrono::milliseconds kForever = std::chrono::hours(1);

metrics::Counter asked("oauth_introspections");
metrics::Counter unanswered("oauth_introspections_failed");

Result<Secret> read_secret(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::string line;
    if (!std::getline(in, line)) return permanent_error("cannot read a secret from " + file.string());
    if (line.ends_with('\r')) line.pop_back();
    return Secret::take(line);
}

net::Task<Result<std::vector<net::SocketAddress>>> addresses_of(const net::HttpsUrl& url,
                                                                dns::Resolver& resolver) {
    std::vector<net::SocketAddress> found;
    const auto literal = net::parse_ip(url.host);
    if (literal) {
        found.push_back({*literal, url.port});
        co_return found;
    }
    if (url.host == "localhost") {  // RFC 6761, 6.3
        found.push_back({*net::parse_ip("127.0.0.1"), url.port});
        found.push_back({*net::parse_ip("::1"), url.port});
        co_return found;
    }
    const auto v6 = co_await resolver.aaaa(url.host);
    const auto v4 = co_await resolver.a(url.host);
    for (const dns::IpAddress& ip : v4.records) found.push_back({dns::to_net(ip), url.port});
    for (const dns::IpAddress& ip : v6.records) found.push_back({dns::to_net(ip), url.port});
    if (found.empty()) co_return transient_error("no address of " + url.host + " was found");
    co_return found;
}

net::Task<Result<net::HttpsResponse>> post(std::shared_ptr<net::TlsClientContext> tls,
                                           dns::Resolver& resolver, net::HttpsRequest request) {
    auto addresses = co_await addresses_of(request.url, resolver);
    if (!addresses) co_return addresses.error();
    request.addresses = *std::move(addresses);
    co_return co_await net::https_request(std::move(tls), std::move(request));
}

// Runs the request on an io_context of its own, on the thread of the pool that asks.
Result<net::HttpsResponse> post_and_wait(const std::shared_ptr<net::TlsClientContext>& tls,
                                         const dns::ResolverOptions& options, net::HttpsRequest request) {
    boost::asio::io_context context(1);
    TRY(resolver, dns::CaresResolver::create(context, options));
    Result<net::HttpsResponse> response = transient_error("no answer");
    net::TaskGroup tasks(context);
    auto run = [](std::shared_ptr<net::TlsClientContext> trust, dns::Resolver* dns, net::HttpsRequest what,
                  Result<net::HttpsResponse>* into, boost::asio::io_context* on) -> net::Task<void> {
        auto got = co_await post(std::move(trust), *dns, std::move(what));
        *into = std::move(got);
        on->stop();
    };
    tasks.spawn(run(tls, resolver.get(), std::move(request), &response, &context));
    context.run();
    return response;
}

}  // namespace

// One question on its way to the issuer.
class TokenService::Asking final : public runtime::FairPool::Job {
public:
    Asking(TokenService& service, Asked question) : service_(service), question_(std::move(question)) {}
    void run() noexcept override { service_.answer(question_); }
    void drop() noexcept override {
        TokenFacts none;
        none.reason = "too many questions are waiting";
        service_.finish(question_, std::move(none));
    }

private:
    TokenService& service_;
    Asked question_;
};

TokenService::TokenService(settings::OAuth settings, net::HttpsUrl endpoint, dns::ResolverOptions resolver,
                           const directory::Directory& directory)
    : settings_(std::move(settings)),
      endpoint_(std::move(endpoint)),
      resolver_(std::move(resolver)),
      directory_(directory),
      facts_{settings_.scope, settings_.discovery_url} {}

void TokenService::start() {
    runtime::FairPool::Options options;
    options.threads = kThreads;
    options.running_per_network = kThreadsOfOneNetwork;
    options.queue = kQueue;
    pool_.emplace(options);
}

Result<std::unique_ptr<TokenService>> TokenService::open(const settings::Settings& settings,
                                                         dns::ResolverOptions resolver,
                                                         const directory::Directory& directory) {
    auto endpoint = net::HttpsUrl::parse(settings.oauth.introspection_url);
    if (!endpoint) return permanent_error("oauth.introspection_url is no https URL");
    std::unique_ptr<TokenService> service(
        new TokenService(settings.oauth, *std::move(endpoint), std::move(resolver), directory));
    if (!settings.oauth.client_id.empty()) {
        TRY(secret, read_secret(settings.oauth.client_secret_file));
        service->authorization_ = basic_credentials(settings.oauth.client_id, secret);
    }
    net::TlsClientOptions trust;
    trust.ca_file = settings.oauth.ca_file.string();
    TRY(tls, net::TlsClientContext::load(trust));
    service->tls_ = std::move(tls);
    return service;
}

std::optional<sasl::TokenVerdict> TokenService::remembered(const Secret& token, std::string_view login) {
    const auto known = cache_.find(cache_.key_of(token), now());
    return known ? std::optional(verdict_for(*known, login)) : std::nullopt;
}

net::Task<sasl::TokenVerdict> TokenService::check(const Secret& token, std::string_view login,
                                                  const runtime::FairPool::Customer& customer,
                                                  std::shared_ptr<Wait> wait) {
    // Another connection may have asked while this one had to wait for its turn.
    if (auto known = remembered(token, login)) co_return *std::move(known);
    const Asked question = join(token, customer, wait);
    co_await wait->at_most(kForever);
    const auto facts = leave(question, wait);
    co_return facts ? verdict_for(*facts, login) : sasl::TokenVerdict();
}

// The pool is called without the lock: to make room it may drop another question, which takes the lock.
TokenService::Asked TokenService::join(const Secret& token, const runtime::FairPool::Customer& customer,
                                       const std::shared_ptr<Wait>& wait) {
    const std::string key = cache_.key_of(token);
    Asked question;
    {
        const std::lock_guard lock(mutex_);
        Asked& known = questions_[key];
        if (known) {
            known->waiting.push_back(wait);
            return known;
        }
        known = std::make_shared<Question>();
        known->key = key;
        known->token = Secret(token.reveal());
        known->waiting.push_back(wait);
        question = known;
    }
    std::unique_ptr<runtime::FairPool::Job> job = std::make_unique<Asking>(*this, question);
    const runtime::FairPool::Ticket ticket = pool_->submit(customer, job);
    if (job) job->drop();
    bool abandoned = false;
    {
        const std::lock_guard lock(mutex_);
        question->ticket = ticket;
        abandoned = question->abandoned;
    }
    if (abandoned) pool_->cancel(ticket);
    return question;
}

// The answer, unless the wait ended before it came.
std::optional<TokenFacts> TokenService::leave(const Asked& question, const std::shared_ptr<Wait>& wait) {
    runtime::FairPool::Ticket unwanted = 0;
    {
        const std::lock_guard lock(mutex_);
        if (question->facts) return question->facts;
        std::erase(question->waiting, wait);
        if (!question->waiting.empty()) return std::nullopt;
        question->abandoned = true;
        const auto found = questions_.find(question->key);
        if (found != questions_.end() && found->second == question) questions_.erase(found);
        unwanted = question->ticket;
    }
    if (unwanted != 0) pool_->cancel(unwanted);
    return std::nullopt;
}

void TokenService::answer(const Asked& question) {
    TokenFacts facts = ask(question->token);
    if (facts.status == Status::unavailable) {
        unanswered.add();
        log::warning("oauth.unavailable", {{"why", facts.reason}});
    } else if (facts.status != Status::valid) {
        log::info("oauth.refused", {{"why", facts.reason}});
    }
    cache_.remember(question->key, facts, now());
    finish(question, std::move(facts));
}

void TokenService::finish(const Asked& question, TokenFacts facts) {
    std::vector<std::shared_ptr<Wait>> waiting;
    {
        const std::lock_guard lock(mutex_);
        question->facts = std::move(facts);
        waiting = std::move(question->waiting);
        const auto found = questions_.find(question->key);
        if (found != questions_.end() && found->second == question) questions_.erase(found);
    }
    for (const auto& each : waiting) boost::asio::post(each->executor(), [each] { each->end(); });
}

TokenFacts TokenService::ask(const Secret& token) {
    if (!health_.may_ask(IssuerHealth::Clock::now())) {
        TokenFacts none;
        none.reason = "the issuer has not answered lately";
        return none;
    }
    asked.add();
    net::HttpsRequest request;
    request.method = "POST";
    request.url = endpoint_;
    request.content_type = "application/x-www-form-urlencoded";
    request.authorization = Secret(authorization_.reveal());
    request.body = introspection_form(token);
    request.deadline = kDeadline;
    request.max_response = kMaxAnswer;
    return facts_of(post_and_wait(tls_, resolver_, std::move(request)));
}

// Other errors than those of the transport may be the token's own, which any stranger can send.
TokenFacts TokenService::facts_of(const Result<net::HttpsResponse>& answer) {
    TokenFacts facts;
    if (!answer) {
        facts.reason = answer.error().what;
    } else if (answer->status != kOk) {
        facts.reason = "the issuer answered " + std::to_string(answer->status);
    } else {
        facts = read_introspection(answer->body, settings_, now());
    }
    if (!answer || answer->status == kTooManyRequests || answer->status == kServiceUnavailable) {
        health_.failed(IssuerHealth::Clock::now());
    } else {
        health_.answered();
    }
    return facts;
}

// The directory is asked each time, so that an account which is locked is out at once.
sasl::TokenVerdict TokenService::verdict_for(const TokenFacts& facts, std::string_view login) const {
    if (facts.status != Status::valid) return {facts.status, AccountId(), {}};
    const auto owner = directory_.find_by_login(facts.account);
    if (!owner) return {Status::unavailable, AccountId(), {}};
    if (!*owner || (*owner)->state != directory::AccountState::active) {
        log::info("oauth.refused", {{"why", "the token names nobody who may log in here"}});
        return {Status::not_authorized, AccountId(), {}};
    }
    if (!login.empty()) {
        const auto wanted = directory_.find_by_login(login);
        if (!wanted) return {Status::unavailable, AccountId(), {}};
        if (!*wanted || (*wanted)->id != (*owner)->id) {
            log::info("oauth.refused", {{"why", "the token is somebody else's"}});
            return {Status::not_authorized, AccountId(), {}};
        }
    }
    return {Status::valid, (*owner)->id, (*owner)->login.key()};
}

}  // namespace mailstead::deliver
