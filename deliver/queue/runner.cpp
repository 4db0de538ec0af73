#include "deliver/queue/runner.h"

#include <fcntl.h>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

#include "common/queue/change.h"
#include "common/runtime/log.h"
#include "common/store/fetch_cache.h"
#include "deliver/local/deposit.h"
#include "deliver/queue/retry.h"
#include "deliver/submit.h"

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;

constexpr auto kIdleConnection = 5s;
constexpr auto kLongestSleep = 60s;
constexpr auto kEngineRetry = 5s;
constexpr std::size_t kOriginalForReports = smtp::kDsnFullLimit;

double chance() {
    thread_local std::minstd_rand generator{std::random_device{}()};
    return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

FileDescriptor open_spooled(const std::filesystem::path& data_dir, QueueId id) {
    return FileDescriptor(::open((data_dir / queue::spool_path(id)).c_str(), O_RDONLY | O_CLOEXEC));
}

// The file of a queued message as an attempt finds it.
struct Spooled {
    FileDescriptor file;       // open only when it is whole
    RecipientVerdict verdict;  // what to say of it otherwise
};
Spooled take_spooled(const std::filesystem::path& data_dir, const queue::QueueEntry& entry) {
    Spooled spooled;
    spooled.file = open_spooled(data_dir, entry.id);
    struct stat facts {};
    const bool is_there = spooled.file && ::fstat(spooled.file.get(), &facts) == 0;
    const bool is_lost = !spooled.file && errno == ENOENT;
    if (is_there && static_cast<std::uint64_t>(facts.st_size) == entry.size) return spooled;
    spooled.file.reset();
    if (is_there || is_lost) {
        // It does not come back: its sender should hear of it now rather than in some days.
        log::error("queue.message.lost", {{"id", entry.trace_id},
                                          {"queue_id", entry.id.value},
                                          {"file", is_lost ? "missing" : "of another size"}});
        spooled.verdict = {
            Verdict::permanent, {5, 3, 0}, "the message was lost on this host while it waited"};
    } else {
        spooled.verdict = {Verdict::transient, {4, 3, 0}, "the queued message cannot be opened"};
    }
    return spooled;
}

std::string read_start(int descriptor, std::uint64_t size) {
    std::string bytes(static_cast<std::size_t>(size), '\0');
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const ssize_t count =
            ::pread(descriptor, bytes.data() + filled, bytes.size() - filled, static_cast<off_t>(filled));
        if (count <= 0) break;
        filled += static_cast<std::size_t>(count);
    }
    bytes.resize(filled);
    return bytes;
}

std::string_view stage_of(const queue::Progress& progress) {
    switch (progress.state) {
        case queue::RecipientState::waiting:
            return "relay.deferred";
        case queue::RecipientState::delivered:
            return "relay.delivered";
        case queue::RecipientState::failed:
            return "relay.failed";
        case queue::RecipientState::expired:
            return "relay.expired";
        case queue::RecipientState::removed:
            return "relay.removed";
    }
    return "relay";
}

ipc::LedgerLine ledger_line(const queue::QueueEntry& entry, std::uint32_t recipient,
                            const queue::Progress& progress, const Attempt& attempt, Time at) {
    ipc::LedgerLine line;
    line.trace_id = entry.trace_id;
    line.time = at;
    line.stage = stage_of(progress);
    line.fields = {{"to", entry.recipients[recipient].recipient.address.to_string()},
                   {"attempt", std::to_string(progress.attempts)},
                   {"reply", progress.last_reply}};
    if (!attempt.host.empty()) line.fields.emplace_back("host", attempt.host);
    if (!attempt.tls.empty()) line.fields.emplace_back("tls", attempt.tls);
    if (progress.state == queue::RecipientState::waiting)
        line.fields.emplace_back("next", to_rfc3339(progress.next_attempt));
    return line;
}

std::optional<Happening> happening_of(const queue::QueueEntry& entry, std::uint32_t recipient,
                                      const queue::Progress& now, const RecipientVerdict& verdict,
                                      const Attempt& attempt, Time at) {
    switch (now.state) {
        case queue::RecipientState::failed:
            return Happening{recipient, smtp::DsnAction::failed, verdict.status};
        // RFC 3464, 2.3.4 with RFC 3463, 3.5: delivery time expired.
        case queue::RecipientState::expired:
            return Happening{recipient, smtp::DsnAction::failed, {5, 4, 7}};
        case queue::RecipientState::delivered:
            // A server that takes DSN requests reports by itself (RFC 3461, 5.2.2); others end the trail
            // here.
            if (attempt.dsn_passed_on) return std::nullopt;
            return Happening{
                recipient, attempt.local ? smtp::DsnAction::delivered : smtp::DsnAction::relayed, {2, 0, 0}};
        case queue::RecipientState::waiting:
            if (at < entry.delay_notice || now.delay_reported) return std::nullopt;
            return Happening{recipient, smtp::DsnAction::delayed, verdict.status};
        case queue::RecipientState::removed:
            break;
    }
    return std::nullopt;
}

}  // namespace

