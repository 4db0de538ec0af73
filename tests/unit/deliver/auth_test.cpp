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
using Clock = FailureDelays::Clock;

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
    runtime::OffloadPool pool_{1, 4};
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
    service_.cancel(first, 2);
    EXPECT_EQ(said(ask(next(first, "you@example.org"), 1)), "challenge") << "not the stranger's to cancel";
    const std::uint64_t second = challenge_of(ask(begin("LOGIN", std::nullopt), 1)).conversation;
    service_.cancel(second, 1);
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
    // A job that keeps the one thread busy until all logins have come.
    struct Gate final : runtime::OffloadPool::Job {
        void run() noexcept override {
            entered.set_value();
            opened.get_future().wait();
        }
        std::promise<void> entered;
        std::promise<void> opened;
    };
    auto owned = std::make_unique<Gate>();
    Gate& gate = *owned;
    std::unique_ptr<runtime::OffloadPool::Job> job = std::move(owned);
    ASSERT_TRUE(pool_.submit(job));
    gate.entered.get_future().wait();

    std::vector<ipc::AuthAnswer> answers(6);
    for (auto& answer : answers)
        loop_.tasks.spawn(keep(service_.step(plain("you@example.org", "pencil"), 1), &answer));
    while (pool_.queued() < 4) loop_.context.run_one();
    loop_.context.poll();
    gate.opened.set_value();
    loop_.run();
    for (std::size_t i = 0; i < answers.size(); ++i)
        EXPECT_EQ(said(answers[i]), i < 4 ? "success" : "busy") << i;
    EXPECT_EQ(said(ask(plain("you@example.org", "pencil"))), "success") << "and nobody was locked out";
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

TEST_F(DeliverAuth, AFourthFailureIsAnsweredLateAndTheRightPasswordStillWorks) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(said(ask(plain("you@example.org", "crayon"))), "wrong_credentials");
    const auto start = Clock::now();
    EXPECT_EQ(said(ask(plain("YOU@example.org", "crayon"))), "wrong_credentials") << "the same login";
    EXPECT_GE(Clock::now() - start, 250ms);
    EXPECT_EQ(said(ask(plain("you@example.org", "pencil"))), "success");
}

TEST(DeliverAuthDelays, GrowFromAQuarterSecondToTenAndStayThere) {
    FailureDelays delays;
    const Clock::time_point at{};
    std::vector<std::int64_t> seen;
    for (int i = 0; i < 12; ++i) {
        delays.failed("a", at);
        seen.push_back(delays.delay("a", at).count());
    }
    EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 0, 0, 250, 500, 1'000, 2'000, 4'000, 8'000, 10'000, 10'000,
                                               10'000}));
    EXPECT_EQ(delays.delay("b", at), 0ms) << "another pair";
}

TEST(DeliverAuthDelays, EndWithASuccessOrAnHour) {
    FailureDelays delays;
    const Clock::time_point at{};
    for (int i = 0; i < 5; ++i) delays.failed("a", at);
    EXPECT_EQ(delays.delay("a", at + 1h), 500ms);
    EXPECT_EQ(delays.delay("a", at + 1h + 1ms), 0ms);
    delays.failed("a", at + 1h + 1ms);
    EXPECT_EQ(delays.delay("a", at + 1h + 1ms), 0ms) << "counted anew";
    for (int i = 0; i < 5; ++i) delays.failed("a", at + 2h);
    EXPECT_NE(delays.delay("a", at + 2h), 0ms);
    delays.succeeded("a");
    EXPECT_EQ(delays.delay("a", at + 2h), 0ms);
}

TEST(DeliverAuthDelays, RememberABoundedNumberOfPairs) {
    FailureDelays delays;
    Clock::time_point at{};
    for (int i = 0; i < 5; ++i) delays.failed("old", at);
    at += 10min;
    for (int i = 0; i < 5; ++i) delays.failed("young", at);
    for (int i = 0; i < 49'998; ++i) delays.failed(std::to_string(i), at);
    EXPECT_NE(delays.delay("old", at), 0ms) << "there is room for all";
    delays.failed("one more", at);
    EXPECT_EQ(delays.delay("old", at), 0ms) << "the oldest made room";
    EXPECT_NE(delays.delay("young", at), 0ms);
}

}  // namespace
}  // namespace mailstead::deliver
