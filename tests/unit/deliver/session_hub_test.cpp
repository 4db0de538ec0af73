// Sessions of a daemon that deliver has listed and ended: the daemon's book, deliver's hub, and the socket
// between them.
#include "deliver/auth/session_hub.h"

#include <optional>

#include <gtest/gtest.h>

#include "common/directory/editor.h"
#include "common/ipc/session_book.h"
#include "common/net/event.h"
#include "common/net/io_threads.h"
#include "common/net/listener.h"
#include "tests/unit/kv/temporary_folder.h"
#include "tests/unit/net/support.h"

namespace mailstead::deliver {
namespace {

using namespace net::test;

// A session as daemons have them, which ends at once.
class FakeSession final : public ipc::LiveSession {
public:
    FakeSession(boost::asio::io_context& context, std::string address) : ended_(context) {
        facts_.login = "you@example.org";
        facts_.peer = net::SocketAddress::parse(address).value();
        facts_.last_command = "IDLE";
    }
    ipc::SessionFacts facts() const override { return facts_; }
    void end(ipc::EndReason why) override {
        reason = why;
        ended_.notify();
    }
    net::Event& ended() { return ended_; }
    std::optional<ipc::EndReason> reason;

private:
    ipc::SessionFacts facts_;
    net::Event ended_;
};

net::Task<void> wait_for(net::Event* event) {
    const auto waited = co_await event->wait(kLong);
    EXPECT_TRUE(waited);
}
template <class Answer>
net::Task<void> keep(net::Task<Answer> task, std::optional<Answer>* out) {
    Answer answer = co_await std::move(task);
    out->emplace(std::move(answer));
}

class SessionHubTest : public ::testing::Test {
protected:
    SessionHubTest() {
        EXPECT_TRUE(directory_->add_domain(*Domain::parse("example.org"), {}));
        account_ = directory_->add_account({*Address::parse("you@example.org"), "", {}, {}}).value();
        EXPECT_TRUE(editor_->set_password(account_, Secret("pencil")));
        phone_ = editor_->add_app_password(account_, "phone").value();
        start_deliver();
        threads_.start();
    }
    ~SessionHubTest() override {
        book_.request_stop();
        loop_.context.poll();
        stop_deliver();
        threads_.stop();
        threads_.join();
    }

    void start_deliver() {
        hub_.emplace(authenticator_, pool_);
        ipc::ServerOptions options;
        options.program = "deliver";
        options.role = ipc::Role::imapd;
        server_.emplace(threads_, *net::bind_unix(path_, 0600), std::move(options),
                        [this](ipc::Message request, const ipc::PeerInfo& peer) {
                            return serve(std::move(request), peer.connection);
                        });
        server_->on_gone([this](const ipc::PeerInfo& peer) { hub_->forget(peer.connection); });
        server_->on_disconnect([this](const ipc::PeerInfo& peer) {
            hub_->forget(peer.connection);
            ++disconnects_;
        });
        server_->start();
    }
    void stop_deliver() {
        server_->request_stop();
        hub_->request_stop();
        EXPECT_TRUE(server_->wait_idle(20s));
        server_.reset();
        ::unlink(path_.c_str());
    }
    net::Task<ipc::Message> serve(ipc::Message request, std::uint64_t connection) {
        if (request.type == ipc::MessageType::session_poll) {
            const auto poll = ipc::SessionPoll::decode(request.payload).value();
            ++polls_;
            const auto orders = co_await hub_->poll(poll, connection);
            co_return ipc::make_message(orders);
        }
        if (request.type == ipc::MessageType::session_check) {
            auto check = ipc::SessionCheck::decode(request.payload).value();
            const auto verdicts = co_await hub_->check(std::move(check));
            ++checks_;
            co_return ipc::make_message(verdicts);
        }
        auto result = ipc::SessionResult::decode(request.payload).value();
        hub_->take_result(std::move(result), connection);
        co_return ipc::make_message(ipc::Done{});
    }

