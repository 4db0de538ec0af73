#include "tests/unit/imapd/session/test_server.h"

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <zlib.h>

#include "common/net/event.h"
#include "imapd/pop3/session.h"
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

net::Task<void> serve(TestServer* server, net::Stream stream, StartAt start, LoggedIn who) {
    Connection connection(std::move(stream), proto::kLimitsBeforeLogin, server->timeouts);
    if (start == StartAt::pop3) {
        pop3::Session session(connection, server->logins, server->backend, server->facts, "p1");
        co_await session.run();
        connection.stream().close();
        co_return;
    }
    std::optional<LoggedIn> user = std::move(who);
    auto greeting = Preauth::Greeting::yes;
    for (bool again = true; again; greeting = Preauth::Greeting::no) {
        if (start == StartAt::greeting) {
            Preauth preauth(connection, server->logins, server->facts, "s1", greeting);
            user = co_await preauth.run();
        }
        if (!user) break;
        Capabilities capabilities;
        capabilities.hide(server->facts.hidden_capabilities);
        Session session(connection, server->backend, "s1", user->tag, user->account, user->login,
                        capabilities);
        again = co_await session.run();
        start = StartAt::greeting;
    }
    connection.stream().close();
}

}  // namespace

net::Task<store::Outcome<store::AccountReader>> TestBackend::open(AccountId id) {
    opened.insert(id);
    co_return at(id).reader().open(id);
}

net::Task<store::Outcome<store::ChangeResult>> TestBackend::apply(AccountId id, store::Change change,
                                                                  std::vector<FileDescriptor> files) {
    if (deliver_is_away) co_return store::Failure(store::Fault::unavailable, "away");
    if (slowness.count() != 0) (void)co_await net::sleep_for(slowness);
    std::vector<std::string> contents;
    if (store::Append* append = store::append_of(change.action)) {
        for (store::NewMessage& message : append->messages) {
            contents.push_back(contents_of(files.at(message.file), message.size));
            message.cache = store::build_fetch_cache(contents.back());
        }
    }
    if (refuse_expunge && std::holds_alternative<store::Expunge>(change.action))
        co_return store::Failure(store::Fault::unavailable, "refused");
    co_return commit(id, change, contents);
}

store::Outcome<store::ChangeResult> TestBackend::commit(AccountId id, const store::Change& change,
                                                        const std::vector<std::string>& contents) {
    auto result = at(id).apply(change, contents);
    const auto* acl = std::get_if<store::SetAcl>(&change.action);
    if (acl != nullptr && result && std::get<store::AclSet>(*result).still_granted)
        shares_.emplace(id, acl->who);
    announce(id);
    return result;
}

store::TestAccount& TestBackend::add_account(const std::string& address) {
    const AccountId id(static_cast<std::uint32_t>(store::kAccount.value + 1 + others_.size()));
    Other& other = others_[id];
    other = {address, std::make_unique<store::TestAccount>(id)};
    other.account->must<store::Done>(store::CreateAccount());
    return *other.account;
}

store::TestAccount& TestBackend::at(AccountId id) {
    return id == store::kAccount ? account : *others_.at(id).account;
}

store::Outcome<std::optional<AccountId>> TestBackend::account_of(std::string_view login) {
    if (login == "joe@example.org") return std::optional(store::kAccount);
    for (const auto& [id, other] : others_) {
        if (other.address == login) return std::optional(id);
    }
    return std::optional<AccountId>();
}

store::Outcome<std::optional<std::string>> TestBackend::address_of(AccountId id) {
    if (id == store::kAccount) return std::optional<std::string>("joe@example.org");
    const auto found = others_.find(id);
    return found == others_.end() ? std::nullopt : std::optional(found->second.address);
}

store::Outcome<std::vector<AccountId>> TestBackend::sharers(AccountId with) {
    std::set<AccountId> owners;
    for (const auto& [owner, who] : shares_) {
        if (owner != with && (who == with || who == store::kAnyone)) owners.insert(owner);
    }
    return std::vector<AccountId>(owners.begin(), owners.end());
}

store::Outcome<bool> TestBackend::is_sharer(AccountId owner, AccountId with) {
    return shares_.contains({owner, with}) || shares_.contains({owner, store::kAnyone});
}

