// Logins as smtpd and imapd ask for them: real accounts and passwords behind the service.
#include <algorithm>
#include <chrono>
#include <future>

#include <gtest/gtest.h>

#include "common/directory/editor.h"
#include "common/sasl/client.h"
#include "deliver/auth/auth_service.h"
#include "tests/unit/kv/temporary_folder.h"
#include "tests/unit/net/support.h"

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;
using Clock = LoginGuard::Clock;

// Credentials that can be spoiled behind the back of whoever remembers that they held.
class Spoilt final : public directory::Credentials {
public:
    explicit Spoilt(const directory::Credentials& real) : real_(real) {}
    Result<std::optional<directory::AccountCredentials>> find(AccountId account) const override {
        auto found = real_.find(account);
        if (found && *found && spoil) (*found)->password_hash.back() ^= 1;
        if (found && *found && younger) ++(*found)->generation;
        return found;
    }
    std::string_view installation_key() const override { return real_.installation_key(); }
    Result<std::vector<directory::DkimKey>> dkim_keys(const Domain& domain) const override {
        return real_.dkim_keys(domain);
    }
    bool spoil = false;
    bool younger = false;

private:
    const directory::Credentials& real_;
};

// Keeps the pool's one thread busy until it is opened.
class Gate {
public:
    explicit Gate(runtime::FairPool& pool) {
        std::unique_ptr<runtime::FairPool::Job> job = std::make_unique<Job>(*this);
        EXPECT_NE(pool.submit({"gate", "gate"}, job), 0u);
        entered_.get_future().wait();
    }
    void open() { opened_.set_value(); }

private:
    struct Job final : runtime::FairPool::Job {
        explicit Job(Gate& whose) : gate(whose) {}
        void run() noexcept override {
            auto opened = gate.opened_.get_future();
            gate.entered_.set_value();
            opened.wait();
        }
        void drop() noexcept override {}
        Gate& gate;
    };
    std::promise<void> entered_;
    std::promise<void> opened_;
};

net::Task<void> keep(net::Task<ipc::AuthAnswer> task, ipc::AuthAnswer* out) {
    *out = co_await std::move(task);
}

class DeliverAuth : public ::testing::Test {
protected:
    DeliverAuth() {
        EXPECT_TRUE(directory_->add_domain(*Domain::parse("example.org"), {}));
        account_ = directory_->add_account({*Address::parse("you@example.org"), "", {}, {}}).value();
        EXPECT_TRUE(editor_->set_password(account_, Secret("pencil")));
    }

    static ipc::AuthStep begin(std::string_view mechanism, std::optional<std::string_view> initial,
                               std::string_view ip = "192.0.2.1") {
        ipc::AuthStep step;
        step.mechanism = mechanism;
        step.has_initial = initial.has_value();
        if (initial) step.client_bytes = Secret(*initial);
        step.client_ip = net::parse_ip(ip).value();
        return step;
    }
    static ipc::AuthStep plain(std::string_view login, std::string_view password,
                               std::string_view ip = "192.0.2.1") {
        const std::string bytes = '\0' + std::string(login) + '\0' + std::string(password);
        return begin("PLAIN", bytes, ip);
    }
    static ipc::AuthStep next(std::uint64_t conversation, std::string_view bytes) {
        ipc::AuthStep step;
        step.conversation = conversation;
        step.client_bytes = Secret(bytes);
        return step;
    }
    ipc::AuthAnswer ask(ipc::AuthStep step, std::uint64_t connection = 1) {
        ipc::AuthAnswer answer;
        loop_.tasks.spawn(keep(service_.step(std::move(step), connection), &answer));
        loop_.run();
        return answer;
    }
    // `success`, `challenge`, `busy`, or why it failed.
    static std::string said(const ipc::AuthAnswer& answer) {
        if (std::holds_alternative<ipc::AuthSuccess>(answer.outcome)) return "success";
        if (std::holds_alternative<ipc::AuthChallenge>(answer.outcome)) return "challenge";
        if (std::holds_alternative<ipc::AuthBusy>(answer.outcome)) return "busy";
        return std::get<ipc::AuthFailure>(answer.outcome).reason;
    }
    static const ipc::AuthChallenge& challenge_of(const ipc::AuthAnswer& answer) {
        return std::get<ipc::AuthChallenge>(answer.outcome);
    }
    // A whole SCRAM or LOGIN conversation.
    std::string converse(std::string_view mechanism, std::string_view login, std::string_view password) {
        const auto client = sasl::start_client(mechanism, login, Secret(password), {});
        const auto first = client->initial_response();
        ipc::AuthAnswer answer = ask(first ? begin(mechanism, *first) : begin(mechanism, std::nullopt));
        while (std::holds_alternative<ipc::AuthChallenge>(answer.outcome)) {
            const auto& challenge = challenge_of(answer);
            const auto response = client->respond(challenge.bytes.reveal());
            if (!response) return "client gave up";
            answer = ask(next(challenge.conversation, *response));
        }
        return said(answer);
    }

