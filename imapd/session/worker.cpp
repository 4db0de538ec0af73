#include "imapd/session/worker.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>

#include "common/commit/engine.h"
#include "common/fulltext/account_indexer.h"
#include "common/runtime/log.h"
#include "common/runtime/metrics.h"

namespace mailstead::imapd {

using store::Failure;
using store::Fault;
using store::Outcome;

namespace {

// A password check waits its turn behind others; a commit takes milliseconds unless the disk is in trouble.
constexpr net::Timeout kAuthTimeout{30'000};
constexpr net::Timeout kChangeTimeout{120'000};
constexpr std::size_t kMostLostBodies = 10'000;

metrics::Counter lost_bodies("imap_messages_lost");

// Error numbers of ChangeAnswer are the store's faults.
Failure failure_of(const ipc::ChangeAnswer& answer) {
    const bool known = answer.error >= static_cast<std::uint8_t>(Fault::non_existent) &&
                       answer.error <= static_cast<std::uint8_t>(Fault::set_aside);
    return Failure(known ? static_cast<Fault>(answer.error) : Fault::unavailable, answer.bytes);
}

}  // namespace

bool SessionCounts::enter(AccountId account) {
    const std::lock_guard lock(mutex_);
    std::size_t& count = counts_[account];
    if (limit_ != 0 && count >= limit_) return false;
    ++count;
    return true;
}

void SessionCounts::leave(AccountId account) {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(account);
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

Worker::Worker(boost::asio::io_context& context, Shared& shared, ipc::ClientOptions deliver)
    : shared_(shared), deliver_(context, std::move(deliver)), book_(context, deliver_) {}

Worker::~Worker() = default;

net::Task<Result<ipc::AuthAnswer>> Worker::step(ipc::AuthStep question) {
    co_return co_await ipc::ask(deliver_, question, ipc::Descriptors(), kAuthTimeout);
}

void Worker::cancel(ipc::AuthCancel cancel) {
    (void)ipc::send(deliver_, cancel);
}

net::Task<Outcome<store::AccountReader>> Worker::open(AccountId account) {
    // After a power cut an index may be torn until deliver has been at it.
    if (!shared_.recovered && !commit::is_recovered(shared_.data_dir)) {
        co_return Failure(Fault::unavailable,
                          "the store has not been recovered since the start of the machine");
    }
    shared_.recovered = true;
    shared_.reader.renew(account);
    auto opened = shared_.reader.open(account);
    if (opened || opened.error().fault == Fault::newer_format) co_return opened;
    // There is no index yet, or no lock file beside it (a restored folder), or it is damaged. deliver makes
    // what is missing, mends what can be mended, and knows what to say meanwhile.
    store::Change change;
    change.at = now();
    change.action = store::CreateAccount();
    std::vector<FileDescriptor> none;
    const auto made = co_await apply(account, std::move(change), std::move(none));
    if (!made) co_return made.error();
    auto again = shared_.reader.open(account);
    if (again || again.error().fault == Fault::non_existent) co_return again;
    report_damage(account, again.error().what);
    co_return again;
}

net::Task<Outcome<store::ChangeResult>> Worker::apply(AccountId account, store::Change change,
                                                      std::vector<FileDescriptor> files) {
    ipc::ApplyChange question;
    question.account = account;
    question.change = store::encode(change);
    auto answer = co_await ipc::ask(deliver_, question, std::move(files), kChangeTimeout);
    if (!answer) co_return Failure(Fault::unavailable, std::move(answer).error().what);
    if (answer->error != 0) co_return failure_of(*answer);
    co_return store::decode_result(answer->bytes);
}

bool LostBodies::add(AccountId account, std::string_view mailbox, Uid uid) {
    std::string key = std::to_string(account.value) + ' ' + std::to_string(uid.value) + ' ';
    key += mailbox;
    const std::lock_guard lock(mutex_);
    if (known_.size() >= kMostLostBodies) known_.clear();
    return known_.insert(std::move(key)).second;
}

void Worker::report_lost_body(AccountId account, const MailboxName& mailbox, Uid uid) {
    const std::string name = mailbox.utf8();
    if (!shared_.lost_bodies.add(account, name, uid)) return;
    lost_bodies.add();
    log::error("imap.message.lost", {{"account", account.value}, {"mailbox", name}, {"uid", uid.value}});
    const std::string what = "mailbox " + name + ", UID " + std::to_string(uid.value);
    (void)ipc::send(deliver_, ipc::DamageReport{account, ipc::DamageReport::Kind::body, what});
}

net::Task<bool> Worker::report(ipc::DamageReport report) {
    const auto answer = co_await ipc::ask(deliver_, report, ipc::Descriptors(), kChangeTimeout);
    co_return answer.has_value();
}

// deliver judges by itself whether to set the account aside.
void Worker::report_damage(AccountId account, const std::string& why) {
    log::warning("imap.account.damaged", {{"account", account.value}, {"reason", why}});
    (void)ipc::send(deliver_, ipc::DamageReport{account, {}, why});
}

Result<FileDescriptor> Worker::new_message_file() {
    const std::string incoming = shared_.data_dir / "incoming";
    FileDescriptor file(::open(incoming.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file) return transient_error("no message file: " + std::string(std::strerror(errno)));
    return file;
}

std::vector<std::string> Worker::hidden_capabilities(AccountId account) {
    return shared_.hidden_capabilities(account);
}

std::optional<std::filesystem::path> Worker::fulltext_index(AccountId account) const {
    if (!shared_.fulltext) return std::nullopt;
    return fulltext::index_directory(shared_.data_dir, account);
}

bool Worker::join(AccountId account, Listening& session) {
    if (!shared_.counts.enter(account)) return false;
    watch(account, session);
    return true;
}

void Worker::leave(AccountId account, Listening& session) {
    shared_.counts.leave(account);
    unwatch(account, session);
}

void Worker::watch(AccountId account, Listening& session) {
    sessions_[account].push_back(&session);
}

void Worker::unwatch(AccountId account, Listening& session) {
    const auto found = sessions_.find(account);
    if (found == sessions_.end()) return;
    const auto at = std::find(found->second.begin(), found->second.end(), &session);
    if (at != found->second.end()) found->second.erase(at);
    if (found->second.empty()) sessions_.erase(found);
}

Outcome<std::optional<AccountId>> Worker::account_of(std::string_view login) {
    TRY(found, shared_.account_of(login));
    return found;
}

Outcome<std::optional<std::string>> Worker::address_of(AccountId account) {
    TRY(found, shared_.address_of(account));
    return found;
}

Outcome<std::vector<AccountId>> Worker::sharers(AccountId with) {
    TRY(found, shared_.shares.sharers(with));
    return found;
}

Outcome<bool> Worker::is_sharer(AccountId owner, AccountId with) {
    TRY(found, shared_.shares.is_sharer(owner, with));
    return found;
}

void Worker::announce(const ipc::ChangeNotice& notice) {
    const auto found = sessions_.find(notice.account);
    if (found == sessions_.end()) return;
    for (Listening* session : found->second) session->on_change_in(notice.account, notice.mailboxes);
}

void Worker::announce_all() {
    for (const auto& [account, sessions] : sessions_) {
        for (Listening* session : sessions) session->on_change();
    }
}

}  // namespace mailstead::imapd
