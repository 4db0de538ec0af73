#include "deliver/service.h"

#include <algorithm>
#include <filesystem>
#include <future>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include <boost/asio/post.hpp>

#include "common/backup/format.h"
#include "common/commit/engine.h"
#include "common/dns/cares_resolver.h"
#include "common/ipc/channel.h"
#include "common/ipc/notices.h"
#include "common/ledger/ledger.h"
#include "common/net/task_group.h"
#include "common/queue/change.h"
#include "common/queue/participant.h"
#include "common/runtime/addresses.h"
#include "common/runtime/log.h"
#include "common/store/accounts.h"
#include "common/store/shares.h"
#include "deliver/intake/intake.h"
#include "deliver/local/backup_hold.h"
#include "deliver/local/housekeeper.h"
#include "deliver/local/removals.h"
#include "deliver/local/sharing.h"
#include "deliver/local/text_indexer.h"
#include "deliver/queue/runner.h"
#include "deliver/repair/culprits.h"
#include "deliver/repair/repairer.h"

namespace mailstead::deliver {
namespace {

constexpr std::size_t kPoolQueue = 10'000;

QueueLimits limits_of(const settings::Settings& settings) {
    return {settings.relay.retry_lifetime, settings.relay.delay_notice, settings.limits.queue_messages};
}

Result<dns::ResolverOptions> resolver_options(const settings::Settings& settings) {
    dns::ResolverOptions options;
    options.trusted = settings.dns.trusted;
    TRY(servers, runtime::addresses_of(settings.dns.servers));
    options.servers = std::move(servers);
    return options;
}

commit::EngineOptions engine_options(const settings::Settings& settings) {
    commit::EngineOptions options;
    options.root = settings.data_dir;
    options.reserved_space = settings.limits.free_space;
    options.log = [](std::string_view line) { log::warning("engine", {{"what", line}}); };
    return options;
}

void say_restored(std::string_view what) {
    log::error("directory.restored", {{"what", what}});
}

commit::Part deposit_for_recipient(const ipc::Recipient& recipient, const std::string& fetch_cache,
                                   std::uint64_t size, std::uint32_t file, Time at, bool ignore_quota) {
    const auto& local = std::get<ipc::Local>(recipient.target);
    return deposit_part(local.account, {fetch_cache, size, file, at, false, ignore_quota});
}

// An app password let somebody in: a flush, which no login waits for.
class NoteUse final : public runtime::OffloadPool::Job {
public:
    NoteUse(directory::CredentialsRecorder& recorder, AccountId account, std::string name)
        : recorder_(recorder), account_(account), name_(std::move(name)) {}
    void run() noexcept override {
        const auto noted = recorder_.note_app_password_use(account_, name_, now());
        if (!noted) log::warning("auth.app_password.use", {{"why", noted.error().what}});
    }

private:
    directory::CredentialsRecorder& recorder_;
    AccountId account_;
    std::string name_;
};

}  // namespace

struct Service::Parts {
    Parts(const settings::Settings& given, const std::optional<runtime::Users>& daemons)
        : settings(given),
          users(daemons),
          accounts(
              [](std::string_view line) {
                  log::warning("store", {{"what", line}});
              },
              given.data_dir),
          queue_participant([this](QueueId id, const auto& entry) { queue_changed(id, entry); },
                            given.data_dir) {}

    void queue_changed(QueueId id, const std::optional<queue::QueueEntry>& entry) {
        const std::lock_guard lock(runner_mutex);
        if (runner) runner->changed(id, entry);
    }
    void committed(std::span<const std::string> environments);
    void make_repairer();
    void account_is_back(AccountId account);
    void queue_is_back();
    Result<void> begin_environments();
    Result<void> start_engine();
    Result<void> start_queue(net::IoThreads& threads);
    Result<void> start_intake(net::IoThreads& threads, std::vector<FileDescriptor> sockets);
    Result<void> listen(net::IoThreads& threads, ipc::Role role, FileDescriptor socket);
    std::uint64_t refusals() const;
    std::vector<uid_t> peers_of(ipc::Role role) const;

