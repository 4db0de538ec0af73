#include "tests/unit/imapd/session/test_server.h"

#include <chrono>
#include <fcntl.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "imapd/session/preauth.h"
#include "imapd/session/session.h"

namespace mailstead::imapd {
namespace {

std::string contents_of(const FileDescriptor& file, std::uint64_t size) {
    std::string bytes(static_cast<std::size_t>(size), ' ');
    if (::pread(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(size))
        throw std::runtime_error("short file");
    return bytes;
}

net::Task<void> serve(TestServer* server, net::Stream stream, StartAt start) {
    Connection connection(std::move(stream), proto::kLimitsBeforeLogin);
    std::optional<LoggedIn> user = LoggedIn{"login", store::kAccount, "joe@example.org"};
    if (start == StartAt::greeting) {
        Preauth preauth(connection, server->logins, server->facts, "s1");
        user = co_await preauth.run();
    }
    if (user) {
        Capabilities capabilities;
        capabilities.hide(server->facts.hidden_capabilities);
        Session session(connection, server->backend, "s1", user->tag, user->account, user->login,
                        capabilities);
        co_await session.run();
    }
    connection.stream().close();
}

}  // namespace

net::Task<store::Outcome<store::AccountReader>> TestBackend::open(AccountId id) {
    co_return account.reader().open(id);
}

net::Task<store::Outcome<store::ChangeResult>> TestBackend::apply(AccountId, store::Change change,
                                                                  std::vector<FileDescriptor> files) {
    if (deliver_is_away) co_return store::Failure(store::Fault::unavailable, "away");
    std::vector<std::string> contents;
    if (auto* append = std::get_if<store::Append>(&change.action)) {
        for (store::NewMessage& message : append->messages) {
            contents.push_back(contents_of(files.at(message.file), message.size));
            message.cache = store::build_fetch_cache(contents.back());
        }
    }
    auto result = account.apply(change, contents);
    announce();
    co_return result;
}

Result<FileDescriptor> TestBackend::new_message_file() {
    return FileDescriptor(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

bool TestBackend::join(AccountId, Listening& session) {
    if (sessions_.size() >= max_sessions) return false;
    sessions_.push_back(&session);
    return true;
}

void TestBackend::leave(AccountId, Listening& session) {
    std::erase(sessions_, &session);
}

void TestBackend::announce() {
    for (Listening* session : sessions_) session->on_change();
}

net::Task<Result<ipc::AuthAnswer>> TestLogin::step(ipc::AuthStep step) {
    ipc::AuthAnswer answer;
    const std::string_view bytes = step.client_bytes.reveal();
    if (!step.has_initial && step.conversation == 0) {
        answer.outcome = ipc::AuthChallenge{Secret(), 1};
    } else if (step.mechanism == "PLAIN" && bytes.ends_with(std::string_view("\0joe\0secret", 11))) {
        answer.outcome = ipc::AuthSuccess{store::kAccount, "joe@example.org", Secret()};
    } else if (step.mechanism == "SCRAM-SHA-256" && bytes == "client") {
        answer.outcome = ipc::AuthSuccess{store::kAccount, "joe@example.org", Secret("v=proof")};
    } else {
        answer.outcome = ipc::AuthFailure{"wrong"};
    }
    co_return answer;
}

void TestClient::send(std::string_view bytes) {
    unsent_ += bytes;
    pump();
}

void TestClient::pump() {
    while (!unsent_.empty()) {
        const ssize_t n = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0) break;
        unsent_.erase(0, static_cast<std::size_t>(n));
    }
    char buffer[65536];
    for (;;) {
        const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (n == 0) closed_ = true;
        if (n <= 0) break;
        received.append(buffer, static_cast<std::size_t>(n));
    }
}

TestServer::TestServer() : tasks_(std::make_unique<net::TaskGroup>(context_)) {
    facts.encryption = Encryption::none;
    facts.hostname = "imap.example.org";
    backend.account.must<store::Done>(store::CreateAccount());
}

TestServer::~TestServer() {
    clients_.clear();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (tasks_->size() != 0 && std::chrono::steady_clock::now() < end) {
        context_.restart();
        context_.run_for(std::chrono::milliseconds(5));
    }
}

TestClient& TestServer::connect(StartAt start) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::runtime_error("socketpair");
    clients_.push_back(std::make_unique<TestClient>(FileDescriptor(ends[0])));
    tasks_->spawn(serve(this, net::Stream(context_, FileDescriptor(ends[1])), start));
    TestClient& client = *clients_.back();
    std::string line;
    if (start == StartAt::login) read_line(client, line);
    return client;
}

void TestServer::settle() {
    for (int quiet = 0; quiet < 3;) {
        context_.restart();
        const bool worked = context_.poll() != 0;
        for (const auto& client : clients_) client->pump();
        quiet = worked ? 0 : quiet + 1;
    }
}

bool TestServer::read_line(TestClient& client, std::string& line) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    for (;;) {
        settle();
        const std::size_t newline = client.received.find("\r\n");
        if (newline != std::string::npos) {
            line = client.received.substr(0, newline);
            client.received.erase(0, newline + 2);
            return true;
        }
        if (client.is_closed() || std::chrono::steady_clock::now() > end) return false;
        // The pool may be at work.
        context_.restart();
        context_.run_for(std::chrono::milliseconds(1));
    }
}

}  // namespace mailstead::imapd