    ::mailstead::testing::TemporaryFolder folder_;
    net::test::Loop loop_;  // outlives the pool, whose thread wakes it
    std::unique_ptr<directory::Editor> directory_ = directory::edit_directory(folder_.path()).value();
    std::unique_ptr<directory::CredentialsEditor> editor_ =
        directory::edit_credentials(folder_.path()).value();
    Spoilt credentials_{*editor_};
    directory::Authenticator authenticator_{*directory_, credentials_};
    runtime::FairPool pool_{{.threads = 1, .per_address = 4}};
    AuthService service_{authenticator_, pool_};
    AccountId account_;
};

TEST_F(DeliverAuth, EveryMechanismEndsInTheAccountAndItsLogin) {
    for (const std::string mechanism : {"PLAIN", "LOGIN", "SCRAM-SHA-256"})
        EXPECT_EQ(converse(mechanism, "you@example.org", "pencil"), "success") << mechanism;
    const ipc::AuthAnswer answer = ask(plain("YOU@example.org", "pencil"));
    const auto& success = std::get<ipc::AuthSuccess>(answer.outcome);
    EXPECT_EQ(success.account, account_);
    EXPECT_EQ(converse("SCRAM-SHA-256", "you@example.org", "crayon"), "wrong_credentials");
}

TEST_F(DeliverAuth, AnUnknownMechanismIsRefusedAtOnce) {
    EXPECT_TRUE(said(ask(begin("CRAM-MD5", ""))).starts_with("unknown mechanism"));
    EXPECT_TRUE(said(ask(begin("SCRAM-SHA-256-PLUS", ""))).starts_with("unknown mechanism"))
        << "nothing to bind to";
}

TEST_F(DeliverAuth, AClientThatDidNotSpeakFirstHearsAChallenge_Rfc4422_3_3) {
    const ipc::AuthAnswer answer = ask(begin("PLAIN", std::nullopt));
    ASSERT_EQ(said(answer), "challenge");
    EXPECT_EQ(challenge_of(answer).bytes.reveal(), "");
    const std::string bytes = std::string("\0you@example.org\0pencil", 23);
    EXPECT_EQ(said(ask(next(challenge_of(answer).conversation, bytes))), "success");
}

TEST_F(DeliverAuth, AConversationBelongsToItsConnection) {
    const ipc::AuthAnswer answer = ask(begin("LOGIN", std::nullopt), 1);
    const std::uint64_t id = challenge_of(answer).conversation;
    EXPECT_EQ(said(ask(next(id, "you@example.org"), 2)), "no such conversation");
    EXPECT_EQ(said(ask(next(id, "you@example.org"), 1)), "challenge") << "untouched by the stranger";
}

TEST_F(DeliverAuth, AStepIsNotPlayedTwice) {
    const ipc::AuthAnswer answer = ask(begin("LOGIN", std::nullopt));
    const std::uint64_t id = challenge_of(answer).conversation;
    EXPECT_EQ(said(ask(next(id, "you@example.org"))), "challenge");
    EXPECT_EQ(said(ask(next(id, "you@example.org"))), "no such conversation");
}