    const settings::Settings& settings;
    const std::optional<runtime::Users> users;  // the daemons', where they are different ones
    std::unique_ptr<directory::Editor> directory;
    std::unique_ptr<directory::CredentialsRecorder> credentials;
    std::unique_ptr<directory::Authenticator> authenticator;
    std::optional<runtime::OffloadPool> pool;
    std::optional<runtime::FairPool> auth_pool;
    std::optional<ipc::NoticeSender> notices;

    store::SharesParticipant shares_participant;
    store::Accounts accounts;
    queue::QueueParticipant queue_participant;
    ledger::LedgerParticipant ledger_participant;
    std::optional<commit::Engine> engine;
    std::optional<store::Reader> reader;
    std::optional<store::SharesReader> shares;
    std::optional<queue::QueueReader> queue_reader;
    std::optional<Repairer> repairer;
    std::optional<Housekeeper> housekeeper;
    std::optional<TextIndexer> text_indexer;
    std::optional<Removals> removals;
    std::optional<BackupHold> backup_hold;
    std::optional<Quotas> quotas;
    std::optional<Reporter> reporter;

    std::unique_ptr<dns::CaresResolver> resolver;
    std::optional<Signer> signer;
    std::optional<Relay> relay;
    std::mutex runner_mutex;
    std::optional<QueueRunner> runner;
    std::unique_ptr<net::TaskGroup> queue_tasks;
    std::future<void> queue_ended;
    boost::asio::io_context* queue_context = nullptr;

