// Sessions of imapd on socket pairs, over an account in a scratch folder, all on the calling thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "common/ipc/session_book.h"
#include "common/net/task_group.h"
#include "common/runtime/offload.h"
#include "imapd/session/backend.h"
#include "imapd/session/connection.h"
#include "imapd/session/login_service.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::imapd {

// Applies changes at once, as deliver would, and tells every session.
class TestBackend final : public Backend {
public:
    net::Task<store::Outcome<store::AccountReader>> open(AccountId account) override;
    net::Task<store::Outcome<store::ChangeResult>> apply(AccountId account, store::Change change,
                                                         std::vector<FileDescriptor> files) override;
    Result<FileDescriptor> new_message_file() override;
    std::vector<std::string> hidden_capabilities(AccountId) override { return hidden; }
    bool join(AccountId account, Listening& session) override;
    void leave(AccountId account, Listening& session) override;
    void enlist(ipc::LiveSession& session, const std::string& id, AccountId, const Proof&) override {
        live[id] = &session;
    }
    void delist(const std::string& id) override { live.erase(id); }
    void watch(AccountId account, Listening& session) override;
    void unwatch(AccountId account, Listening& session) override;
    store::Outcome<std::optional<AccountId>> account_of(std::string_view login) override;
    store::Outcome<std::optional<std::string>> address_of(AccountId account) override;
    store::Outcome<std::vector<AccountId>> sharers(AccountId with) override;
    store::Outcome<bool> is_sharer(AccountId owner, AccountId with) override;
    runtime::OffloadPool& pool() override {
        ++pool_uses;
        return pool_;
    }
    std::uint64_t append_limit() const override { return 1'000'000; }
    std::optional<std::filesystem::path> fulltext_index(AccountId) const override { return fulltext; }
    std::uint32_t message_limit() const override { return most_messages; }
    std::uint32_t save_limit() const override { return most_saved; }
    std::size_t watch_limit() const override { return most_watched; }
    std::chrono::milliseconds progress_interval() const override { return progress; }
    std::string hostname() const override { return "mail.example.org"; }
    bool is_admin(AccountId) override { return admin; }

    store::TestAccount account;  // of joe@example.org
    // One more account; the first one gets the id 8.
    store::TestAccount& add_account(const std::string& address);
    store::TestAccount& at(AccountId id);
    std::map<std::string, ipc::LiveSession*> live;  // by id
    std::vector<std::string> hidden;
    std::optional<std::filesystem::path> fulltext;
    std::size_t max_sessions = 10;
    bool deliver_is_away = false;
    // How often a session asked for the pool: while none did, nothing runs there.
    std::size_t pool_uses = 0;
    // What the last sessions opened.
    std::multiset<AccountId> opened;
    bool refuse_expunge = false;
    void announce(AccountId id = store::kAccount);
    // Applies a change as deliver would.
    store::Outcome<store::ChangeResult> commit(AccountId id, store::Action action) {
        return commit(id, store::Change{store::kTime, std::move(action)}, {});
    }
    store::Outcome<store::ChangeResult> commit(AccountId id, const store::Change& change,
                                               const std::vector<std::string>& contents);
    std::uint32_t most_messages = 0;
    std::uint32_t most_saved = 0;
    std::size_t most_watched = 1'000;
    std::chrono::milliseconds progress{5'000};
    std::chrono::milliseconds slowness{0};  // of changes
    void announce_in(MailboxId mailbox);
    bool admin = false;

private:
    struct Other {
        std::string address;
        std::unique_ptr<store::TestAccount> account;
    };
    std::map<AccountId, Other> others_;
    std::set<std::pair<AccountId, AccountId>> shares_;  // owner, with
    std::multimap<AccountId, Listening*> listening_;
    std::size_t joined_ = 0;
    runtime::OffloadPool pool_{1, 100};
};

// Knows `joe` with the password `secret`.
class TestLogin final : public LoginService {
public:
    net::Task<Result<ipc::AuthAnswer>> step(ipc::AuthStep step) override;
    void cancel(ipc::AuthCancel) override { ++cancelled; }
    int cancelled = 0;
};

// One client's end of a connection.
class TestClient {
public:
    explicit TestClient(FileDescriptor socket) : socket_(std::move(socket)) {}
    // As much as the socket takes; the rest goes with the next call.
    void send(std::string_view bytes);
    void pump();
    bool is_closed() const { return closed_; }
    // COMPRESS is active: both directions pass through zlib from here on, or no longer.
    void compress(bool active);
    // What send() would put on the wire, and putting it there: for tests that cut it.
    std::string packed(std::string_view bytes);
    void send_raw(std::string_view bytes);
    std::string received;
    bool deaf = false;  // reads nothing

private:
    void take(std::string_view bytes);

    struct Zip;
    FileDescriptor socket_;
    std::shared_ptr<Zip> zip_;
    std::string unsent_;
    bool closed_ = false;
};

enum class StartAt { login, greeting, pop3 };

class TestServer {
public:
    TestServer();
    ~TestServer();

    // As joe, or as the owner of another account of the backend.
    TestClient& connect(StartAt start, const std::string& login = "joe@example.org");
    // Runs until nothing more happens without input.
    void settle();
    // The same, and gives the pool a moment.
    void run_briefly();
    // Runs until `client` has received a whole line, or some seconds are over. The line without CRLF; empty
    // at the end.
    bool read_line(TestClient& client, std::string& line);

    TestBackend backend;
    TestLogin logins;
    ListenerFacts facts;
    Timeouts timeouts;
    // Asks all sessions to end, as a daemon that stops does.
    void request_stop() { tasks_->request_stop(); }
    // Sessions that have not ended.
    std::size_t sessions() const { return tasks_->size(); }
    // Runs for a while, or until `client` is closed.
    void run_until_closed(TestClient& client);
    void run_for_a_moment();

private:
    boost::asio::io_context context_;
    std::unique_ptr<net::TaskGroup> tasks_;
    std::vector<std::unique_ptr<TestClient>> clients_;
};

}  // namespace mailstead::imapd