    // What the login of that moment was by.
    Credential proof(std::string_view password) {
        return authenticator_.verify_password("you@example.org", password).value()->credential;
    }
    void enter(const std::string& id, FakeSession& session, std::string_view password) {
        book_.enter(session, id, account_, proof(password), hub_->epoch());
    }
    // Runs the daemon until it has told deliver that it is there, and done what it heard.
    void meet() {
        while (polls_ < 2) loop_.context.run_one_for(100ms);
    }
    // Runs the daemon until the task, which runs on deliver's side, is done.
    template <class Answer>
    Answer ask(net::Task<Answer> task) {
        std::optional<Answer> answer;
        loop_.tasks.spawn(keep(std::move(task), &answer));
        while (!answer) loop_.context.run_one_for(1s);
        return *std::move(answer);
    }
    ipc::SessionsEnded tell_of_change() { return ask(hub_->account_changed(account_)); }

    mailstead::testing::TemporaryFolder folder_;
    std::string path_ = (folder_.path() / "deliver.sock").string();
    net::IoThreads threads_{1};
    Loop loop_;
    std::unique_ptr<directory::Editor> directory_ = directory::edit_directory(folder_.path()).value();
    std::unique_ptr<directory::CredentialsEditor> editor_ =
        directory::edit_credentials(folder_.path()).value();
    directory::Authenticator authenticator_{*directory_, *editor_};
    runtime::OffloadPool pool_{1, 100};
    std::optional<SessionHub> hub_;
    std::optional<ipc::Server> server_;
    std::atomic<int> polls_{0};
    std::atomic<int> checks_{0};
    std::atomic<int> disconnects_{0};
    ipc::Client client_{loop_.context, ipc::ClientOptions{path_, "imapd"}};
    ipc::SessionBook book_{loop_.context, client_};
    AccountId account_;
    Secret phone_;
};

TEST_F(SessionHubTest, ANewPasswordEndsTheSessionsThatUsedTheOldAndNoOthers) {
    FakeSession desk(loop_.context, "192.0.2.1:1000");
    FakeSession phone(loop_.context, "192.0.2.2:1000");
    book_.start();
    meet();
    enter("i1", desk, "pencil");
    enter("i2", phone, phone_.reveal());
    EXPECT_EQ(tell_of_change().count, 0u) << "nothing has changed";
    ASSERT_TRUE(editor_->set_password(account_, Secret("crayon")));
    EXPECT_EQ(tell_of_change().count, 1u);
    EXPECT_EQ(desk.reason, ipc::EndReason::credential);
    EXPECT_FALSE(phone.reason);
    EXPECT_EQ(tell_of_change().count, 0u) << "none ends twice";
}

TEST_F(SessionHubTest, ARemovedAppPasswordEndsItsOwnSessionsAlone) {
    FakeSession desk(loop_.context, "192.0.2.1:1000");
    FakeSession phone(loop_.context, "192.0.2.2:1000");
    book_.start();
    meet();
    enter("i1", desk, "pencil");
    enter("i2", phone, phone_.reveal());
    ASSERT_TRUE(editor_->add_app_password(account_, "tablet"));
    EXPECT_EQ(tell_of_change().count, 0u) << "one more is no reason";
    ASSERT_TRUE(editor_->remove_app_password(account_, "phone").value());
    ASSERT_TRUE(editor_->add_app_password(account_, "phone"));
    EXPECT_EQ(tell_of_change().count, 1u) << "a new one of the same name is another";
    EXPECT_FALSE(desk.reason);
    EXPECT_EQ(phone.reason, ipc::EndReason::credential);
}

TEST_F(SessionHubTest, ALockedAccountHasNoSessionsWhateverTheyUsed) {
    FakeSession desk(loop_.context, "192.0.2.1:1000");
    FakeSession token(loop_.context, "192.0.2.2:1000");
    book_.start();
    meet();
    enter("i1", desk, "pencil");
    book_.enter(token, "i2", account_, {Credential::Kind::token, {}, 0}, hub_->epoch());
    ASSERT_TRUE(directory_->set_state(account_, directory::AccountState::disabled));
    EXPECT_EQ(tell_of_change().count, 2u);
    EXPECT_EQ(desk.reason, ipc::EndReason::account_locked);
    EXPECT_EQ(token.reason, ipc::EndReason::account_locked);
}

TEST_F(SessionHubTest, WhatWasRevokedWhileDeliverWasAwayEndsWhenItIsBack) {
    FakeSession desk(loop_.context, "192.0.2.1:1000");
    book_.start();
    meet();
    enter("i1", desk, "pencil");
    stop_deliver();
    ASSERT_TRUE(editor_->set_password(account_, Secret("crayon")));
    start_deliver();
    loop_.tasks.spawn(wait_for(&desk.ended()));
    loop_.run();
    EXPECT_EQ(desk.reason, ipc::EndReason::credential);
}

TEST_F(SessionHubTest, WhatWasRevokedBetweenTheProofAndTheSessionEndsAtOnce) {
    FakeSession desk(loop_.context, "192.0.2.1:1000");
    book_.start();
    meet();
    const Credential credential = proof("pencil");
    const std::uint64_t epoch = hub_->epoch();
    ASSERT_TRUE(editor_->set_password(account_, Secret("crayon")));
    EXPECT_EQ(tell_of_change().count, 0u) << "the session has not begun";
    book_.enter(desk, "i1", account_, credential, epoch);
    loop_.tasks.spawn(wait_for(&desk.ended()));
    loop_.run();
    EXPECT_EQ(desk.reason, ipc::EndReason::credential);
}

TEST_F(SessionHubTest, WhoListsWhatTheDaemonHas) {
    FakeSession desk(loop_.context, "192.0.2.1:1000");
    FakeSession phone(loop_.context, "[2001:db8::1]:2000");
    book_.start();
    meet();
    enter("i1", desk, "pencil");
    enter("i2", phone, phone_.reveal());
    auto answer = ask(hub_->who({}));
    EXPECT_EQ(answer.silent, 0u);
    EXPECT_FALSE(answer.more);
    ASSERT_EQ(answer.sessions.size(), 2u);
    if (answer.sessions[0].id != "i1") std::swap(answer.sessions[0], answer.sessions[1]);
    EXPECT_EQ(answer.sessions[0].account, account_);
    EXPECT_EQ(answer.sessions[0].last_command, "IDLE");
    EXPECT_EQ(answer.sessions[1].peer.to_string(), "[2001:db8::1]:2000");
    EXPECT_EQ(answer.sessions[1].credential.name, "phone");
    EXPECT_TRUE(ask(hub_->who(AccountId(99))).sessions.empty());
    book_.leave("i1");
    EXPECT_EQ(ask(hub_->who(account_)).sessions.size(), 1u);
}

TEST_F(SessionHubTest, WhoListsMoreThanOneMessageHolds) {
    FakeSession desk(loop_.context, "192.0.2.1:1000");
    book_.start();
    meet();
    const Credential credential = proof("pencil");
    for (int i = 0; i < 1'234; ++i)
        book_.enter(desk, "i" + std::to_string(i), account_, credential, hub_->epoch());
    EXPECT_EQ(ask(hub_->who({})).sessions.size(), 1'234u);
}

TEST_F(SessionHubTest, KickEndsByAccountBySessionAndByAddress) {
    FakeSession one(loop_.context, "192.0.2.1:1000");
    FakeSession two(loop_.context, "192.0.2.2:1000");
    FakeSession three(loop_.context, "192.0.2.2:1001");
    book_.start();
    meet();
    enter("i1", one, "pencil");
    enter("i2", two, "pencil");
    enter("i3", three, "pencil");
    EXPECT_EQ(ask(hub_->kick(ipc::SessionNamed{"i9"})).count, 0u);
    EXPECT_EQ(ask(hub_->kick(ipc::SessionNamed{"i2"})).count, 1u);
    EXPECT_EQ(two.reason, ipc::EndReason::administrator);
    EXPECT_EQ(ask(hub_->kick(ipc::SessionsFrom{net::parse_ip("192.0.2.2").value()})).count, 1u);
    EXPECT_TRUE(three.reason);
    EXPECT_FALSE(one.reason);
    EXPECT_EQ(ask(hub_->kick(ipc::SessionsOf{account_})).count, 1u);
    EXPECT_TRUE(one.reason);
}

TEST_F(SessionHubTest, ADaemonThatIsGoneIsNotWaitedFor) {
    {
        ipc::Client other(loop_.context, ipc::ClientOptions{path_, "smtpd"});
        ipc::SessionBook gone(loop_.context, other);
        gone.start();
        meet();
        gone.request_stop();
        loop_.context.poll();
    }
    while (disconnects_ < 1) std::this_thread::yield();
    EXPECT_EQ(tell_of_change().silent, 0u);
}

}  // namespace
}  // namespace mailstead::deliver