    std::unique_ptr<TokenService> tokens;
    std::optional<SessionHub> sessions;
    std::optional<AuthService> auth;
    std::optional<Intake> intake;
    std::vector<std::unique_ptr<ipc::Server>> servers;  // of each role
};

// On the committer's thread, after each batch.
void Service::Parts::committed(std::span<const std::string> environments) {
    std::vector<ipc::ChangeNotice> changed;
    for (const std::string& environment : environments) {
        if (repairer) repairer->committed(environment);
        const auto account = store::account_of(environment);
        if (!account) continue;
        auto what = accounts.take_changed(*account);
        if (what.visible) changed.push_back({*account, std::move(what.mailboxes), {}});
        if (housekeeper) housekeeper->changed(*account);
        if (text_indexer) text_indexer->changed(*account);
    }
    if (!changed.empty()) notices->send(changed);
}

Result<void> Service::Parts::start_engine() {
    commit::EngineOptions options = engine_options(settings);
    options.on_committed = [this](std::span<const std::string> environments) { committed(environments); };
    notices.emplace((ipc::run_folder(settings.data_dir, ipc::Role::imapd) / "notify").string());
    store::ReaderOptions beside;
    beside.root = settings.data_dir;
    beside.beside_engine = true;
    reader.emplace(beside);
    options.on_set_aside = [this](const commit::SetAside& what) { repairer->set_aside(what); };
    engine.emplace(std::move(options));
    shares.emplace(settings.data_dir);
    queue_reader.emplace(settings.data_dir);
    make_repairer();
    engine->add("account", accounts);
    engine->add("queue", queue_participant);
    engine->add("ledger", ledger_participant);
    engine->add("shares", shares_participant);
    housekeeper.emplace(settings.data_dir, *engine, *reader,
                        HousekeeperOptions{settings.limits.keep_deleted, settings.limits.free_space});
    if (settings.imap.fulltext) text_indexer.emplace(settings.data_dir, *reader);
    // Before the engine makes it where it is missing.
    std::error_code error;
    const auto shares_size = std::filesystem::file_size(settings.data_dir / "shares/data.mdb", error);
    const bool shares_were_there = !error && shares_size != 0;
    TRY(report, engine->start());
    log::info("engine.recovered", {{"was_clean", report.was_clean},
                                   {"batches", report.batches_found},
                                   {"applied", report.changes_applied},
                                   {"files_restored", report.files_restored},
                                   {"set_aside", report.set_aside.size()}});
    TRY_VOID(begin_environments());
    if (!shares_were_there) repairer->rebuild_shares();
    // Readers that knew the indexes before this start may hold files that are no longer there.
    notices->send_started();
    repairer->start();
    housekeeper->start();
    removals.emplace(
        Removals::Parts{&*engine, &*reader, directory.get(), credentials.get(), settings.data_dir});
    removals->start();
    backup_hold.emplace(
        BackupHold::Parts{&*engine, directory.get(), credentials.get(), &*housekeeper, &*removals});
    backup_hold->start();
    if (text_indexer) text_indexer->start();
    return {};
}

// The queue, the ledger and the table of shares exist from the first start on, for those who only read them.
Result<void> Service::Parts::begin_environments() {
    commit::Transaction touch;
    touch.atomicity = commit::Atomicity::each_alone;
    touch.parts.push_back(
        {std::string(queue::kQueueEnvironment), queue::encode(queue::QueueChange(queue::Record{})), {}});
    touch.parts.push_back(ledger::part({}));
    touch.parts.push_back(part(store::NoteShare{}));
    for (auto& outcome : engine->submit_and_wait(std::move(touch))) {
        // Neither damage nor a full disk keeps from starting what can be done without.
        if (!outcome.result && outcome.result.error().fault == Fault::none) return outcome.result.error();
    }
    // Open as long as deliver runs, so that the engine and this reader share one environment.
    (void)shares->sharers(store::kAnyone);
    return {};
}

void Service::Parts::make_repairer() {
    RepairerParts parts;
    parts.data_dir = settings.data_dir;
    parts.engine = &*engine;
    parts.reader = &*reader;
    parts.shares = &*shares;
    parts.queue = &*queue_reader;
    parts.tell = [this](AccountId account, ipc::ChangeNotice::Index index) {
        const ipc::ChangeNotice notice{account, {}, {}, index};
        notices->send(std::span(&notice, 1));
    };
    parts.account_is_back = [this](AccountId account) { account_is_back(account); };
    parts.queue_is_back = [this] { queue_is_back(); };
    repairer.emplace(std::move(parts));
}

void Service::Parts::account_is_back(AccountId account) {
    if (housekeeper) housekeeper->changed(account);
    if (text_indexer) text_indexer->changed(account);
    // What came for it meanwhile waits in the queue.
    queue::Control retry{ipc::QueueCommand::Op::retry, ipc::QueueCommand::ToDomain{"local"}, now()};
    commit::Transaction transaction;
    transaction.parts.push_back(
        {std::string(queue::kQueueEnvironment), queue::encode(queue::QueueChange(std::move(retry))), {}});
    engine->submit(std::move(transaction), [](const commit::Outcome&) {});
}

void Service::Parts::queue_is_back() {
    const std::lock_guard lock(runner_mutex);
    if (runner) runner->load_again();
}

Result<void> Service::Parts::start_queue(net::IoThreads& threads) {
    queue_context = &threads.context(0);
    TRY(dns_options, resolver_options(settings));
    TRY(made, dns::CaresResolver::create(*queue_context, std::move(dns_options)));
    resolver = std::move(made);
    net::TlsClientOptions tls_options;
    tls_options.ca_file = settings.relay.ca_file.string();
    TRY(tls, net::TlsClientContext::load(tls_options));
    signer.emplace(*credentials);
    relay.emplace(RelayParts{&settings, resolver.get(), &*signer, std::move(tls)});

    RunnerParts parts;
    parts.engine = &*engine;
    parts.reader = &*queue_reader;
    parts.relay = &*relay;
    parts.reporter = &*reporter;
    parts.deposit = deposit_for_recipient;
    parts.ledger = [](const ipc::LedgerLine& line) { return ledger::part({line}); };
    parts.pool = &*pool;
    parts.data_dir = settings.data_dir;
    parts.limits = {settings.relay.connections, settings.relay.connections_per_destination};
    {
        const std::lock_guard lock(runner_mutex);
        runner.emplace(*queue_context, std::move(parts));
    }
    // A queue that is being repaired is loaded when it is back.
    if (const auto loaded = runner->load(); !loaded)
        log::error("queue.load", {{"failed", loaded.error().what}});
    queue_tasks = std::make_unique<net::TaskGroup>(*queue_context);
    auto run = [](QueueRunner* works, std::shared_ptr<std::promise<void>> ended) -> net::Task<void> {
        co_await works->run();
        ended->set_value();
    };
    auto ended = std::make_shared<std::promise<void>>();
    queue_ended = ended->get_future();
    queue_tasks->spawn(run(&*runner, ended));
    return {};
}

Result<void> Service::Parts::start_intake(net::IoThreads& threads, std::vector<FileDescriptor> sockets) {
    if (tokens) tokens->start();
    sessions.emplace(*authenticator, *pool);
    auth.emplace(*authenticator, *auth_pool, tokens.get(), [this] { return sessions->epoch(); });
    IntakeParts parts;
    parts.engine = &*engine;
    parts.auth = &*auth;
    parts.sessions = &*sessions;
    parts.quotas = &*quotas;
    parts.directory = directory.get();
    parts.reporter = &*reporter;
    parts.removals = &*removals;
    parts.data_dir = settings.data_dir;
    parts.backup = &*backup_hold;
    parts.shares = &*shares;
    parts.queue = &*queue_reader;
    parts.repairer = &*repairer;
    parts.pool = &*pool;
    parts.data_dir = settings.data_dir;
    parts.limits = limits_of(settings);
    parts.refusals = [this] { return refusals(); };
    // Beside the trace fields that smtpd puts on top.
    constexpr std::uint64_t kTraceFields = 1 << 20;
    TRY(places, MessageBytes::Places::open(settings.data_dir, settings.limits.message_size + kTraceFields));
    intake.emplace(std::move(parts), std::move(places));
    for (const ipc::Role role : ipc::kRoles)
        TRY_VOID(listen(threads, role, std::move(sockets.at(static_cast<std::size_t>(role)))));
    for (const auto& server : servers) server->start();
    return {};
}

Result<void> Service::Parts::listen(net::IoThreads& threads, ipc::Role role, FileDescriptor socket) {
    ipc::ServerOptions options;
    options.program = "deliver";
    options.role = role;
    TRY(key, ipc::make_key(settings.data_dir, role));
    options.key = std::move(key);
    options.allowed_users = peers_of(role);
    options.limits.max_frame = std::size_t{8} << 20;  // changes name message sets of any shape
    options.on_problem = [](std::string_view problem) { log::warning("ipc.problem", {{"what", problem}}); };
    auto handle = [this](ipc::Message request, const ipc::PeerInfo& peer) {
        return intake->handle(std::move(request), peer);
    };
    auto server = std::make_unique<ipc::Server>(threads, std::move(socket), std::move(options), handle);
    server->on_gone([this](const ipc::PeerInfo& peer) { intake->forget(peer.connection); });
    server->on_disconnect([this](const ipc::PeerInfo& peer) { intake->forget(peer.connection); });
    servers.push_back(std::move(server));
    return {};
}

std::uint64_t Service::Parts::refusals() const {
    std::uint64_t sum = 0;
    for (const auto& server : servers) sum += server->refusals();
    return sum;
}

// Besides deliver's own user and root.
std::vector<uid_t> Service::Parts::peers_of(ipc::Role role) const {
    if (!users || role == ipc::Role::admin) return {};
    return {role == ipc::Role::smtpd ? users->smtpd : users->imapd};
}

Service::Service(const settings::Settings& settings, const std::optional<runtime::Users>& users)
    : parts_(std::make_unique<Parts>(settings, users)) {}
Service::~Service() = default;

Result<void> Service::open() {
    TRY(older, backup::settle_format(parts_->settings.data_dir));
    if (older) {
        log::warning("format.migrated",
                     {{"from", *older}, {"to", backup::kFormat}, {"back", "mailstead rollback"}});
    }
    if (const auto settled = settle_faults(parts_->settings.data_dir, now()); !settled)
        log::warning("repair.faults", {{"failed", settled.error().what}});
    TRY(directory, directory::edit_directory(parts_->settings.data_dir, say_restored));
    parts_->directory = std::move(directory);
    TRY(credentials, directory::open_credentials_recorder(parts_->settings.data_dir, say_restored));
    parts_->credentials = std::move(credentials);
    auto note_use = [parts = parts_.get()](AccountId account, const std::string& name) {
        std::unique_ptr<runtime::OffloadPool::Job> job =
            std::make_unique<NoteUse>(*parts->credentials, account, name);
        parts->pool->submit(job);  // the next login tries again when there is no room
    };
    parts_->authenticator =
        std::make_unique<directory::Authenticator>(*parts_->directory, *parts_->credentials, note_use);
    if (!parts_->settings.oauth.introspection_url.empty()) {
        TRY(resolver, resolver_options(parts_->settings));
        TRY(tokens, TokenService::open(parts_->settings, std::move(resolver), *parts_->directory));
        parts_->tokens = std::move(tokens);
    }
    return {};
}

Result<void> Service::start(net::IoThreads& threads, std::vector<FileDescriptor> sockets) {
    Parts& p = *parts_;
    p.pool.emplace(0, kPoolQueue);
    p.auth_pool.emplace(runtime::FairPool::Options());  // an Argon2 run takes 19 MiB: at most 16 at a time
    TRY_VOID(p.start_engine());
    p.quotas.emplace(*p.directory, *p.reader);
    p.reporter.emplace(ReporterParts{p.settings.data_dir, p.settings.hostname.ascii(), p.directory.get(),
                                     deposit_for_recipient, limits_of(p.settings)});
    TRY_VOID(p.start_queue(threads));
    return p.start_intake(threads, std::move(sockets));
}

void Service::request_stop() {
    for (const auto& server : parts_->servers) server->request_stop();
    if (parts_->sessions) parts_->sessions->request_stop();
    if (parts_->auth) parts_->auth->request_stop();
    if (!parts_->queue_context || !parts_->queue_tasks) return;
    boost::asio::post(*parts_->queue_context, [this] { parts_->queue_tasks->request_stop(); });
}

bool Service::wait_idle(std::chrono::milliseconds at_most) {
    const auto until = std::chrono::steady_clock::now() + at_most;
    for (const auto& server : parts_->servers) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (!server->wait_idle(std::max(left, std::chrono::milliseconds(0)))) return false;
    }
    if (!parts_->queue_tasks) return true;
    // Attempts in hand come to their end, so that nothing which a remote took is sent to it again.
    return parts_->queue_ended.wait_until(until) == std::future_status::ready;
}

void Service::abort() {
    for (const auto& server : parts_->servers) server->abort();
    if (parts_->queue_context && parts_->queue_tasks) {
        boost::asio::post(*parts_->queue_context, [this] { parts_->queue_tasks->abort(); });
    }
}

void Service::close() {
    if (parts_->text_indexer) parts_->text_indexer->stop();
    if (parts_->repairer) parts_->repairer->stop();
    if (parts_->backup_hold) parts_->backup_hold->stop();
    if (parts_->removals) parts_->removals->stop();
    if (parts_->housekeeper) parts_->housekeeper->stop();
    if (parts_->engine) parts_->engine->stop();
}

}  // namespace mailstead::deliver
