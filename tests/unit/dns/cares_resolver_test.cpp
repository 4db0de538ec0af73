#include "common/dns/cares_resolver.h"

#include <atomic>
#include <future>
#include <set>

#include "dns_server.h"
#include "tests/unit/net/support.h"

namespace mailstead::dns {
namespace {

using namespace net::test;
using test::Query;
using test::ResponseBuilder;
using test::Server;
using B = ResponseBuilder;

constexpr std::uint16_t kAd = 0x0020;
constexpr std::uint16_t kTc = 0x0200;
const std::string kIp("\xC0\x00\x02\x01", 4);

std::string one_address(const Query& query, std::uint16_t flags = 0, std::uint32_t ttl = 60) {
    return B(query.question, flags).answer(query.question.name, 1, ttl, kIp).bytes(query.id);
}

class ResolverTest : public ::testing::Test {
protected:
    CaresResolver& resolver(const Server& server, ResolverOptions options = {}) {
        options.servers = {server.address()};
        auto made = CaresResolver::create(loop.context, options);
        EXPECT_TRUE(made) << made.error().what;
        resolver_ = *std::move(made);
        return *resolver_;
    }
    static net::Task<void> ask(CaresResolver& whom, std::string name, std::vector<Answer<IpAddress>>& into) {
        auto answer = co_await whom.a(std::move(name));
        into.push_back(std::move(answer));
    }
    // The answers to these names, asked at once.
    std::vector<Answer<IpAddress>> ask_all(CaresResolver& whom, const std::vector<std::string>& names) {
        std::vector<Answer<IpAddress>> answers;
        for (const std::string& name : names) loop.tasks.spawn(ask(whom, name, answers));
        loop.run();
        return answers;
    }
    Answer<IpAddress> ask_one(CaresResolver& whom, const std::string& name) {
        const auto answers = ask_all(whom, {name});
        return answers.empty() ? Answer<IpAddress>() : answers.front();
    }

