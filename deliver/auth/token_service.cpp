#include "deliver/auth/token_service.h"

#include <fstream>

#include <boost/asio/io_context.hpp>

#include "common/net/task_group.h"
#include "common/runtime/log.h"
#include "common/runtime/metrics.h"
#include "common/sasl/password_hash.h"

namespace mailstead::deliver {
namespace {

using Status = sasl::TokenVerdict::Status;

// Each asks on a thread of its own, which mostly waits; more logins than that queue for a moment.
constexpr std::size_t kThreads = 8;
constexpr std::size_t kQueue = 256;
constexpr net::Timeout kDeadline{8'000};
constexpr std::size_t kMaxAnswer = 64 * 1024;
constexpr std::size_t kMaxRemembered = 10'000;
// Long enough for the connections that a client opens together; a token that is revoked dies soon.
constexpr Seconds kRememberedFor{60};
constexpr unsigned kOk = 200;

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

TokenCache::TokenCache() : secret_(random_bytes(32)) {}

std::string TokenCache::key_of(const Secret& token) const {
    return sasl::hash_random_password(secret_, token.reveal());
}

std::optional<std::string> TokenCache::find(const Secret& token, Time now) {
    const std::string key = key_of(token);
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    if (found->second.ends > now) return found->second.account;
    entries_.erase(found);
    return std::nullopt;
}

void TokenCache::remember(const Secret& token, std::string account, std::optional<Time> ends, Time now) {
    Time until = now + kRememberedFor;
    if (ends && *ends < until) until = *ends;
    if (until <= now) return;
    std::string key = key_of(token);
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= kMaxRemembered) {
        std::erase_if(entries_, [now](const auto& each) { return each.second.ends <= now; });
        if (entries_.size() >= kMaxRemembered) entries_.clear();
    }
    entries_.insert_or_assign(std::move(key), Entry{std::move(account), until});
}

TokenService::TokenService(settings::OAuth settings, net::HttpsUrl endpoint, dns::ResolverOptions resolver,
                           const directory::Directory& directory)
    : settings_(std::move(settings)),
      endpoint_(std::move(endpoint)),
      resolver_(std::move(resolver)),
      directory_(directory),
      facts_{settings_.scope, settings_.discovery_url} {}

void TokenService::start() {
    pool_.emplace(kThreads, kQueue);
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

sasl::TokenVerdict TokenService::check(const Secret& token, std::string_view login) {
    if (const auto known = cache_.find(token, now())) return verdict_for(*known, login);
    TokenFacts facts = ask(token);
    if (facts.status == Status::unavailable) {
        unanswered.add();
        log::warning("oauth.unavailable", {{"why", facts.reason}});
    } else if (facts.status != Status::valid) {
        log::info("oauth.refused", {{"why", facts.reason}});
    }
    if (facts.status != Status::valid) return {facts.status, AccountId(), {}};
    cache_.remember(token, facts.account, facts.ends, now());
    return verdict_for(facts.account, login);
}

TokenFacts TokenService::ask(const Secret& token) const {
    asked.add();
    net::HttpsRequest request;
    request.method = "POST";
    request.url = endpoint_;
    request.content_type = "application/x-www-form-urlencoded";
    request.authorization = Secret(authorization_.reveal());
    request.body = introspection_form(token);
    request.deadline = kDeadline;
    request.max_response = kMaxAnswer;
    const auto answer = post_and_wait(tls_, resolver_, std::move(request));
    TokenFacts facts;
    if (!answer) {
        facts.reason = answer.error().what;
    } else if (answer->status != kOk) {
        facts.reason = "the issuer answered " + std::to_string(answer->status);
    } else {
        facts = read_introspection(answer->body, settings_, now());
    }
    return facts;
}

// The directory is asked each time, so that an account which is locked is out at once.
sasl::TokenVerdict TokenService::verdict_for(std::string_view account, std::string_view login) const {
    const auto owner = directory_.find_by_login(account);
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