TEST_F(DeliverAuth, ACancelledConversationAndALostConnectionAreForgotten) {
    const std::uint64_t first = challenge_of(ask(begin("LOGIN", std::nullopt), 1)).conversation;
    service_.cancel({first, 0}, 2);
    EXPECT_EQ(said(ask(next(first, "you@example.org"), 1)), "challenge") << "not the stranger's to cancel";
    const std::uint64_t second = challenge_of(ask(begin("LOGIN", std::nullopt), 1)).conversation;
    service_.cancel({second, 0}, 1);
    EXPECT_EQ(said(ask(next(second, "you@example.org"), 1)), "no such conversation");
    const std::uint64_t third = challenge_of(ask(begin("LOGIN", std::nullopt), 1)).conversation;
    const std::uint64_t other = challenge_of(ask(begin("LOGIN", std::nullopt), 2)).conversation;
    service_.forget(1);
    EXPECT_EQ(said(ask(next(third, "you@example.org"), 1)), "no such conversation");
    EXPECT_EQ(said(ask(next(other, "you@example.org"), 2)), "challenge");
}

TEST_F(DeliverAuth, ConversationsAreBounded) {
    std::vector<ipc::AuthAnswer> answers(2'001);
    for (auto& answer : answers)
        loop_.tasks.spawn(keep(service_.step(begin("LOGIN", std::nullopt), 1), &answer));
    loop_.run();
    EXPECT_EQ(std::count_if(answers.begin(), answers.end(),
                            [](const auto& each) { return said(each) == "challenge"; }),
              2'000);
    EXPECT_EQ(said(answers.back()), "busy");
    service_.forget(1);
    EXPECT_EQ(said(ask(begin("LOGIN", std::nullopt))), "challenge");
}

TEST_F(DeliverAuth, MoreLoginsAtOnceThanThePoolHoldsHearLater) {
    Gate gate(pool_);
    std::vector<ipc::AuthAnswer> answers(6);
    for (auto& answer : answers)
        loop_.tasks.spawn(keep(service_.step(plain("you@example.org", "pencil"), 1), &answer));
    while (pool_.queued() < 4) loop_.context.run_one();
    loop_.context.poll();
    gate.open();
    loop_.run();
    for (std::size_t i = 0; i < answers.size(); ++i)
        EXPECT_EQ(said(answers[i]), i < 4 ? "success" : "busy") << i;
    EXPECT_EQ(said(ask(plain("you@example.org", "pencil"))), "success") << "and nobody was locked out";
}

TEST_F(DeliverAuth, AClientThatHangsUpWhileItsPasswordWaitsCostsNoHash) {
    Gate gate(pool_);
    ipc::AuthAnswer gone;
    ipc::AuthAnswer there;
    ipc::AuthStep step = plain("you@example.org", "crayon", "192.0.2.66");
    step.attempt = 7;
    loop_.tasks.spawn(keep(service_.step(std::move(step), 1), &gone));
    loop_.tasks.spawn(keep(service_.step(plain("you@example.org", "pencil"), 1), &there));
    while (pool_.queued() < 2) loop_.context.run_one();
    service_.cancel({0, 7}, 2);
    EXPECT_EQ(pool_.queued(), 2u) << "not the stranger's to cancel";
    service_.cancel({0, 7}, 1);
    EXPECT_EQ(pool_.queued(), 1u);
    gate.open();
    loop_.run();
    EXPECT_EQ(said(gone), "busy");
    EXPECT_EQ(said(there), "success");
}

TEST_F(DeliverAuth, HangingUpIsNoWayToGuessFaster) {
    const auto hang_up = [&](std::uint64_t attempt) {
        Gate gate(pool_);
        ipc::AuthAnswer answer;
        ipc::AuthStep step = plain("you@example.org", "crayon");
        step.attempt = attempt;
        loop_.context.restart();
        loop_.tasks.spawn(keep(service_.step(std::move(step), 1), &answer));
        while (pool_.queued() < 1) loop_.context.run_one();
        service_.cancel({0, attempt}, 1);
        gate.open();
        loop_.run();
    };
    for (std::uint64_t i = 1; i <= 4; ++i) hang_up(i);
    const auto start = Clock::now();
    EXPECT_EQ(said(ask(plain("you@example.org", "crayon"))), "wrong_credentials");
    EXPECT_GE(Clock::now() - start, 200ms) << "as after four wrong passwords";
}

TEST_F(DeliverAuth, WhatWaitedForALostDaemonIsGivenUpAndBlamesNobody) {
    std::vector<ipc::AuthAnswer> answers(4);
    {
        Gate gate(pool_);
        for (auto& answer : answers)
            loop_.tasks.spawn(keep(service_.step(plain("you@example.org", "crayon"), 5), &answer));
        while (pool_.queued() < 4) loop_.context.run_one();
        service_.forget(5);
        EXPECT_EQ(pool_.queued(), 0u);
        gate.open();
        loop_.run();
    }
    for (const auto& answer : answers) EXPECT_EQ(said(answer), "busy");
    const auto start = Clock::now();
    EXPECT_EQ(said(ask(plain("you@example.org", "pencil"), 6)), "success");
    EXPECT_LT(Clock::now() - start, 250ms + 5s) << "no turn was waited for";
}

TEST_F(DeliverAuth, ARecentSuccessCostsNoSecondProof) {
    ASSERT_EQ(said(ask(plain("you@example.org", "pencil"))), "success");
    credentials_.spoil = true;
    EXPECT_EQ(said(ask(plain("you@example.org", "pencil"))), "success") << "remembered";
    EXPECT_EQ(said(ask(plain("you@example.org", "crayon"))), "wrong_credentials");
    credentials_.younger = true;
    EXPECT_EQ(said(ask(plain("you@example.org", "pencil"))), "wrong_credentials") << "of older credentials";
}

TEST_F(DeliverAuth, ADisabledAccountIsAnsweredLikeAWrongPassword) {
    ASSERT_EQ(said(ask(plain("you@example.org", "pencil"))), "success");
    ASSERT_TRUE(directory_->set_state(account_, directory::AccountState::disabled));
    EXPECT_EQ(said(ask(plain("you@example.org", "pencil"))), "wrong_credentials") << "remembered or not";
    EXPECT_EQ(converse("SCRAM-SHA-256", "you@example.org", "pencil"), "wrong_credentials");
    EXPECT_EQ(said(ask(plain("nobody@example.org", "pencil"))), "wrong_credentials");
}

TEST_F(DeliverAuth, GuessingIsSlowedDownBeforeTheHashAndTheRightPasswordStillWorks) {
    for (int i = 0; i < 4; ++i) EXPECT_EQ(said(ask(plain("you@example.org", "crayon"))), "wrong_credentials");
    const auto start = Clock::now();
    ipc::AuthAnswer answer;
    loop_.tasks.spawn(keep(service_.step(plain("YOU@example.org", "crayon"), 1), &answer));
    loop_.context.restart();
    loop_.context.poll();
    EXPECT_EQ(pool_.queued(), 0u) << "it waits for its turn";
    loop_.run();
    EXPECT_EQ(said(answer), "wrong_credentials") << "the same login";
    EXPECT_GE(Clock::now() - start, 200ms);
    EXPECT_EQ(said(ask(plain("you@example.org", "pencil"))), "success");
}

TEST_F(DeliverAuth, ASuccessSaysByWhichCredential) {
    const auto credential = [&](std::string_view password) {
        return std::get<ipc::AuthSuccess>(ask(plain("you@example.org", password)).outcome).credential;
    };
    const Secret phone = editor_->add_app_password(account_, "phone").value();
    EXPECT_EQ(credential("pencil").kind, Credential::Kind::password);
    EXPECT_EQ(credential(phone.reveal()).kind, Credential::Kind::app_password);
    EXPECT_EQ(credential(phone.reveal()).name, "phone");
}

}  // namespace
}  // namespace mailstead::deliver