queue::Progress progress_after(const queue::QueueEntry& entry, const queue::Progress& before,
                               const RecipientVerdict& verdict, const std::string& host, Time at,
                               double spread) {
    queue::Progress after = before;
    ++after.attempts;
    after.last_attempt = at;
    after.last_host = host;
    after.last_reply = verdict.text;
    if (verdict.verdict == Verdict::delivered) {
        after.state = queue::RecipientState::delivered;
    } else if (verdict.verdict == Verdict::permanent) {
        after.state = queue::RecipientState::failed;
    } else {
        after.next_attempt = at + retry_delay(after.attempts, spread);
        if (after.next_attempt >= entry.expires) after.state = queue::RecipientState::expired;
    }
    return after;
}

QueueRunner::QueueRunner(boost::asio::io_context& context, RunnerParts parts)
    : context_(context),
      parts_(std::move(parts)),
      schedule_(parts_.limits),
      wake_(context),
      attempts_(context) {}

QueueRunner::~QueueRunner() = default;

void QueueRunner::load_again() {
    boost::asio::post(context_, [this] {
        if (const auto loaded = load(); !loaded) log::error("queue.load", {{"failed", loaded.error().what}});
        wake_.notify();
    });
}

Result<void> QueueRunner::load() {
    TRY(damaged, parts_.reader->for_each([this](const queue::QueueEntry& entry) {
        schedule_.update(entry);
        return true;
    }));
    if (damaged > 0) log::error("queue.damaged", {{"entries", damaged}});
    log::info("queue.loaded", {{"jobs", schedule_.waiting()}});
    return {};
}

void QueueRunner::changed(QueueId id, const std::optional<queue::QueueEntry>& entry) {
    boost::asio::post(context_, [this, id, entry] {
        if (entry) {
            schedule_.update(*entry);
        } else {
            schedule_.erase(id);
        }
        wake_.notify();
    });
}

net::Task<void> QueueRunner::run() {
    while (!co_await net::stop_requested()) {
        for (Job& job : schedule_.take_due(now())) attempts_.spawn(attempt(std::move(job)));
        Milliseconds sleep =
            schedule_.running() > 0 ? Milliseconds(kIdleConnection) : Milliseconds(kLongestSleep);
        if (const auto next = schedule_.next_due()) sleep = std::clamp(*next - now(), Milliseconds{1}, sleep);
        const auto woken = co_await wake_.wait(sleep);
        if (!woken && woken.error().kind == net::IoFailure::cancelled) break;
        co_await parts_.relay->close_idle(kIdleConnection);
    }
    attempts_.request_stop();
    co_await attempts_.wait();
    co_await parts_.relay->close_idle(Milliseconds::zero());
}

std::vector<std::uint32_t> QueueRunner::due_recipients(const queue::QueueEntry& entry,
                                                       const std::string& destination, Time at) const {
    std::vector<std::uint32_t> due;
    for (std::uint32_t i = 0; i < entry.recipients.size(); ++i) {
        const auto& each = entry.recipients[i];
        const bool waits = !queue::is_final(each.progress.state) && each.progress.next_attempt <= at;
        if (waits && queue::destination_of(each.recipient) == destination) due.push_back(i);
    }
    return due;
}

net::Task<void> QueueRunner::attempt(Job job) {
    auto found = parts_.reader->find(job.id);
    if (found && *found && !(*found)->held) {
        queue::QueueEntry entry = std::move(**found);
        std::vector<std::uint32_t> recipients = due_recipients(entry, job.destination, now());
        if (!recipients.empty() && job.destination == "local") {
            co_await attempt_local(std::move(entry), std::move(recipients));
        } else if (!recipients.empty()) {
            co_await attempt_remote(std::move(entry), std::move(recipients), job.destination);
        }
    } else if (!found) {
        log::error("queue.unreadable", {{"queue_id", job.id.value}, {"reason", found.error().what}});
    }
    schedule_.finished(job);
    wake_.notify();
}

net::Task<void> QueueRunner::attempt_remote(queue::QueueEntry entry, std::vector<std::uint32_t> recipients,
                                            std::string destination) {
    const Spooled spooled = take_spooled(parts_.data_dir, entry);
    Attempt attempt;
    if (spooled.file) {
        attempt = co_await parts_.relay->send(entry, recipients, std::move(destination), spooled.file.get());
    } else {
        for (const std::uint32_t recipient : recipients)
            attempt.results.push_back({recipient, spooled.verdict});
    }
    // A stop in the middle of an attempt says nothing about the remote: what was not settled stays due.
    if (co_await net::stop_requested()) {
        std::erase_if(attempt.results, [](const AttemptResult& result) {
            return result.verdict.verdict == Verdict::transient;
        });
        if (attempt.results.empty()) co_return;
    }
    co_await conclude(std::move(entry), std::move(attempt));
}

