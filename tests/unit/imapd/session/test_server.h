// Sessions of imapd on socket pairs, over an account in a scratch folder, all on the calling thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "common/net/task_group.h"
#include "common/runtime/offload.h"
#include "imapd/session/backend.h"
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
    runtime::OffloadPool& pool() override { return pool_; }
    std::uint64_t append_limit() const override { return 1'000'000; }
    std::optional<std::filesystem::path> fulltext_index(AccountId) const override { return fulltext; }

    store::TestAccount account;
    std::vector<std::string> hidden;
    std::optional<std::filesystem::path> fulltext;
    std::size_t max_sessions = 10;
    bool deliver_is_away = false;
    void announce();

private:
    std::vector<Listening*> sessions_;
    runtime::OffloadPool pool_{1, 100};
};

// Knows `joe` with the password `secret`.
class TestLogin final : public LoginService {
public:
    net::Task<Result<ipc::AuthAnswer>> step(ipc::AuthStep step) override;
    void cancel(std::uint64_t) override { ++cancelled; }
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
    std::string received;

private:
    FileDescriptor socket_;
    std::string unsent_;
    bool closed_ = false;
};

enum class StartAt { login, greeting };

class TestServer {
public:
    TestServer();
    ~TestServer();

    TestClient& connect(StartAt start);
    // Runs until nothing more happens without input.
    void settle();
    // Runs until `client` has received a whole line, or some seconds are over. The line without CRLF; empty
    // at the end.
    bool read_line(TestClient& client, std::string& line);

    TestBackend backend;
    TestLogin logins;
    ListenerFacts facts;

private:
    boost::asio::io_context context_;
    std::unique_ptr<net::TaskGroup> tasks_;
    std::vector<std::unique_ptr<TestClient>> clients_;
};

}  // namespace mailstead::imapd