Result<FileDescriptor> TestBackend::new_message_file() {
    return FileDescriptor(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

bool TestBackend::join(AccountId id, Listening& session) {
    if (joined_ >= max_sessions) return false;
    ++joined_;
    watch(id, session);
    return true;
}

void TestBackend::leave(AccountId id, Listening& session) {
    --joined_;
    unwatch(id, session);
}

void TestBackend::watch(AccountId id, Listening& session) {
    listening_.emplace(id, &session);
}

void TestBackend::unwatch(AccountId id, Listening& session) {
    const auto [begin, end] = listening_.equal_range(id);
    const auto found = std::find_if(begin, end, [&](const auto& entry) { return entry.second == &session; });
    if (found != end) listening_.erase(found);
}

void TestBackend::announce(AccountId id) {
    const auto [begin, end] = listening_.equal_range(id);
    for (auto entry = begin; entry != end; ++entry) entry->second->on_change();
}

void TestBackend::announce_in(MailboxId mailbox) {
    for (const auto& [account_id, session] : listening_)
        session->on_change_in(account_id, std::span<const MailboxId>(&mailbox, 1));
}

net::Task<Result<ipc::AuthAnswer>> TestLogin::step(ipc::AuthStep step) {
    ipc::AuthAnswer answer;
    const std::string_view bytes = step.client_bytes.reveal();
    if (!step.has_initial && step.conversation == 0) {
        answer.outcome = ipc::AuthChallenge{Secret(), 1};
    } else if (step.mechanism == "PLAIN" && bytes.ends_with(std::string_view("\0joe\0secret", 11))) {
        answer.outcome = ipc::AuthSuccess{store::kAccount, "joe@example.org", Secret(), {}, 0};
    } else if (step.mechanism == "SCRAM-SHA-256" && bytes == "client") {
        answer.outcome = ipc::AuthSuccess{store::kAccount, "joe@example.org", Secret("v=proof"), {}, 0};
    } else if (step.mechanism == "PLAIN" && bytes.find('\0') == std::string_view::npos) {
        answer.outcome = ipc::AuthFailure{"malformed", ipc::AuthFailure::Kind::malformed};
    } else if (step.mechanism == "PLAIN" && bytes.front() != '\0') {
        answer.outcome = ipc::AuthFailure{"not_authorized", ipc::AuthFailure::Kind::not_authorized};
    } else {
        answer.outcome = ipc::AuthFailure{"wrong"};
    }
    co_return answer;
}

struct TestClient::Zip {
    z_stream out{};
    z_stream in{};
    Zip() {
        deflateInit2(&out, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
        inflateInit2(&in, -15);
    }
    ~Zip() {
        deflateEnd(&out);
        inflateEnd(&in);
    }
    static std::string run(z_stream& z, int (*step)(z_stream*, int), std::string_view bytes) {
        std::string made;
        char piece[4096];
        z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        z.avail_in = static_cast<uInt>(bytes.size());
        do {
            z.next_out = reinterpret_cast<Bytef*>(piece);
            z.avail_out = sizeof piece;
            if (const int result = step(&z, Z_SYNC_FLUSH); result != Z_OK && result != Z_BUF_ERROR)
                throw std::runtime_error("zlib");
            made.append(piece, sizeof piece - z.avail_out);
        } while (z.avail_out == 0);
        return made;
    }
};

void TestClient::compress(bool active) {
    zip_ = active ? std::make_shared<Zip>() : nullptr;
}

std::string TestClient::packed(std::string_view bytes) {
    return zip_ ? Zip::run(zip_->out, deflate, bytes) : std::string(bytes);
}

void TestClient::take(std::string_view bytes) {
    received += zip_ ? Zip::run(zip_->in, inflate, bytes) : std::string(bytes);
}

void TestClient::send(std::string_view bytes) {
    send_raw(packed(bytes));
}

void TestClient::send_raw(std::string_view bytes) {
    unsent_ += bytes;
    pump();
}

void TestClient::pump() {
    while (!unsent_.empty()) {
        const ssize_t n = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0) break;
        unsent_.erase(0, static_cast<std::size_t>(n));
    }
    if (deaf) return;
    char buffer[65536];
    for (;;) {
        const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (n == 0) closed_ = true;
        if (n <= 0) break;
        take({buffer, static_cast<std::size_t>(n)});
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

TestClient& TestServer::connect(StartAt start, const std::string& login) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::runtime_error("socketpair");
    clients_.push_back(std::make_unique<TestClient>(FileDescriptor(ends[0])));
    LoggedIn who{"login", backend.account_of(login)->value(), login};
    tasks_->spawn(serve(this, net::Stream(context_, FileDescriptor(ends[1])), start, std::move(who)));
    TestClient& client = *clients_.back();
    std::string line;
    if (start == StartAt::login) read_line(client, line);
    return client;
}

void TestServer::run_until_closed(TestClient& client) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!client.is_closed() && std::chrono::steady_clock::now() < end) {
        context_.restart();
        context_.run_for(std::chrono::milliseconds(1));
        client.pump();
    }
}

void TestServer::run_for_a_moment() {
    context_.restart();
    context_.run_for(std::chrono::milliseconds(1));
}

void TestServer::settle() {
    for (int quiet = 0; quiet < 3;) {
        context_.restart();
        const bool worked = context_.poll() != 0;
        for (const auto& client : clients_) client->pump();
        quiet = worked ? 0 : quiet + 1;
    }
}

void TestServer::run_briefly() {
    settle();
    context_.restart();
    context_.run_for(std::chrono::milliseconds(1));
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
