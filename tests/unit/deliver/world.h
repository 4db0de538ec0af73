// deliver without its sockets, in a folder that goes with the test: a real directory, credentials, commit
// engine, mailboxes, queue and ledger behind a real Intake.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/directory/editor.h"
#include "common/queue/participant.h"
#include "common/store/accounts.h"
#include "deliver/intake/intake.h"
#include "deliver/local/housekeeper.h"
#include "tests/unit/kv/temporary_folder.h"
#include "tests/unit/net/support.h"

namespace mailstead::deliver::testing {

inline constexpr Time kNow{Milliseconds(1'700'000'000'000)};

template <class T>
net::Task<void> keep_result(net::Task<T> task, std::optional<T>* out) {
    T result = co_await std::move(task);
    out->emplace(std::move(result));
}
// The result of a coroutine that is run to its end. The loop outlives the threads that wake it: one of them
// may still be in the call when the coroutine has its answer.
template <class T>
T wait_for(net::test::Loop& loop, net::Task<T> task) {
    std::optional<T> result;
    loop.tasks.spawn(keep_result(std::move(task), &result));
    loop.run();
    return std::move(result).value();
}

class World {
public:
    // example.org is ours.
    World();
    ~World();

    AccountId add_account(std::string_view login, std::uint64_t quota = 0);
    // Once more on the same folder. `reserved_space` in bytes: with more than the disk has, it is full.
    void open_engine(std::uint64_t reserved_space = 0);
    void make_intake(const QueueLimits& limits);
    commit::Engine& engine() { return *engine_; }
    Intake& intake() { return *intake_; }
    const store::SharesReader& shares() const { return *shares_; }
    store::Reader& reader() { return *reader_; }
    const Reporter& reporter() const { return *reporter_; }
    std::filesystem::path root() const { return folder_.path() / "data"; }

    // A complete, unnamed file as smtpd hands it over.
    FileDescriptor file_of(std::string_view bytes) const;
    ipc::Message ask(ipc::Message request);
    template <class Question>
    typename Question::Answer ask(const Question& question, ipc::Descriptors descriptors = {}) {
        ipc::Message request = ipc::make_message(question);
        request.descriptors = std::move(descriptors);
        const ipc::Message reply = ask(std::move(request));
        EXPECT_EQ(reply.type, Question::Answer::kType);
        return Question::Answer::decode(reply.payload).value();
    }
    // The hand-off of `bytes`; `message.size` is set.
    ipc::DeliverAnswer deliver(ipc::DeliverMessage message, std::string_view bytes);

    // The bytes of all messages in a mailbox, by UID; empty when there is no such mailbox, or no account.
    std::vector<std::string> mail_of(AccountId account, std::string_view mailbox = "INBOX");
    std::vector<queue::QueueEntry> queued() const;
    // The stages in the ledger of one message: `accepted filed queued`.
    std::string stages(std::string_view trace_id) const;
    // Files below the spool.
    std::size_t spooled() const;
    static std::string bytes_of(const std::filesystem::path& file);

    std::unique_ptr<directory::Editor> directory;
    std::unique_ptr<directory::CredentialsEditor> credentials;

private:
    ::mailstead::testing::TemporaryFolder folder_;
    net::test::Loop loop_;
    std::optional<runtime::OffloadPool> pool_;
    std::optional<store::Accounts> accounts_;
    queue::QueueParticipant queue_participant_;
    ledger::LedgerParticipant ledger_participant_;
    store::SharesParticipant shares_participant_;
    std::optional<commit::Engine> engine_;
    std::optional<store::Reader> reader_;
    std::optional<store::SharesReader> shares_;
    std::optional<queue::QueueReader> queue_reader_;
    std::optional<Quotas> quotas_;
    std::optional<Reporter> reporter_;
    std::optional<directory::Authenticator> authenticator_;
    std::optional<runtime::FairPool> auth_pool_;
    std::optional<SessionHub> sessions_;
    std::optional<AuthService> auth_;
    std::unique_ptr<directory::CredentialsRecorder> recorder_;
    std::optional<Removals> removals_;
    std::optional<Housekeeper> housekeeper_;
    std::optional<BackupHold> backup_;
    std::optional<Intake> intake_;
};

ipc::Recipient local(AccountId account, std::string_view address);
ipc::Recipient remote(std::string_view address);
// From you@elsewhere.test.
ipc::DeliverMessage message_to(std::vector<ipc::Recipient> recipients, std::string_view trace_id = "k3v9");
// A small message with this subject; CRLF.
std::string mail(std::string_view subject);

}  // namespace mailstead::deliver::testing