// A mailbox here that would not take the message when it came in (full, or its index was being rebuilt).
net::Task<void> QueueRunner::attempt_local(queue::QueueEntry entry, std::vector<std::uint32_t> recipients) {
    Attempt attempt;
    attempt.local = true;
    const Spooled spooled = take_spooled(parts_.data_dir, entry);
    const FileDescriptor& file = spooled.file;
    const std::string bytes = file ? read_start(file.get(), entry.size) : std::string{};
    const std::string cache = store::build_fetch_cache(bytes);
    for (const std::uint32_t recipient : recipients) {
        RecipientVerdict verdict = spooled.verdict;
        if (file && bytes.size() != entry.size)
            verdict = {Verdict::transient, {4, 3, 0}, "the queued message cannot be read"};
        if (file && bytes.size() == entry.size) {
            const Time at = now();
            commit::Transaction transaction;
            transaction.files.push_back({FileDescriptor(::dup(file.get())), entry.size, nullptr});
            transaction.parts.push_back(
                parts_.deposit(entry.recipients[recipient].recipient, cache, entry.size, 0, at, false));
            // The deposit and the end of its entry in one commit: a crash between them would deliver twice.
            queue::Progress done =
                progress_after(entry, entry.recipients[recipient].progress,
                               {Verdict::delivered, {2, 0, 0}, "250 2.0.0 delivered"}, "local", at, 0.5);
            queue::Record record{entry.id, {{recipient, done}}};
            transaction.parts.push_back({std::string(queue::kQueueEnvironment),
                                         queue::encode(queue::QueueChange(std::move(record))),
                                         {}});
            commit::Outcome outcome = co_await submit(*parts_.engine, std::move(transaction));
            if (outcome.front().result) {
                verdict = {Verdict::delivered, {2, 0, 0}, "250 2.0.0 delivered"};
            } else {
                const bool full = outcome.front().result.error().retry == Retry::is_useless;
                verdict = {Verdict::transient,
                           full ? smtp::EnhancedCode{4, 2, 2} : smtp::EnhancedCode{4, 3, 0},
                           describe_refusal(outcome.front().result.error())};
            }
        }
        attempt.results.push_back({recipient, std::move(verdict)});
    }
    co_await conclude(std::move(entry), std::move(attempt));
}

net::Task<void> QueueRunner::conclude(queue::QueueEntry entry, Attempt attempt) {
    const FileDescriptor file = open_spooled(parts_.data_dir, entry.id);
    const std::string original =
        file ? read_start(file.get(), std::min<std::uint64_t>(entry.size, kOriginalForReports))
             : std::string{};
    for (const auto& result : attempt.results) {
        log::info("relay.attempt", {{"id", entry.trace_id},
                                    {"queue_id", entry.id.value},
                                    {"to", entry.recipients[result.recipient].recipient.address.to_string()},
                                    {"host", attempt.host},
                                    {"reply", result.verdict.text}});
    }
    // What a remote has acknowledged must be known before anything else happens to the entry: again and
    // again, until the disk takes it.
    while (true) {
        commit::Transaction transaction = outcome_of(entry, attempt, original, now());
        commit::Outcome outcome = co_await submit(*parts_.engine, std::move(transaction));
        if (outcome.front().result) co_return;
        log::error("queue.record",
                   {{"queue_id", entry.id.value}, {"reason", outcome.front().result.error().what}});
        const auto slept = co_await net::sleep_for(kEngineRetry);
        if (!slept) co_return;
    }
}

commit::Transaction QueueRunner::outcome_of(const queue::QueueEntry& entry, const Attempt& attempt,
                                            const std::string& original, Time at) const {
    std::vector<queue::Progress> progress;
    for (const auto& each : entry.recipients) progress.push_back(each.progress);
    queue::Record record;
    record.id = entry.id;
    std::vector<Happening> failed, delayed, passed;
    commit::Transaction transaction;
    transaction.atomicity = commit::Atomicity::each_alone;
    transaction.parts.emplace_back();  // the record, once it is complete
    for (const auto& [recipient, verdict] : attempt.results) {
        queue::Progress& after = progress[recipient];
        after = progress_after(entry, after, verdict, attempt.local ? "local" : attempt.host, at, chance());
        const auto happening = happening_of(entry, recipient, after, verdict, attempt, at);
        if (happening && is_wanted(entry, *happening)) {
            auto& group = happening->action == smtp::DsnAction::failed    ? failed
                          : happening->action == smtp::DsnAction::delayed ? delayed
                                                                          : passed;
            group.push_back(*happening);
            if (happening->action == smtp::DsnAction::delayed) after.delay_reported = true;
        }
        record.recipients.emplace_back(recipient, after);
        transaction.parts.push_back(parts_.ledger(ledger_line(entry, recipient, after, attempt, at)));
    }
    for (const auto* group : {&failed, &delayed, &passed}) {
        if (group->empty()) continue;
        const auto added = parts_.reporter->add(transaction, entry, *group, progress, original, at);
        if (!added) log::error("report.failed", {{"id", entry.trace_id}, {"reason", added.error().what}});
    }
    transaction.parts.front() = {
        std::string(queue::kQueueEnvironment), queue::encode(queue::QueueChange(std::move(record))), {}};
    return transaction;
}

}  // namespace mailstead::deliver
