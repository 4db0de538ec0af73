// What smtpd, imapd and the admin CLI ask of deliver.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/commit/engine.h"
#include "common/directory/editor.h"
#include "common/ipc/channel.h"
#include "common/ledger/ledger.h"
#include "common/queue/reader.h"
#include "common/runtime/offload.h"
#include "common/store/shares.h"
#include "common/store/store.h"
#include "deliver/auth/auth_service.h"
#include "deliver/auth/session_hub.h"
#include "deliver/intake/message_bytes.h"
#include "deliver/local/backup_hold.h"
#include "deliver/local/deposit.h"
#include "deliver/local/removals.h"
#include "deliver/queue/outbound_queue.h"
#include "deliver/repair/repairer.h"
#include "deliver/report/report.h"

namespace mailstead::deliver {

struct IntakeParts {
    commit::Engine* engine = nullptr;
    AuthService* auth = nullptr;
    SessionHub* sessions = nullptr;
    Quotas* quotas = nullptr;
    directory::Editor* directory = nullptr;
    const Reporter* reporter = nullptr;
    Removals* removals = nullptr;
    BackupHold* backup = nullptr;
    const store::SharesReader* shares = nullptr;
    const queue::QueueReader* queue = nullptr;
    Repairer* repairer = nullptr;  // nullptr: nothing is repaired (tests)
    runtime::OffloadPool* pool = nullptr;
    std::filesystem::path data_dir;
    QueueLimits limits;
    std::function<std::uint64_t()> refusals;  // of requests outside the peer's role, for `status`
};

// The transaction for one message: deposits, a queue entry for remote recipients, the ledger's lines. What it
// means for the sender is judged by `answer_for`.
struct Acceptance {
    commit::Transaction transaction;
    bool for_one_mailbox = false;         // and nobody else
    std::optional<std::size_t> enqueued;  // the part that queues
};

// Thread-safe: requests of one connection run on that connection's thread.
class Intake {
public:
    // The parts outlive it.
    Intake(IntakeParts parts, MessageBytes::Places places)
        : parts_(std::move(parts)), places_(std::move(places)) {}

    // The handler of the ipc servers, which have looked at the role already. Throws ipc::NotAllowed.
    net::Task<ipc::Message> handle(ipc::Message request, const ipc::PeerInfo& peer);
    // Gives up what waits for that connection, and forgets it: when its peer is gone, and when the last of
    // its requests is over.
    void forget(std::uint64_t connection) {
        parts_.auth->forget(connection);
        parts_.sessions->forget(connection);
        parts_.backup->forget(connection);
    }

private:
    net::Task<ipc::Message> deliver(ipc::Message request, const ipc::PeerInfo& peer);
    // Nobody's mailbox comes into being because a peer names its number.
    bool is_known(AccountId account) const;
    net::Task<ipc::DeliverAnswer> take(ipc::DeliverMessage message, FileDescriptor file);
    net::Task<commit::Outcome> commit_message(const ipc::DeliverMessage& message, const std::string& cache,
                                              commit::MessageFile file, Acceptance& acceptance);
    net::Task<ipc::Message> note_damage(ipc::Message request);
    net::Task<ipc::Message> apply_change(ipc::Message request);
    net::Task<ipc::ChangeAnswer> apply(AccountId account, store::Change change, ipc::Descriptors files);
    ipc::ChangeAnswer refused(AccountId account, const Error& error) const;
    net::Task<ipc::ChangeAnswer> set_quota(AccountId account, store::Change change);
    net::Task<ipc::Message> authenticate(ipc::Message request, const ipc::PeerInfo& peer);
    // sessions.cpp: what daemons and the administrator ask about sessions.
    net::Task<ipc::Message> serve_sessions(ipc::Message request, std::uint64_t connection);
    net::Task<ipc::Message> serve_admin(ipc::Message request);
    net::Task<ipc::Message> command_queue(ipc::Message request);
    net::Task<ipc::Message> write_ledger(ipc::Message request);
    void note_ledger(const Result<std::string>& written);
    net::Task<ipc::Message> remove_account(ipc::Message request);
    net::Task<ipc::Message> hold(ipc::Message request, std::uint64_t connection);
    net::Task<ipc::Message> undelete(ipc::Message request);
    // On a thread that may block.
    ipc::UndeleteAnswer undelete_now(const ipc::UndeleteMessages& asked);
    ipc::Message answer_quota(const ipc::Message& request) const;
    ipc::Message answer_status() const;
    // Runs on the pool when the message is large enough to keep a thread busy.
    // Likewise.
    net::Task<Result<std::shared_ptr<MessageBytes>>> bytes_of(FileDescriptor file, std::uint64_t size);
    net::Task<Result<std::string>> fetch_cache_of(std::shared_ptr<MessageBytes> bytes);

    IntakeParts parts_;
    MessageBytes::Places places_;
    std::atomic<bool> ledger_fails_{false};      // said so, and no line was written since
    std::atomic<std::uint64_t> lost_bodies_{0};  // messages whose file imapd missed, since the start
};

// Of a message for one mailbox: whether it may wait in the queue when the mailbox does not take it now.
enum class Lone : std::uint8_t { is_refused, waits };
Acceptance accept(const ipc::DeliverMessage& message, const std::string& fetch_cache, Quotas* quotas,
                  const QueueLimits& limits, Lone lone = Lone::is_refused);
ipc::DeliverAnswer answer_for(const Acceptance& acceptance, const commit::Outcome& outcome);

}  // namespace mailstead::deliver
