#include "deliver/intake/intake.h"

#include <algorithm>
#include <fcntl.h>

#include "common/net/event.h"
#include "common/queue/change.h"
#include "common/runtime/log.h"
#include "common/store/deleted.h"
#include "common/store/fetch_cache.h"
#include "deliver/local/sharing.h"
#include "deliver/repair/damaged_copies.h"
#include "deliver/submit.h"

namespace mailstead::deliver {
namespace {

// Up to this size a message is parsed where it arrives: a few microseconds, less than a thread switch costs.
constexpr std::size_t kParsedInPlace = 64 * 1024;
// How long a message waits for the queue to be repaired.
constexpr auto kQueuePatience = std::chrono::seconds(10);
constexpr auto kQueuePause = std::chrono::milliseconds(200);
constexpr std::size_t kUndeletedAtOnce = 200;  // messages

template <class Question>
ipc::Message malformed() {
    return ipc::refuse("malformed request");
}

ipc::DeliverAnswer refusal(ipc::DeliverAnswer::Outcome outcome, std::string text) {
    ipc::DeliverAnswer answer;
    answer.outcome = outcome;
    answer.text = std::move(text);
    return answer;
}

// imapd tells people what a fault means; the text is for logs, but for an account that is being repaired.
ipc::ChangeAnswer failed(const store::Failure& failure) {
    ipc::ChangeAnswer answer;
    answer.error = static_cast<std::uint8_t>(failure.fault);
    answer.bytes = failure.what;
    return answer;
}

// The changes that users ask for; the others are made by the store itself, in deliver.
bool is_for_users(const store::Action& action) {
    return !std::holds_alternative<store::AdoptFile>(action) &&
           !std::holds_alternative<store::Followed>(action);
}

queue::QueueEntry entry_for_report(const ipc::DeliverMessage& message) {
    queue::QueueEntry entry;
    entry.trace_id = message.trace_id;
    entry.envelope = message.envelope;
    entry.received = message.received;
    for (const auto& recipient : message.envelope.recipients) entry.recipients.push_back({recipient, {}});
    return entry;
}

// smtpd asks about logins to SMTP alone, and hands in mail that came by it; likewise imapd.
void must_speak_for(const ipc::PeerInfo& peer, ipc::Service service) {
    if (!ipc::may_speak_for(peer.role, service))
        throw ipc::NotAllowed("may not speak for " + std::string(ipc::to_string(service)));
}

}  // namespace

net::Task<ipc::Message> Intake::handle(ipc::Message request, const ipc::PeerInfo& peer) {
    switch (request.type) {
        case ipc::MessageType::deliver_message:
            co_return co_await deliver(std::move(request), peer);
        case ipc::MessageType::apply_change:
            co_return co_await apply_change(std::move(request));
        case ipc::MessageType::auth_step:
            co_return co_await authenticate(std::move(request), peer);
        case ipc::MessageType::auth_cancel:
            if (const auto cancel = ipc::AuthCancel::decode(request.payload))
                parts_.auth->cancel(*cancel, peer.connection);
            co_return ipc::make_message(ipc::Done{});
        case ipc::MessageType::ledger_line:
            co_return co_await write_ledger(std::move(request));
        case ipc::MessageType::quota_question:
            co_return answer_quota(request);
        case ipc::MessageType::queue_command:
            co_return co_await command_queue(std::move(request));
        case ipc::MessageType::status_question:
            co_return answer_status();
        case ipc::MessageType::damage_report:
            co_return co_await note_damage(std::move(request));
        case ipc::MessageType::account_gone:
            co_return co_await remove_account(std::move(request));
        case ipc::MessageType::hold_command:
            co_return co_await hold(std::move(request), peer.connection);
        case ipc::MessageType::undelete_messages:
            co_return co_await undelete(std::move(request));
        case ipc::MessageType::session_poll:
        case ipc::MessageType::session_check:
        case ipc::MessageType::session_result:
            co_return co_await serve_sessions(std::move(request), peer.connection);
        case ipc::MessageType::account_changed:
        case ipc::MessageType::who_question:
        case ipc::MessageType::kick_command:
            co_return co_await serve_admin(std::move(request));
        default:
            co_return ipc::refuse("not a request");
    }
}

net::Task<ipc::Message> Intake::deliver(ipc::Message request, const ipc::PeerInfo& peer) {
    auto message = ipc::DeliverMessage::decode(request.payload);
    if (!message || request.descriptors.size() != 1 || message->envelope.recipients.empty())
        co_return malformed<ipc::DeliverMessage>();
    must_speak_for(peer, message->origin.service);
    ipc::DeliverAnswer answer = co_await take(*std::move(message), std::move(request.descriptors.front()));
    co_return ipc::make_message(answer);
}

net::Task<Result<std::shared_ptr<MessageBytes>>> Intake::bytes_of(FileDescriptor file, std::uint64_t size) {
    auto work = [this, size, owned = std::make_shared<FileDescriptor>(std::move(file))] {
        return MessageBytes::take(std::move(*owned), size, places_);
    };
    if (size <= kParsedInPlace) {
        auto taken = work();
        if (!taken) co_return std::move(taken).error();
        co_return std::make_shared<MessageBytes>(*std::move(taken));
    }
    auto taken = co_await runtime::offload(*parts_.pool, std::move(work));
    if (!taken) co_return std::move(taken).error();
    co_return std::make_shared<MessageBytes>(*std::move(taken));
}

net::Task<Result<std::string>> Intake::fetch_cache_of(std::shared_ptr<MessageBytes> bytes) {
    if (bytes->view().size() <= kParsedInPlace) co_return store::build_fetch_cache(bytes->view());
    auto work = [bytes] { return store::build_fetch_cache(bytes->view()); };
    auto cache = co_await runtime::offload(*parts_.pool, std::move(work));
    co_return cache;
}

// An account that cannot be looked up may be there: the commit will tell.
bool Intake::is_known(AccountId account) const {
    const auto found = parts_.directory->find_account(account);
    return !found || *found;
}

net::Task<ipc::DeliverAnswer> Intake::take(ipc::DeliverMessage message, FileDescriptor file) {
    using Outcome = ipc::DeliverAnswer::Outcome;
    auto taken = co_await bytes_of(std::move(file), message.size);
    if (!taken) co_return refusal(Outcome::transient, describe_refusal(taken.error()));
    const std::shared_ptr<MessageBytes> bytes = *std::move(taken);
    bool local = false;
    for (const ipc::Recipient& recipient : message.envelope.recipients) {
        const auto* const here = std::get_if<ipc::Local>(&recipient.target);
        if (here == nullptr) continue;
        // Removed since RCPT: the sender tries again and is told then.
        if (!is_known(here->account)) co_return refusal(Outcome::transient, "4.2.1 A mailbox has just gone");
        local = true;
    }
    std::string cache;
    if (local) {
        auto built = co_await fetch_cache_of(bytes);
        if (!built) co_return refusal(Outcome::transient, describe_refusal(built.error()));
        cache = *std::move(built);
    }

    Acceptance acceptance;
    commit::MessageFile handed_over{bytes->release_file(), message.size, bytes->content()};
    const commit::Outcome outcome =
        co_await commit_message(message, cache, std::move(handed_over), acceptance);
    ipc::DeliverAnswer answer = answer_for(acceptance, outcome);
    if (!outcome.front().result)
        log::warning("deliver.refused",
                     {{"id", message.trace_id}, {"why", outcome.front().result.error().what}});
    log::info("deliver.message",
              {{"id", message.trace_id},
               {"from", to_string(message.envelope.reverse_path)},
               {"recipients", message.envelope.recipients.size()},
               {"size", message.size},
               {"outcome", answer.outcome == Outcome::accepted ? "accepted" : answer.text}});
    if (answer.outcome != Outcome::accepted) co_return answer;

    // RFC 3461, 4.1: NOTIFY=SUCCESS for those whose mailbox has the message now.
    const queue::QueueEntry entry = entry_for_report(message);
    std::vector<Happening> delivered;
    std::vector<queue::Progress> progress(entry.recipients.size());
    for (std::uint32_t i = 0; i < entry.recipients.size(); ++i) {
        const Happening happening{i, smtp::DsnAction::delivered, {2, 0, 0}};
        if (std::holds_alternative<ipc::Local>(entry.recipients[i].recipient.target) &&
            is_wanted(entry, happening)) {
            delivered.push_back(happening);
        }
    }
    if (!delivered.empty()) {
        commit::Transaction report;
        const auto added = parts_.reporter->add(report, entry, delivered, progress, bytes->view(), now());
        if (added && !report.parts.empty()) co_await submit(*parts_.engine, std::move(report));
    }
    co_return answer;
}

// What is out of service is nothing that a sender should hear of: mail for an account that is being repaired
// waits in the queue, and the queue itself is back within seconds.
net::Task<commit::Outcome> Intake::commit_message(const ipc::DeliverMessage& message,
                                                  const std::string& cache, commit::MessageFile file,
                                                  Acceptance& acceptance) {
    std::shared_ptr<const std::string> content = file.content;
    // Small messages are in memory anyway.
    FileDescriptor once_more(content ? -1 : ::fcntl(file.descriptor.get(), F_DUPFD_CLOEXEC, 0));
    acceptance = accept(message, cache, parts_.quotas, parts_.limits);
    acceptance.transaction.files.push_back(std::move(file));
    commit::Outcome outcome = co_await submit(*parts_.engine, std::move(acceptance.transaction));
    const auto until = std::chrono::steady_clock::now() + kQueuePatience;
    while (!outcome.front().result && waits_for_repair(outcome.front().result.error())) {
        commit::MessageFile again;
        if (content) {
            auto spooled = spool_message(parts_.data_dir, *content);
            if (!spooled) break;
            again = *std::move(spooled);
        } else {
            again = {FileDescriptor(::fcntl(once_more.get(), F_DUPFD_CLOEXEC, 0)), message.size, nullptr};
        }
        acceptance = accept(message, cache, parts_.quotas, parts_.limits, Lone::waits);
        acceptance.transaction.files.push_back(std::move(again));
        outcome = co_await submit(*parts_.engine, std::move(acceptance.transaction));
        if (outcome.front().result || std::chrono::steady_clock::now() > until) break;
        const auto slept = co_await net::sleep_for(kQueuePause);
        if (!slept) break;
    }
    co_return outcome;
}

// What imapd says is looked into by the repairer: it may be wrong, or taken over.
net::Task<ipc::Message> Intake::note_damage(ipc::Message request) {
    auto report = ipc::DamageReport::decode(request.payload);
    if (!report) co_return malformed<ipc::DamageReport>();
    if (report->kind == ipc::DamageReport::Kind::body) {
        lost_bodies_.fetch_add(1, std::memory_order_relaxed);
        log::error("message.lost", {{"account", report->account.value}, {"what", report->what}});
    } else if (parts_.repairer && is_known(report->account)) {
        auto look = [repairer = parts_.repairer, asked = *report] {
            repairer->report(asked.account, asked.kind, asked.what);
            return true;
        };
        (void)co_await runtime::offload(*parts_.pool, std::move(look));
    }
    co_return ipc::make_message(ipc::Done{});
}

net::Task<ipc::Message> Intake::apply_change(ipc::Message request) {
    auto asked = ipc::ApplyChange::decode(request.payload);
    if (!asked) co_return malformed<ipc::ApplyChange>();
    auto change = store::decode_change(asked->change);
    if (!change) co_return ipc::make_message(failed(change.error()));
    if (!is_for_users(change->action))
        co_return ipc::make_message(failed({store::Fault::invalid, "not a change for users"}));
    if (!is_known(asked->account))
        co_return ipc::make_message(failed({store::Fault::non_existent, "there is no such account"}));
    if (std::holds_alternative<store::SetQuota>(change->action)) {
        ipc::ChangeAnswer set = co_await set_quota(asked->account, *std::move(change));
        co_return ipc::make_message(set);
    }
    ipc::ChangeAnswer answer =
        co_await apply(asked->account, *std::move(change), std::move(request.descriptors));
    co_return ipc::make_message(answer);
}

net::Task<ipc::ChangeAnswer> Intake::apply(AccountId account, store::Change change, ipc::Descriptors files) {
    commit::Transaction transaction;
    if (auto correction = parts_.quotas->correction(account, change.at))
        transaction.parts.push_back(*std::move(correction));
    if (store::Append* append = store::append_of(change.action)) {
        append->ignore_quota = false;
        for (store::NewMessage& message : append->messages) {
            if (message.file >= files.size())
                co_return failed({store::Fault::invalid, "a message without its file"});
            auto taken = co_await bytes_of(std::move(files[message.file]), message.size);
            if (!taken)
                co_return failed({taken.error().retry == Retry::is_useless ? store::Fault::invalid
                                                                           : store::Fault::unavailable,
                                  taken.error().what});
            const std::shared_ptr<MessageBytes> bytes = *std::move(taken);
            auto cache = co_await fetch_cache_of(bytes);
            if (!cache) co_return failed({store::Fault::unavailable, cache.error().what});
            message.cache = *std::move(cache);
            transaction.files.push_back({bytes->release_file(), message.size, bytes->content()});
            message.file = static_cast<std::uint32_t>(transaction.files.size() - 1);
        }
    }
    if (auto note = note_share(account, change.action)) transaction.parts.push_back(*std::move(note));
    const auto drop = share_to_drop(*parts_.shares, account, change.action);
    transaction.parts.push_back({store::environment_of(account), store::encode(change), {}});
    commit::Outcome outcome = co_await submit(*parts_.engine, std::move(transaction));
    const auto& result = outcome.back().result;
    if (!result) co_return refused(account, result.error());
    if (drop && was_last_grant(*result)) {
        commit::Transaction tidy;
        tidy.parts.push_back(part(*drop));
        co_await submit(*parts_.engine, std::move(tidy));
    }
    co_return ipc::ChangeAnswer{0, *result};
}

// SETQUOTA of an administrator, whose right imapd has checked. The directory holds what counts; the index
// follows.
net::Task<ipc::ChangeAnswer> Intake::set_quota(AccountId account, store::Change change) {
    const auto wanted = std::get<store::SetQuota>(change.action);
    const directory::Limits limits{wanted.octets, wanted.messages, wanted.mailboxes};
    auto write = [this, account, limits] { return parts_.directory->set_limits(account, limits); };
    const auto written = co_await runtime::offload(*parts_.pool, std::move(write));
    if (!written) co_return failed({store::Fault::unavailable, written.error().what});
    commit::Transaction transaction;
    transaction.parts.push_back({store::environment_of(account), store::encode(change), {}});
    const commit::Outcome outcome = co_await submit(*parts_.engine, std::move(transaction));
    const auto& result = outcome.back().result;
    if (!result) co_return refused(account, result.error());
    co_return ipc::ChangeAnswer{0, *result};
}

ipc::ChangeAnswer Intake::refused(AccountId account, const Error& error) const {
    store::Failure failure(error);
    if (failure.fault == store::Fault::damaged && parts_.repairer) {
        parts_.repairer->report(account, ipc::DamageReport::Kind::index, failure.what);
        failure.fault = store::Fault::set_aside;
    }
    if (failure.fault == store::Fault::set_aside && parts_.repairer)
        failure.what = parts_.repairer->explain(account);
    return failed(failure);
}

net::Task<ipc::Message> Intake::authenticate(ipc::Message request, const ipc::PeerInfo& peer) {
    auto step = ipc::AuthStep::decode(request.payload);
    wipe(request.payload);
    if (!step) co_return malformed<ipc::AuthStep>();
    must_speak_for(peer, step->service);
    ipc::AuthAnswer answer = co_await parts_.auth->step(*std::move(step), peer.connection);
    co_return ipc::make_message(answer);
}

net::Task<ipc::Message> Intake::command_queue(ipc::Message request) {
    auto command = ipc::QueueCommand::decode(request.payload);
    if (!command) co_return malformed<ipc::QueueCommand>();
    queue::Control control{command->op, command->selector, now()};
    commit::Transaction transaction;
    transaction.parts.push_back(
        {std::string(queue::kQueueEnvironment), queue::encode(queue::QueueChange(std::move(control))), {}});
    commit::Outcome outcome = co_await submit(*parts_.engine, std::move(transaction));
    ipc::QueueAnswer answer;
    if (!outcome.front().result) {
        answer.error = outcome.front().result.error().what;
    } else if (const auto count = queue::decode_number(*outcome.front().result)) {
        answer.count = *count;
    }
    co_return ipc::make_message(answer);
}

net::Task<ipc::Message> Intake::write_ledger(ipc::Message request) {
    auto line = ipc::LedgerLine::decode(request.payload);
    if (!line) co_return malformed<ipc::LedgerLine>();
    commit::Transaction transaction;
    transaction.parts.push_back(ledger::part({*std::move(line)}));
    transaction.is_spare = true;
    const commit::Outcome outcome = co_await submit(*parts_.engine, std::move(transaction));
    note_ledger(outcome.front().result);
    co_return ipc::make_message(ipc::Done{});
}

// Nobody waits for these lines, and when one is lost so are the next hundred: one word about all of them.
void Intake::note_ledger(const Result<std::string>& written) {
    const bool fails = !written;
    if (ledger_fails_.exchange(fails, std::memory_order_relaxed) == fails) return;
    if (fails) {
        log::warning("ledger.problem", {{"why", written.error().what}});
    } else {
        log::info("ledger.works_again");
    }
}

ipc::Message Intake::answer_quota(const ipc::Message& request) const {
    const auto question = ipc::QuotaQuestion::decode(request.payload);
    if (!question) return malformed<ipc::QuotaQuestion>();
    ipc::QuotaAnswer answer;
    answer.over = parts_.quotas->would_exceed(question->account, question->size);
    return ipc::make_message(answer);
}

ipc::Message Intake::answer_status() const {
    const commit::EngineStatus engine = parts_.engine->status();
    const auto queued = parts_.queue->size();
    ipc::StatusAnswer answer;
    answer.numbers = {{"accepting", engine.accepting ? 1 : 0},
                      {"batches", engine.batches},
                      {"transactions", engine.transactions},
                      {"failed_batches", engine.failed_batches},
                      {"checkpoints", engine.checkpoints},
                      {"waiting", engine.waiting},
                      {"open_environments", engine.open_environments},
                      {"journal_bytes", engine.journal_bytes},
                      {"queued_messages", queued ? *queued : 0},
                      {"lost_messages", lost_bodies_.load(std::memory_order_relaxed)},
                      {"damaged_copies", count_damaged_copies(parts_.data_dir)},
                      {"refused_requests", parts_.refusals()}};
    if (parts_.repairer) answer.repairs = parts_.repairer->list();
    for (ipc::Repair& repair : answer.repairs) {
        const auto account = store::account_of(repair.environment);
        const auto known = account ? parts_.directory->find_account(*account)
                                   : Result<std::optional<directory::Account>>(std::nullopt);
        if (known && *known) repair.address = (*known)->login.unicode();
    }
    return ipc::make_message(answer);
}

// Its mail stays until its time has come, which may be now.
net::Task<ipc::Message> Intake::remove_account(ipc::Message request) {
    if (!ipc::AccountGone::decode(request.payload)) co_return malformed<ipc::AccountGone>();
    auto work = [removals = parts_.removals] { return removals->delete_due(now()); };
    const auto deleted = co_await runtime::offload(*parts_.pool, std::move(work));
    if (!deleted) co_return ipc::refuse(deleted.error().what);
    co_return ipc::make_message(ipc::Done{});
}

net::Task<ipc::Message> Intake::hold(ipc::Message request, std::uint64_t connection) {
    auto command = ipc::HoldCommand::decode(request.payload);
    if (!command) co_return malformed<ipc::HoldCommand>();
    auto files = std::make_shared<ipc::Descriptors>(std::move(request.descriptors));
    auto work = [backup = parts_.backup, asked = *std::move(command), files, connection] {
        return backup->handle(asked, *files, connection);
    };
    const auto answer = co_await runtime::offload(*parts_.pool, std::move(work));
    if (!answer) co_return ipc::refuse(answer.error().what);
    co_return ipc::make_message(*answer);
}

net::Task<ipc::Message> Intake::undelete(ipc::Message request) {
    auto asked = ipc::UndeleteMessages::decode(request.payload);
    if (!asked) co_return malformed<ipc::UndeleteMessages>();
    auto work = [this, question = *std::move(asked)] { return undelete_now(question); };
    const auto answer = co_await runtime::offload(*parts_.pool, std::move(work));
    if (!answer) co_return ipc::refuse(answer.error().what);
    co_return ipc::make_message(*answer);
}

ipc::UndeleteAnswer Intake::undelete_now(const ipc::UndeleteMessages& asked) {
    ipc::UndeleteAnswer answer;
    if (!is_known(asked.account)) {
        answer.error = "there is no such account";
        return answer;
    }
    store::DeletedFilter filter;
    if (!asked.mailbox.empty()) filter.mailbox = asked.mailbox;
    filter.since = asked.since;
    filter.before = asked.before;
    filter.limit = kUndeletedAtOnce;
    const auto kept = store::list_deleted(parts_.data_dir, asked.account, filter);
    const auto submit = [this](
                            AccountId account, const store::Change& change,
                            std::vector<commit::MessageFile> files) -> store::Outcome<store::ChangeResult> {
        commit::Transaction transaction;
        transaction.files = std::move(files);
        transaction.parts.push_back({store::environment_of(account), store::encode(change), {}});
        commit::Outcome outcome = parts_.engine->submit_and_wait(std::move(transaction));
        if (!outcome.front().result) return store::Failure(outcome.front().result.error());
        return store::decode_result(*outcome.front().result);
    };
    const auto report = store::undelete(parts_.data_dir, asked.account, kept, now(), submit);
    if (!report) {
        answer.error = report.error().what;
    } else {
        answer.messages = report->messages;
        answer.missing = report->missing;
    }
    return answer;
}

}  // namespace mailstead::deliver
