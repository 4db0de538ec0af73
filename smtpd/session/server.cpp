#include "smtpd/session/server.h"

#include <future>
#include <thread>

#include "common/base/exception.h"
#include "common/dns/cares_resolver.h"
#include "common/runtime/addresses.h"
#include "common/runtime/log.h"
#include "smtpd/session/session.h"

namespace mailstead::smtpd {
namespace {

net::Task<void> serve(Worker* worker, const Profile* profile, TlsStart tls, net::Stream stream) {
    Session session(*worker, *profile, std::move(stream));
    co_await session.run(tls);
}

net::ListenerOptions listener_options(const settings::Settings& settings,
                                      const settings::Listener& listener) {
    net::ListenerOptions options;
    options.max_connections = settings.limits.connections;
    options.max_per_address = settings.limits.connections_per_address;
    if (listener.tls != settings::TlsMode::implicit) {
        // RFC 5321, 3.8: 421 may come in place of the greeting.
        options.refusal_text = [host = settings.hostname.ascii()](net::Refusal why) {
            const std::string_view text = why == net::Refusal::server_full
                                              ? "Too many connections"
                                              : "Too many connections from your address";
            return "421 4.7.0 " + host + " " + std::string(text) + ", try again later\r\n";
        };
    }
    options.on_problem = [](std::string_view problem) {
        log::warning("smtp.accept.problem", {{"why", problem}});
    };
    options.on_exception = [](const std::exception_ptr& exception) {
        log::error("smtp.session.exception", {{"what", describe(exception)}});
    };
    return options;
}

}  // namespace

std::vector<settings::Listener> our_listeners(const settings::Settings& settings) {
    return settings.listeners_of({settings::Service::smtp, settings::Service::submission});
}

Profile make_profile(const settings::Settings& settings, const settings::Listener& listener, bool has_tls) {
    Profile profile;
    profile.service =
        listener.service == settings::Service::submission ? Service::submission : Service::exchange;
    profile.hostname = settings.hostname.ascii();
    profile.offers_starttls = has_tls && listener.tls == settings::TlsMode::starttls;
    profile.tokens = settings.oauth.is_configured();
    profile.hidden = listener.hidden_capabilities;
    profile.hidden.insert(profile.hidden.end(), settings.smtp.hidden_capabilities.begin(),
                          settings.smtp.hidden_capabilities.end());
    profile.limits.body.message_octets = settings.limits.message_size;
    profile.limits.recipients = settings.limits.recipients;
    return profile;
}

Server::Server(const settings::Settings& settings, const directory::Directory& directory, Spool spool,
               std::shared_ptr<net::TlsServerContext> tls)
    : settings_(settings),
      environment_{.hostname = settings.hostname.ascii(),
                   .directory = directory,
                   .spool = std::move(spool),
                   .memory = MemoryBudget(settings.limits.memory),
                   .rate = RecipientRate(settings.limits.recipients_per_hour),
                   .tls = std::move(tls),
                   .enforce_dmarc = settings.smtp.enforce_dmarc} {}

Server::~Server() = default;

Result<void> Server::start(net::IoThreads& threads, std::vector<FileDescriptor> sockets) {
    threads_ = &threads;
    TRY_VOID(make_workers(threads));
    const auto wanted = our_listeners(settings_);
    for (std::size_t i = 0; i < wanted.size(); ++i) listen(threads, wanted[i], std::move(sockets.at(i)));
    for (const auto& worker : workers_) worker->sessions->start();
    listeners_.start();
    return {};
}

Result<void> Server::make_workers(net::IoThreads& threads) {
    dns::ResolverOptions resolver_options;
    resolver_options.trusted = settings_.dns.trusted;
    TRY(servers, runtime::addresses_of(settings_.dns.servers));
    resolver_options.servers = std::move(servers);
    for (std::size_t i = 0; i < threads.size(); ++i) {
        auto worker = std::make_unique<Worker>(threads.context(i), environment_);
        auto link = std::make_unique<IpcDeliverLink>(
            threads.context(i), ipc::deliver_client(settings_.data_dir, ipc::Role::smtpd));
        worker->sessions = std::make_unique<ipc::SessionBook>(threads.context(i), link->client());
        worker->deliver = std::move(link);
        TRY(resolver, dns::CaresResolver::create(threads.context(i), resolver_options));
        worker->resolver = std::move(resolver);
        workers_.push_back(std::move(worker));
    }
    return {};
}

void Server::listen(net::IoThreads& threads, const settings::Listener& listener, FileDescriptor socket) {
    profiles_.push_back(
        std::make_unique<Profile>(make_profile(settings_, listener, environment_.tls != nullptr)));
    const Profile* profile = profiles_.back().get();
    const TlsStart tls =
        listener.tls == settings::TlsMode::implicit ? TlsStart::at_once : TlsStart::by_command;
    auto session = [this, &threads, profile, tls](net::Stream stream) {
        // The worker of the thread that the connection was dealt to.
        std::size_t index = 0;
        while (&threads.context(index) != &stream.context()) ++index;
        return serve(workers_[index].get(), profile, tls, std::move(stream));
    };
    listeners_.add(std::make_unique<net::Listener>(
        threads, std::move(socket), listener_options(settings_, listener), std::move(session)));
}

void Server::request_stop() {
    environment_.stopping = true;
    for (const auto& worker : workers_) worker->sessions->request_stop();
    listeners_.request_stop();
}

bool Server::wait_idle(std::chrono::milliseconds at_most) {
    const auto end = std::chrono::steady_clock::now() + at_most;
    if (!listeners_.wait_idle(at_most)) return false;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        while (!background_ended(i)) {
            if (std::chrono::steady_clock::now() >= end) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }
    return true;
}

// Ends the lookups that nobody waits for; whether none is left.
bool Server::background_ended(std::size_t index) {
    std::promise<bool> ended;
    boost::asio::post(threads_->context(index), [&] {
        workers_[index]->background.abort();
        ended.set_value(workers_[index]->background.size() == 0);
    });
    return ended.get_future().get();
}

void Server::abort() {
    listeners_.abort();
}

}  // namespace mailstead::smtpd
