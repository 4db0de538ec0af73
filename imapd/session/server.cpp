#include "imapd/session/server.h"

#include <atomic>

#include "common/base/exception.h"
#include "common/base/text.h"
#include "common/net/event.h"
#include "common/runtime/log.h"
#include "imapd/pop3/session.h"
#include "imapd/session/preauth.h"
#include "imapd/session/session.h"

namespace mailstead::imapd {
namespace {

constexpr net::Timeout kShutdownTimeout{2'000};
constexpr net::Timeout kNoticeTimeout{60'000};
constexpr net::Timeout kReportPause{1'000};
constexpr std::size_t kPoolQueue = 4'096;

std::string next_session_id(char protocol) {
    static std::atomic<std::uint64_t> last{0};
    return protocol + std::to_string(++last);
}

void report(const std::exception_ptr& exception) {
    log::error("imap.session.exception", {{"what", describe(exception)}});
}

// Whether the connection is ready for the greeting.
net::Task<bool> begin(Connection& connection, const ListenerFacts& facts) {
    if (facts.encryption != Encryption::implicit) co_return true;
    const auto secured = co_await connection.start_tls(facts.tls);
    co_return secured.has_value();
}

net::Task<void> serve_pop3(Worker* worker, const ListenerFacts* facts, net::Stream stream) {
    Connection connection(std::move(stream), proto::kLimitsBeforeLogin);
    const bool begun = co_await begin(connection, *facts);
    if (!begun) co_return;
    const auto session =
        std::make_unique<pop3::Session>(connection, *worker, *worker, *facts, next_session_id('p'));
    co_await session->run();
    co_await connection.stream().shutdown(kShutdownTimeout);
}

// Until login this coroutine holds nothing that leads to a mailbox.
net::Task<void> serve(Worker* worker, const ListenerFacts* facts, net::Stream stream) {
    const std::string id = next_session_id('i');
    Connection connection(std::move(stream), proto::kLimitsBeforeLogin);
    const bool begun = co_await begin(connection, *facts);
    if (!begun) co_return;
    bool again = true;
    for (auto greeting = Preauth::Greeting::yes; again; greeting = Preauth::Greeting::no) {
        std::optional<LoggedIn> user;
        {
            Preauth preauth(connection, *worker, *facts, id, greeting);
            user = co_await preauth.run();
        }
        if (!user) break;
        Capabilities capabilities;
        capabilities.hide(facts->hidden_capabilities);
        const auto session =
            std::make_unique<Session>(connection, *worker, id, std::move(user->tag), user->account,
                                      std::move(user->login), capabilities, std::move(user->proof));
        session->client = std::move(user->client);
        again = co_await session->run();
    }
    co_await connection.stream().shutdown(kShutdownTimeout);
}

net::ListenerOptions listener_options(const settings::Settings& settings,
                                      const settings::Listener& listener) {
    net::ListenerOptions options;
    options.max_connections = settings.limits.connections;
    options.max_per_address = settings.limits.connections_per_address;
    if (listener.tls != settings::TlsMode::implicit) {
        // RFC 9051, 7.1.5; RFC 3206, 3
        const std::string bye = listener.service == settings::Service::pop3 ? "-ERR [SYS/TEMP]" : "* BYE";
        options.refusal_text = [bye](net::Refusal why) {
            return bye + (why == net::Refusal::server_full ? " Too many connections\r\n"
                                                           : " Too many connections from your address\r\n");
        };
    }
    options.on_problem = [](std::string_view problem) {
        log::warning("imap.accept.problem", {{"why", problem}});
    };
    options.on_exception = report;
    return options;
}

std::vector<std::string> hidden_of(const directory::Directory& directory, AccountId account) {
    const auto found = directory.find_account(account);
    if (!found || !*found) return {};
    return (*found)->hidden_capabilities;
}

// Of `<data>/accounts/7/index`.
std::optional<AccountId> account_below(const std::filesystem::path& data_dir,
                                       const std::filesystem::path& directory) {
    std::error_code error;
    const auto root = std::filesystem::canonical(data_dir / "accounts", error);
    const std::string name = directory.parent_path().lexically_relative(root).string();
    const auto id = text::parse_number<std::uint32_t>(name);
    return id ? std::optional(AccountId(*id)) : std::nullopt;
}

Result<std::optional<AccountId>> account_of(const directory::Directory& directory, std::string_view login) {
    TRY(found, directory.find_by_login(login));
    return found ? std::optional(found->id) : std::nullopt;
}

Result<std::optional<std::string>> address_of(const directory::Directory& directory, AccountId account) {
    TRY(found, directory.find_account(account));
    return found ? std::optional(found->login.unicode()) : std::nullopt;
}

bool is_admin(const directory::Directory& directory, AccountId account) {
    const auto found = directory.find_account(account);
    return found && *found && (*found)->is_admin;
}

}  // namespace

std::vector<settings::Listener> our_listeners(const settings::Settings& settings) {
    std::vector<settings::Listener> served = settings.listeners_of(settings::Service::imap);
    const auto pop3 = settings.listeners_of(settings::Service::pop3);
    served.insert(served.end(), pop3.begin(), pop3.end());
    return served;
}

Server::Server(const settings::Settings& settings, const directory::Directory& directory,
               std::shared_ptr<net::TlsServerContext> tls)
    : settings_(settings),
      directory_(directory),
      tls_(std::move(tls)),
      reader_(store::ReaderOptions{settings.data_dir}),
      shares_(settings.data_dir),
      pool_(0, kPoolQueue),
      shared_{.data_dir = settings.data_dir,
              .reader = reader_,
              .shares = shares_,
              .pool = pool_,
              .counts = SessionCounts(settings.limits.sessions_per_account),
              .lost_bodies = {},
              .append_limit = settings.limits.message_size,
              .fulltext = settings.imap.fulltext,
              .message_limit = settings.imap.message_limit,
              .save_limit = settings.imap.save_limit,
              .hidden_capabilities = [this](AccountId account) { return hidden_of(directory_, account); },
              .account_of = [this](std::string_view login) { return imapd::account_of(directory_, login); },
              .address_of = [this](AccountId account) { return imapd::address_of(directory_, account); },
              .is_admin = [this](AccountId account) { return is_admin(directory_, account); },
              .hostname = settings.hostname.ascii()} {}

Server::~Server() = default;

Result<void> Server::start(net::IoThreads& threads, std::vector<FileDescriptor> sockets,
                           FileDescriptor notices) {
    threads_ = &threads;
    for (std::size_t i = 0; i < threads.size(); ++i) {
        ipc::ClientOptions client = ipc::deliver_client(settings_.data_dir, ipc::Role::imapd);
        workers_.push_back(std::make_unique<Worker>(threads.context(i), shared_, std::move(client)));
    }
    tasks_ = std::make_unique<net::TaskGroup>(threads.context(0), report);
    notices_ = std::make_unique<ipc::NoticeReceiver>(threads.context(0), std::move(notices));
    tasks_->spawn(receive_notices());
    if (!faults_.empty()) tasks_->spawn(report_faults());
    const auto wanted = our_listeners(settings_);
    for (std::size_t i = 0; i < wanted.size(); ++i) listen(wanted[i], std::move(sockets.at(i)));
    for (const auto& worker : workers_) worker->book().start();
    listeners_.start();
    return {};
}

void Server::listen(const settings::Listener& listener, FileDescriptor socket) {
    auto facts = std::make_unique<ListenerFacts>();
    facts->tls = tls_;
    facts->hostname = settings_.hostname.ascii();
    facts->tokens = settings_.oauth.is_configured();
    const bool pop3 = listener.service == settings::Service::pop3;
    if (!pop3) facts->hidden_capabilities = settings_.imap.hidden_capabilities;
    facts->hidden_capabilities.insert(facts->hidden_capabilities.end(), listener.hidden_capabilities.begin(),
                                      listener.hidden_capabilities.end());
    switch (listener.tls) {
        case settings::TlsMode::implicit:
            facts->encryption = Encryption::implicit;
            break;
        case settings::TlsMode::starttls:
            facts->encryption = Encryption::starttls;
            break;
        case settings::TlsMode::none:
            facts->encryption = Encryption::none;
            break;
    }
    auto session = [this, pop3, facts = facts.get()](net::Stream stream) {
        // The worker of the thread that the connection was dealt to.
        std::size_t index = 0;
        while (&threads_->context(index) != &stream.context()) ++index;
        Worker* const worker = workers_[index].get();
        return pop3 ? serve_pop3(worker, facts, std::move(stream)) : serve(worker, facts, std::move(stream));
    };
    facts_.push_back(std::move(facts));
    listeners_.add(std::make_unique<net::Listener>(
        *threads_, std::move(socket), listener_options(settings_, listener), std::move(session)));
}

// Each notice goes to every thread: only the threads know which sessions they have.
net::Task<void> Server::receive_notices() {
    for (;;) {
        const auto received = co_await notices_->receive(kNoticeTimeout);
        if (!received && received.error().kind == net::IoFailure::timed_out) continue;
        if (!received) co_return;
        reopen_indexes(*received);
        for (std::size_t i = 0; i < workers_.size(); ++i) {
            boost::asio::post(threads_->context(i), [worker = workers_[i].get(), news = *received] {
                if (news.lost) return worker->announce_all();
                for (const ipc::ChangeNotice& notice : news.notices) worker->announce(notice);
            });
        }
    }
}

// Until deliver has heard of each.
net::Task<void> Server::report_faults() {
    for (const kv::FaultRecord& fault : faults_) {
        const auto account = account_below(settings_.data_dir, fault.directory);
        log::error("imap.died_of", {{"folder", fault.directory.string()}, {"signal", fault.signal}});
        if (!account) continue;
        const ipc::DamageReport report{*account, ipc::DamageReport::Kind::crash,
                                       "signal " + std::to_string(fault.signal)};
        for (;;) {
            const bool told = co_await workers_.front()->report(report);
            if (told) break;
            const auto slept = co_await net::sleep_for(kReportPause);
            if (!slept) co_return;
        }
    }
}

// Before the sessions hear of it, so that they look at what is there now. Opening a few files is all that the
// io thread does here.
void Server::reopen_indexes(const ipc::Received& news) {
    if (news.lost) {
        shared_.recovered = false;  // deliver may have been started anew, and recover
        reader_.renew_all();
    }
    for (const ipc::ChangeNotice& notice : news.notices) {
        using Index = ipc::ChangeNotice::Index;
        if (notice.index == Index::set_aside) {
            reader_.close(notice.account, {store::Fault::set_aside, std::string(store::kBeingRepaired)});
        } else if (notice.index == Index::replaced) {
            reader_.renew(notice.account);
        }
    }
}

void Server::request_stop() {
    listeners_.request_stop();
    for (const auto& worker : workers_) worker->book().request_stop();
    if (tasks_) boost::asio::post(threads_->context(0), [tasks = tasks_.get()] { tasks->request_stop(); });
}

bool Server::wait_idle(std::chrono::milliseconds at_most) {
    return listeners_.wait_idle(at_most);
}

void Server::abort() {
    listeners_.abort();
}

}  // namespace mailstead::imapd