    Loop loop;
    std::unique_ptr<CaresResolver> resolver_;
};

TEST_F(ResolverTest, AnswersAndRemembersWhileTheTtlLasts) {
    const Server server([](const Query& query) { return one_address(query, kAd); });
    CaresResolver& r = resolver(server);
    const auto first = ask_one(r, "mail.example.org");
    ASSERT_TRUE(first.found()) << first.error;
    EXPECT_EQ(first.records, std::vector<IpAddress>{*IpAddress::parse("192.0.2.1")});
    EXPECT_TRUE(first.authenticated) << "a resolver on loopback is trusted";
    const auto second = ask_one(r, "MAIL.example.org.");
    EXPECT_TRUE(second.found());
    EXPECT_EQ(server.asked(), 1);
    r.forget();
    EXPECT_TRUE(ask_one(r, "mail.example.org").found());
    EXPECT_EQ(server.asked(), 2);
}

TEST_F(ResolverTest, DoesNotKeepWhatHasNoTtl) {
    const Server server([](const Query& query) { return one_address(query, 0, 0); });
    CaresResolver& r = resolver(server);
    EXPECT_TRUE(ask_one(r, "mail.example.org").found());
    EXPECT_FALSE(ask_one(r, "mail.example.org").authenticated);
    EXPECT_EQ(server.asked(), 2);
}

TEST_F(ResolverTest, RemembersDenials_Rfc2308_5) {
    const Server server([](const Query& query) {
        const std::string soa =
            B::name("ns") + B::name("root") + B::u32(1) + B::u32(2) + B::u32(3) + B::u32(4) + B::u32(120);
        return B(query.question, 3).authority("example.org", 6, 60, soa).bytes(query.id);
    });
    CaresResolver& r = resolver(server);
    EXPECT_EQ(ask_one(r, "none.example.org").outcome, Outcome::no_such_name);
    EXPECT_EQ(ask_one(r, "none.example.org").outcome, Outcome::no_such_name);
    EXPECT_EQ(server.asked(), 1);
}

TEST_F(ResolverTest, EqualQuestionsInFlightAreAskedOnce) {
    std::promise<void> gate;
    std::shared_future<void> opened = gate.get_future().share();
    const Server server([opened](const Query& query) {
        opened.wait();
        return one_address(query, 0, 0);
    });
    CaresResolver& r = resolver(server);
    std::vector<Answer<IpAddress>> answers;
    for (int i = 0; i < 5; ++i) loop.tasks.spawn(ask(r, "mail.example.org", answers));
    loop.context.poll();
    gate.set_value();
    loop.run();
    ASSERT_EQ(answers.size(), 5U);
    for (const auto& answer : answers) EXPECT_TRUE(answer.found());
    EXPECT_EQ(server.asked(), 1);
}

TEST_F(ResolverTest, ManyQuestionsAtOnceGetTheirOwnAnswers) {
    const Server server([](const Query& query) {
        const auto number = static_cast<char>(std::stoi(query.question.name));
        return B(query.question)
            .answer(query.question.name, 1, 60, std::string("\xC0\x00\x02", 3) + number)
            .bytes(query.id);
    });
    CaresResolver& r = resolver(server);
    std::vector<std::string> names;
    for (int i = 0; i < 100; ++i) names.push_back(std::to_string(i) + ".example.org");
    std::set<std::string> seen;
    for (const auto& answer : ask_all(r, names)) {
        ASSERT_TRUE(answer.found()) << answer.error;
        seen.insert(answer.records.front().to_string());
    }
    EXPECT_EQ(seen.size(), 100U);
}

TEST_F(ResolverTest, TruncatedAnswersComeByTcp) {
    const Server server([](const Query& query) {
        if (!query.tcp) return B(query.question, kTc).bytes(query.id);
        B response(query.question);
        for (int i = 0; i < 200; ++i)
            response.answer(query.question.name, 1, 60,
                            std::string("\xC0\x00\x02", 3) + static_cast<char>(i));
        return response.bytes(query.id);
    });
    CaresResolver& r = resolver(server);
    const auto answer = ask_one(r, "many.example.org");
    EXPECT_EQ(answer.records.size(), 200U) << answer.error;
    EXPECT_EQ(server.asked(), 2);
}

TEST_F(ResolverTest, SilenceIsATransientFailureAfterItsTries) {
    const Server server([](const Query&) { return std::string(); });
    ResolverOptions options;
    options.try_timeout = std::chrono::milliseconds(10);
    options.tries = 2;
    CaresResolver& r = resolver(server, options);
    const auto answer = ask_one(r, "mail.example.org");
    EXPECT_TRUE(answer.failed());
    EXPECT_FALSE(answer.error.empty());
    EXPECT_EQ(server.asked(), 2);
}

TEST_F(ResolverTest, ServerFailuresAreTransientAndNotRemembered) {
    std::atomic<bool> failing = true;  // the server has a thread of its own
    const Server server([&failing](const Query& query) {
        return failing ? B(query.question, 2).bytes(query.id) : one_address(query);
    });
    ResolverOptions options;
    options.tries = 1;
    CaresResolver& r = resolver(server, options);
    EXPECT_TRUE(ask_one(r, "mail.example.org").failed());
    failing = false;
    EXPECT_TRUE(ask_one(r, "mail.example.org").found());
}

TEST_F(ResolverTest, ForgedAnswersAreIgnored) {
    const Server server([](const Query& query) {
        Query forged = query;
        forged.id = static_cast<std::uint16_t>(query.id + 1);
        return one_address(forged);
    });
    ResolverOptions options;
    options.try_timeout = std::chrono::milliseconds(10);
    options.tries = 1;
    EXPECT_TRUE(ask_one(resolver(server, options), "mail.example.org").failed());
}

TEST_F(ResolverTest, NamesThatCannotBeAskedAreAbsent) {
    const Server server([](const Query& query) { return one_address(query); });
    CaresResolver& r = resolver(server);
    for (const std::string& name : {std::string(), std::string("a..b"), std::string(64, 'x') + ".example"}) {
        EXPECT_EQ(ask_one(r, name).outcome, Outcome::no_such_name) << name;
    }
    EXPECT_EQ(server.asked(), 0);
}

TEST_F(ResolverTest, StopAndDestructionEndWaitingQuestions) {
    const Server server([](const Query&) { return std::string(); });
    CaresResolver& r = resolver(server);
    std::vector<Answer<IpAddress>> answers;
    loop.tasks.spawn(ask(r, "stopped.example.org", answers));
    loop.context.poll();
    loop.tasks.request_stop();
    loop.run();
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].error, "cancelled");
    net::TaskGroup other(loop.context);
    other.spawn(ask(r, "destroyed.example.org", answers));
    loop.context.restart();
    loop.context.poll();
    resolver_.reset();
    while (other.size() != 0) loop.context.run_one_for(1s);
    EXPECT_TRUE(answers[1].failed());
}

TEST_F(ResolverTest, KeepsItsBoundOnQuestionsInFlight) {
    const Server server([](const Query&) { return std::string(); });
    ResolverOptions options;
    options.try_timeout = std::chrono::milliseconds(10);
    options.tries = 1;
    options.max_pending = 2;
    const auto answers = ask_all(resolver(server, options), {"a.example", "b.example", "c.example"});
    ASSERT_EQ(answers.size(), 3U);
    EXPECT_EQ(answers[0].error, "too many questions are waiting");
}

}  // namespace
}  // namespace mailstead::dns
