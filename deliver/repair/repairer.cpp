#include "deliver/repair/repairer.h"

#include <algorithm>
#include <future>
#include <set>
#include <sys/resource.h>
#include <system_error>

#include "common/base/text.h"
#include "common/commit/file_layer.h"
#include "common/kv/env.h"
#include "common/kv/kept_copy.h"
#include "common/queue/change.h"
#include "common/queue/rebuild.h"
#include "common/runtime/log.h"
#include "common/store/rebuild.h"
#include "deliver/local/sharing.h"
#include "deliver/repair/damaged_copies.h"

namespace mailstead::deliver {
namespace {

constexpr int kNice = 15;
constexpr unsigned kCrashesForgiven = 1;

// Engine calls that answer on the committer's thread, waited for.
template <class Call>
Result<void> wait_for(Call call) {
    auto promise = std::make_shared<std::promise<Result<void>>>();
    auto answer = promise->get_future();
    call([promise](Result<void> done) { promise->set_value(std::move(done)); });
    return answer.get();
}

std::filesystem::path folder_of(const std::filesystem::path& data_dir, AccountId account) {
    return data_dir / "accounts" / std::to_string(account.value);
}

std::vector<AccountId> accounts_below(const std::filesystem::path& data_dir) {
    std::vector<AccountId> accounts;
    std::error_code error;
    for (auto entry = std::filesystem::directory_iterator(data_dir / "accounts", error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        const auto id = text::parse_number<std::uint32_t>(entry->path().filename().string());
        if (id) accounts.emplace_back(*id);
    }
    return accounts;
}

Result<void> sync_folder(const std::filesystem::path& folder) {
    if (const int rc = commit::flush_folder(commit::FileLayer::real(), folder))
        return transient_error("cannot sync " + folder.string() + ": " + commit::errno_text(rc));
    return {};
}

Result<void> make_maildir(const std::filesystem::path& mail) {
    for (const char* folder : {"cur", "new", "tmp"}) {
        std::error_code error;
        std::filesystem::create_directories(mail / folder, error);
        if (error) return transient_error("make " + (mail / folder).string() + ": " + error.message());
    }
    return {};
}

}  // namespace

Repairer::Repairer(RepairerParts parts, const Pace& pace) : parts_(std::move(parts)), pace_(pace) {}

Repairer::~Repairer() {
    stop();
}

void Repairer::set_aside(const commit::SetAside& what) {
    log::error("repair.set_aside", {{"environment", what.environment}, {"why", what.why.what}});
    if (what.why.fault != Fault::damaged) {
        const std::lock_guard lock(mutex_);
        paused_.insert(what.environment);
        has_paused_ = true;
        return;
    }
    if (const auto account = store::account_of(what.environment)) {
        parts_.reader->close(*account, {store::Fault::set_aside, std::string(store::kBeingRepaired)});
        parts_.tell(*account, ipc::ChangeNotice::Index::set_aside);
        // Out of everybody's way at once: what is damaged may kill whoever reads it.
        if (const auto moved = move_aside(folder_of(parts_.data_dir, *account) / "index", now()); !moved)
            log::error("repair.set_aside",
                       {{"environment", what.environment}, {"failed", moved.error().what}});
    }
    {
        const std::lock_guard lock(mutex_);
        cases_.try_emplace(what.environment);
    }
    wake_.notify_all();
}

void Repairer::resume(const std::string& environment) {
    {
        const std::lock_guard lock(mutex_);
        if (paused_.erase(environment) == 0) return;
        has_paused_ = !paused_.empty();
        if (const auto account = store::account_of(environment)) resumed_.insert(*account);
    }
    wake_.notify_all();
}

void Repairer::start() {
    thread_ = std::thread([this] { run(); });
}

void Repairer::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

bool Repairer::is_stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

void Repairer::report(AccountId account, ipc::DamageReport::Kind kind, std::string_view what) {
    const std::string environment = store::environment_of(account);
    bool twice = false;
    {
        const std::lock_guard lock(mutex_);
        if (cases_.contains(environment)) return;
        const auto repaired = repaired_.find(account);
        if (repaired != repaired_.end() && Clock::now() - repaired->second < pace_.trusted) return;
        if (kind == ipc::DamageReport::Kind::crash) twice = ++crashes_[account] > kCrashesForgiven;
    }
    const auto sound = kv::check_file(folder_of(parts_.data_dir, account) / "index", true);
    if (sound && !twice) {
        log::warning("repair.reported",
                     {{"account", account.value}, {"what", what}, {"found", "nothing wrong"}});
        return;
    }
    const Error why = sound ? transient_error("imapd died of it: " + std::string(what)) : sound.error();
    parts_.engine->set_aside(environment, why, [account](Result<void> done) {
        if (!done)
            log::error("repair.set_aside", {{"account", account.value}, {"failed", done.error().what}});
    });
}

void Repairer::rebuild_shares() {
    {
        const std::lock_guard lock(mutex_);
        shares_wanted_ = true;
    }
    wake_.notify_all();
}

std::vector<ipc::Repair> Repairer::list() const {
    std::vector<ipc::Repair> all;
    for (const commit::SetAside& aside : parts_.engine->set_aside())
        all.push_back({aside.environment, {}, aside.why.what, aside.since, 0, 0, {}});
    const std::lock_guard lock(mutex_);
    for (ipc::Repair& repair : all) {
        const auto known = cases_.find(repair.environment);
        if (known == cases_.end()) continue;
        repair.percent = known->second.percent;
        repair.failures = known->second.failures;
        repair.last_failure = known->second.last_failure;
    }
    return all;
}

std::string Repairer::explain(AccountId account) {
    std::optional<unsigned> percent;
    {
        const std::lock_guard lock(mutex_);
        const auto found = cases_.find(store::environment_of(account));
        if (found != cases_.end()) {
            found->second.asked = Clock::now();
            percent = found->second.percent;
        }
    }
    if (!percent || *percent == 0) return std::string(store::kBeingRepaired);
    return "Your mailbox is being repaired (" + std::to_string(*percent) +
           " %). Nothing is lost; please try again in a minute";
}

// What to do now; nullopt: nothing before `wake`.
std::optional<std::string> Repairer::next(Clock::time_point& wake) const {
    const auto now = Clock::now();
    const std::string* best = nullptr;
    Clock::time_point best_asked{};
    for (const auto& [environment, each] : cases_) {
        if (each.not_before > now) {
            wake = std::min(wake, each.not_before);
            continue;
        }
        // Everyone's mail waits for the queue and the shares.
        const auto asked = store::account_of(environment) ? each.asked : Clock::time_point::max();
        if (best != nullptr && asked <= best_asked) continue;
        best = &environment;
        best_asked = asked;
    }
    return best != nullptr ? std::optional(*best) : std::nullopt;
}

void Repairer::run() {
    // Of this thread alone, on Linux.
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
    auto copies_at = Clock::now();
    auto patrol_at = Clock::now() + pace_.patrol;
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        auto wake = std::min(copies_at, patrol_at);
        if (const auto environment = next(wake)) {
            lock.unlock();
            repair(*environment);
            lock.lock();
        } else if (!resumed_.empty()) {
            const AccountId account = *resumed_.begin();
            resumed_.erase(account);
            lock.unlock();
            parts_.account_is_back(account);
            lock.lock();
        } else if (std::exchange(shares_wanted_, false)) {
            lock.unlock();
            if (const auto noted = note_all_shares(); !noted)
                log::warning("repair.shares", {{"failed", noted.error().what}});
            lock.lock();
        } else if (Clock::now() >= patrol_at) {
            lock.unlock();
            patrol();
            lock.lock();
            patrol_at = Clock::now() + pace_.patrol;
        } else if (Clock::now() >= copies_at) {
            copies_at = Clock::now() + pace_.copies;
            lock.unlock();
            refresh_copies();
            lock.lock();
        } else {
            wake_.wait_until(lock, wake);
        }
    }
}

// They are kept after each change; this is for what changed without one (the last use of an app password),
// for copies that failed, and for data folders from before there were any.
void Repairer::refresh_copies() {
    for (const char* folder : {"directory", "credentials"}) {
        if (const auto kept = kv::refresh_copy(parts_.data_dir / folder); !kept)
            log::warning("directory.copy", {{"folder", folder}, {"failed", kept.error().what}});
    }
}

// Damage that nobody has met yet: a file that was deleted goes on being written to, and one that was cut
// short kills whoever touches it next.
void Repairer::patrol() {
    for (const auto& [account, why] : parts_.reader->find_damaged())
        set_aside_now(store::environment_of(account), permanent_error(why.what, Fault::damaged));
    for (const char* environment : {"queue", "ledger", "shares"}) {
        const auto sound = kv::check_file(parts_.data_dir / environment, true);
        if (!sound && sound.error().fault == Fault::damaged) set_aside_now(environment, sound.error());
    }
    for (const char* folder : {"directory", "credentials"}) {
        const auto sound = kv::check_file(parts_.data_dir / folder, true);
        if (sound || sound.error().fault != Fault::damaged) continue;
        kv::EnvOptions options;
        options.access = kv::Access::durable_writer;
        // Everyone who has the damaged file open finds the new one within a second.
        const auto restored =
            kv::open_with_copy(parts_.data_dir / folder, options, [](std::string_view what) {
                log::error("directory.restored", {{"what", what}});
            });
        if (!restored) log::error("directory.damaged", {{"why", restored.error().what}});
    }
}

// Waits, so that the next patrol does not come before it is done.
void Repairer::set_aside_now(const std::string& environment, Error why) {
    {
        const std::lock_guard lock(mutex_);
        if (cases_.contains(environment)) return;
    }
    const auto done = wait_for(
        [&](auto answer) { parts_.engine->set_aside(environment, std::move(why), std::move(answer)); });
    if (!done) log::error("repair.set_aside", {{"environment", environment}, {"failed", done.error().what}});
}

void Repairer::repair(const std::string& environment) {
    log::info("repair.begins", {{"environment", environment}});
    const auto begun = Clock::now();
    progress(environment, 0, 1);
    const auto done = repair_one(environment);
    const std::lock_guard lock(mutex_);
    if (done) {
        cases_.erase(environment);
        if (const auto account = store::account_of(environment)) repaired_[*account] = Clock::now();
        const auto took = std::chrono::duration_cast<Milliseconds>(Clock::now() - begun);
        log::info("repair.done", {{"environment", environment}, {"ms", took.count()}});
        return;
    }
    if (stopping_) return;
    Case& failed = cases_[environment];
    ++failed.failures;
    failed.last_failure = done.error().what;
    const unsigned doublings = std::min(failed.failures - 1, 16u);
    const auto pause = std::min(pace_.longest_retry, pace_.first_retry * (1 << doublings));
    failed.not_before = Clock::now() + pause;
    log::error("repair.failed", {{"environment", environment},
                                 {"why", done.error().what},
                                 {"again_in_seconds", pause.count() / 1000}});
}

Result<void> Repairer::repair_one(const std::string& environment) {
    if (const auto account = store::account_of(environment)) return repair_account(*account);
    if (environment == queue::kQueueEnvironment) return repair_queue();
    if (environment == store::kSharesEnvironment) return repair_shares();
    return readmit(environment);
}

Result<void> Repairer::readmit(const std::string& environment) {
    return wait_for([&](auto done) { parts_.engine->readmit(environment, std::move(done)); });
}

Result<void> Repairer::repair_account(AccountId account) {
    const std::filesystem::path folder = folder_of(parts_.data_dir, account);
    const std::string environment = store::environment_of(account);
    TRY_VOID(move_aside(folder / "index", now()));
    TRY_VOID(make_maildir(folder / "mail"));
    const auto report =
        store::rebuild_index(parts_.data_dir, account, now(), [&](std::uint64_t done, std::uint64_t of) {
            progress(environment, done, of);
            return !is_stopping();
        });
    if (!report) return store::to_error(report.error());
    // The engine lets go of what it is owed once it has this one.
    TRY_VOID(sync_folder(folder));
    TRY_VOID(readmit(environment));
    parts_.reader->renew(account);
    parts_.tell(account, ipc::ChangeNotice::Index::replaced);
    parts_.account_is_back(account);
    log::info("repair.account", {{"account", account.value},
                                 {"mailboxes", report->mailboxes},
                                 {"messages", report->messages},
                                 {"damaged", report->damaged},
                                 {"adopted", report->adopted},
                                 {"skipped", report->skipped},
                                 {"had_list", report->had_sidecar}});
    for (const std::string& problem : report->problems)
        log::warning("repair.account", {{"account", account.value}, {"problem", problem}});
    return {};
}

Result<void> Repairer::repair_queue() {
    parts_.queue->close();
    TRY(report, queue::rebuild_queue(parts_.data_dir, now()));
    TRY_VOID(readmit(std::string(queue::kQueueEnvironment)));
    log::info("repair.queue", {{"entries", report.entries}, {"damaged", report.damaged}});
    parts_.queue_is_back();
    return {};
}

Result<void> Repairer::repair_shares() {
    parts_.shares->close();
    TRY_VOID(move_aside(parts_.data_dir / "shares", now()));
    TRY_VOID(readmit(std::string(store::kSharesEnvironment)));
    return note_all_shares();
}

// The access lists in the accounts' indexes are the truth.
Result<void> Repairer::note_all_shares() {
    std::size_t noted = 0;
    for (const AccountId owner : accounts_below(parts_.data_dir)) {
        if (is_stopping()) return transient_error("stopping");
        auto opened = parts_.reader->open(owner);
        if (!opened) continue;
        const auto grantees = [&]() -> store::Outcome<std::set<AccountId>> {
            std::set<AccountId> with;
            TRY(snapshot, opened->snapshot());
            TRY(mailboxes, snapshot.mailboxes());
            for (const store::MailboxInfo& mailbox : mailboxes) {
                TRY(lines, snapshot.acl(mailbox.id));
                for (const store::AclEntry& line : lines) {
                    if (!line.negative && !line.rights.empty()) with.insert(line.who);
                }
            }
            return with;
        }();
        if (!grantees) continue;
        for (const AccountId with : *grantees) {
            commit::Transaction transaction;
            transaction.parts.push_back(part(store::NoteShare{owner, with}));
            const auto outcome = parts_.engine->submit_and_wait(std::move(transaction));
            if (!outcome.front().result) return outcome.front().result.error();
            ++noted;
        }
    }
    log::info("repair.shares", {{"noted", noted}});
    return {};
}

void Repairer::progress(const std::string& environment, std::uint64_t done, std::uint64_t total) {
    const std::lock_guard lock(mutex_);
    const auto found = cases_.find(environment);
    if (found == cases_.end()) return;
    found->second.percent =
        static_cast<std::uint8_t>(total == 0 ? 0 : std::min<std::uint64_t>(99, 100 * done / total));
}

}  // namespace mailstead::deliver
