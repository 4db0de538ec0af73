#include "common/ipc/channel.h"

#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <optional>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/bytes.h"
#include "common/net/event.h"
#include "common/net/listener.h"
#include "tests/unit/net/support.h"
#include "tests/unit/net/temporary_folder.h"

namespace mailstead::ipc {
namespace {

using namespace net::test;

FileDescriptor file_with(std::string_view content) {
    FileDescriptor fd(::memfd_create("test", MFD_CLOEXEC));
    EXPECT_EQ(::write(fd.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
    return fd;
}

std::string content_of(const FileDescriptor& fd) {
    std::string content(100, '\0');
    const ssize_t size = ::pread(fd.get(), content.data(), content.size(), 0);
    content.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return content;
}

// Answers ApplyChange with its own bytes and the content of its descriptors.
net::Task<Message> echo(Message request, const PeerInfo& peer) {
    EXPECT_EQ(peer.program, "test");
    EXPECT_EQ(peer.uid, geteuid());
    const auto change = ApplyChange::decode(request.payload);
    if (!change) co_return refuse("malformed");
    if (change->change == "throw") throw std::runtime_error("a bug");
    if (change->change == "slow") {
        const auto slept = co_await net::sleep_for(50ms);
        EXPECT_TRUE(slept);
    }
    ChangeAnswer answer;
    answer.bytes = change->change;
    for (const FileDescriptor& fd : request.descriptors) answer.bytes += "|" + content_of(fd);
    co_return make_message(answer);
}

class Channel : public ::testing::Test {
protected:
    void serve(Server::Handler handler = &echo, ServerOptions options = {}, Role role = Role::imapd) {
        options.role = role;
        threads.emplace(2);
        options.program = "server";
        options.key = Secret(key);
        options.on_problem = [this](std::string_view problem) {
            const std::lock_guard lock(mutex);
            problems.emplace_back(problem);
        };
        server.emplace(*threads, *net::bind_unix(path, 0600), std::move(options), std::move(handler));
        server->on_disconnect([this](const PeerInfo&) { ++disconnects; });
        server->start();
        threads->start();
    }
    void stop() {
        server->request_stop();
        EXPECT_TRUE(server->wait_idle(20s));
        threads->stop();
        threads->join();
        server.reset();
        threads.reset();
        ::unlink(path.c_str());
    }
    Client& client(ChannelLimits limits = {}) {
        clients.push_back(
            std::make_unique<Client>(loop.context, ClientOptions{path, "test", limits, key_file}));
        return *clients.back();
    }
    ~Channel() override {
        clients.clear();
        if (server) stop();
    }

    TemporaryFolder folder;
    std::string path = folder.file("server.sock");
    std::string key;       // the server's
    std::string key_file;  // the clients'
    std::mutex mutex;
    std::vector<std::string> problems;
    std::atomic<int> disconnects{0};
    std::optional<net::IoThreads> threads;
    std::optional<Server> server;
    Loop loop;
    std::vector<std::unique_ptr<Client>> clients;
};

// The answer's bytes, or the error's text.
net::Task<void> ask_echo(Client& client, std::string bytes, Descriptors descriptors,
                         std::vector<std::string>& answers) {
    const ApplyChange change{AccountId(1), std::move(bytes)};
    auto answer = co_await ask(client, change, std::move(descriptors), kLong);
    answers.push_back(answer ? answer->bytes : "error: " + answer.error().what);
}

TEST_F(Channel, AnswersAndPassesDescriptors) {
    serve();
    std::vector<std::string> answers;
    Descriptors two;
    two.push_back(file_with("first"));
    two.push_back(file_with("second"));
    loop.tasks.spawn(ask_echo(client(), "hello", std::move(two), answers));
    loop.run();
    EXPECT_EQ(answers, std::vector<std::string>{"hello|first|second"});
}

TEST_F(Channel, DescriptorsGoToTheirOwnFrames) {
    serve();
    std::vector<std::string> answers;
    Client& one = client();
    for (int i = 0; i < 300; ++i) {
        Descriptors some;
        for (int k = 0; k < i % 4; ++k)
            some.push_back(file_with(std::to_string(i) + "." + std::to_string(k)));
        loop.tasks.spawn(ask_echo(one, std::to_string(i), std::move(some), answers));
    }
    loop.run();
    ASSERT_EQ(answers.size(), 300U);
    std::map<std::string, std::string> by_number;
    for (const std::string& answer : answers) by_number[answer.substr(0, answer.find('|'))] = answer;
    for (int i = 0; i < 300; ++i) {
        std::string expected = std::to_string(i);
        for (int k = 0; k < i % 4; ++k) expected += "|" + std::to_string(i) + "." + std::to_string(k);
        EXPECT_EQ(by_number[std::to_string(i)], expected);
    }
}

TEST_F(Channel, AnswersMayOvertakeEachOther) {
    serve();
    std::vector<std::string> answers;
    Client& one = client();
    loop.tasks.spawn(ask_echo(one, "slow", {}, answers));
    loop.tasks.spawn(ask_echo(one, "quick", {}, answers));
    loop.run();
    EXPECT_EQ(answers, (std::vector<std::string>{"quick", "slow"}));
}

net::Task<void> ask_many(Client& client, int count, std::size_t size, int& good) {
    const std::string bytes(size, 'x');
    const ApplyChange change{AccountId(1), bytes};
    for (int i = 0; i < count; ++i) {
        auto answer = co_await ask(client, change, {}, kLong);
        if (answer && answer->bytes == bytes) ++good;
    }
}

TEST_F(Channel, CarriesTenThousandFrames) {
    serve();
    int good = 0;
    Client& one = client();
    for (int i = 0; i < 50; ++i) loop.tasks.spawn(ask_many(one, 200, 100, good));
    loop.run();
    EXPECT_EQ(good, 10'000);
}

TEST_F(Channel, CarriesFramesLargerThanAnyBuffer) {
    serve();
    int good = 0;
    Client& one = client();
    for (int i = 0; i < 8; ++i) loop.tasks.spawn(ask_many(one, 5, 1'000'000, good));
    loop.run();
    EXPECT_EQ(good, 40);
}

TEST_F(Channel, FailsFastWhenNobodyIsThereAndRecoversByItself) {
    std::vector<std::string> answers;
    Client& one = client();
    loop.tasks.spawn(ask_echo(one, "a", {}, answers));
    loop.run();
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_TRUE(answers[0].starts_with("error: peer is away")) << answers[0];
    serve();
    const auto until_answered = [](Client& whom, std::vector<std::string>& log) -> net::Task<void> {
        while (!whom.connected()) {
            const auto slept = co_await net::sleep_for(2ms);
            EXPECT_TRUE(slept);
        }
        co_await ask_echo(whom, "b", {}, log);
    };
    loop.tasks.spawn(until_answered(one, answers));
    loop.run();
    EXPECT_EQ(answers.back(), "b");
    // The server dies, and comes back.
    stop();
    EXPECT_EQ(disconnects, 1);
    loop.tasks.spawn(ask_echo(one, "c", {}, answers));
    loop.run();
    EXPECT_TRUE(answers.back().starts_with("error: ")) << answers.back();
    serve();
    loop.tasks.spawn(until_answered(one, answers));
    loop.run();
    EXPECT_EQ(answers.back(), "b");
}

TEST_F(Channel, CallsInFlightFailWhenTheServerDies) {
    std::atomic<bool> asked{false};
    serve([&asked](Message, const PeerInfo&) -> net::Task<Message> {
        asked = true;
        const auto slept = co_await net::sleep_for(kLong);
        EXPECT_FALSE(slept);
        co_return refuse("aborted");
    });
    std::vector<std::string> answers;
    loop.tasks.spawn(ask_echo(client(), "x", {}, answers));
    while (!asked) loop.context.run_one_for(5ms);
    server->request_stop();
    EXPECT_FALSE(server->wait_idle(20ms)) << "the request is in hand";
    server->abort();
    EXPECT_TRUE(server->wait_idle(20s));
    loop.run();
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_TRUE(answers[0].starts_with("error: ")) << answers[0];
}

TEST_F(Channel, AnswersInHandGoOutAfterARequestToStop) {
    std::atomic<bool> asked{false};
    serve([&asked](Message request, const PeerInfo& peer) -> net::Task<Message> {
        asked = true;
        Message reply = co_await echo(std::move(request), peer);
        co_return reply;
    });
    std::vector<std::string> answers;
    loop.tasks.spawn(ask_echo(client(), "slow", {}, answers));
    while (!asked) loop.context.run_one_for(5ms);
    server->request_stop();
    loop.run();
    EXPECT_EQ(answers, std::vector<std::string>{"slow"});
}

TEST_F(Channel, ARequestToStopDoesNotEndACallAndAbortDoes) {
    serve();
    std::vector<std::string> answers;
    loop.tasks.spawn(ask_echo(client(), "slow", {}, answers));
    loop.context.poll();
    loop.tasks.request_stop();
    loop.run();
    EXPECT_EQ(answers, std::vector<std::string>{"slow"});
    net::TaskGroup group(loop.context);
    group.spawn(ask_echo(client(), "slow", {}, answers));
    loop.context.restart();
    loop.context.poll();
    group.abort();
    net::TaskGroup waiting(loop.context);
    while (group.size() != 0) loop.context.run_one_for(1s);
    EXPECT_EQ(answers.back(), "error: cancelled");
}

TEST_F(Channel, CallsTimeOut) {
    serve();
    std::string problem;
    const auto impatient = [](Client& whom, std::string& into) -> net::Task<void> {
        const ApplyChange change{AccountId(1), "slow"};
        auto answer = co_await ask(whom, change, {}, 5ms);
        if (!answer) into = answer.error().what;
        // The late answer disturbs nobody.
        std::vector<std::string> answers;
        co_await ask_echo(whom, "slow", {}, answers);
        EXPECT_EQ(answers, std::vector<std::string>{"slow"});
    };
    loop.tasks.spawn(impatient(client(), problem));
    loop.run();
    EXPECT_EQ(problem, "timed out");
}

TEST_F(Channel, AHandlerThatThrowsRefuses) {
    serve();
    std::vector<std::string> answers;
    loop.tasks.spawn(ask_echo(client(), "throw", {}, answers));
    loop.run();
    EXPECT_EQ(answers, std::vector<std::string>{"error: refused by peer: the request failed"});
    EXPECT_EQ(problems.size(), 1U);
}

TEST_F(Channel, LimitsAreKept) {
    serve();
    ChannelLimits limits;
    limits.max_frame = 1'000;
    limits.max_pending = 2;
    Client& one = client(limits);
    std::vector<std::string> answers;
    loop.tasks.spawn(ask_echo(one, std::string(2'000, 'x'), {}, answers));
    loop.tasks.spawn(ask_echo(one, "slow", {}, answers));
    loop.tasks.spawn(ask_echo(one, "slow", {}, answers));
    loop.tasks.spawn(ask_echo(one, "slow", {}, answers));
    loop.run();
    EXPECT_EQ(answers, (std::vector<std::string>{"error: message too large",
                                                 "error: too many calls are waiting", "slow", "slow"}));
}

TEST_F(Channel, TheServerReadsNoFurtherThanItsLimit) {
    std::atomic<int> running{0};
    std::atomic<int> most{0};
    ServerOptions options;
    options.limits.max_pending = 3;
    serve(
        [&](Message request, const PeerInfo& peer) -> net::Task<Message> {
            most = std::max(most.load(), ++running);
            Message reply = co_await echo(std::move(request), peer);
            --running;
            co_return reply;
        },
        std::move(options));
    std::vector<std::string> answers;
    Client& one = client();
    for (int i = 0; i < 10; ++i) loop.tasks.spawn(ask_echo(one, "slow", {}, answers));
    loop.run();
    EXPECT_EQ(answers.size(), 10U);
    EXPECT_LE(most, 3);
}

TEST_F(Channel, OneWayMessagesArrive) {
    std::atomic<int> lines{0};
    serve([&lines](Message request, const PeerInfo&) -> net::Task<Message> {
        if (request.type == MessageType::ledger_line && LedgerLine::decode(request.payload)) ++lines;
        co_return make_message(ChangeAnswer{});
    });
    Client& one = client();
    const LedgerLine line{"01H", Time{}, "smtp.accept", {}};
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(send(one, line));
    const auto flushed = [](Client& whom) -> net::Task<void> {
        const ApplyChange last{AccountId(1), {}};
        auto answer = co_await ask(whom, last, {}, kLong);
        EXPECT_TRUE(answer);
    };
    loop.tasks.spawn(flushed(one));
    loop.run();
    EXPECT_EQ(lines, 3);
}

std::string frame(std::uint32_t size, int type, std::uint32_t id, int descriptors, std::string_view payload) {
    ByteWriter out;
    out.fixed32(size);
    out.u8(static_cast<std::uint8_t>(type));
    out.fixed32(id);
    out.u8(static_cast<std::uint8_t>(descriptors));
    out.raw(payload);
    return out.take();
}

// What became of a question that only its asker and the server see: the text of the error.
template <class Question>
std::string refusal_of(Client& client, Loop& loop, const Question& question) {
    std::string why = "not answered";
    const auto run = [](Client& whom, const Question& what, std::string& out) -> net::Task<void> {
        auto answer = co_await ask(whom, what, {}, kLong);
        out = answer ? "answered" : answer.error().what;
    };
    loop.tasks.spawn(run(client, question, why));
    loop.run();
    return why;
}

TEST_F(Channel, WhatARoleMayNotSendEndsTheConnectionAndReachesNoHandler) {
    std::atomic<int> asked{0};
    serve(
        [&asked](Message, const PeerInfo&) -> net::Task<Message> {
            ++asked;
            co_return make_message(Done{});
        },
        {}, Role::smtpd);
    EXPECT_EQ(refusal_of(client(), loop, AccountGone{AccountId(1)}), "connection lost: closed by peer");
    EXPECT_EQ(refusal_of(client(), loop, ApplyChange{AccountId(1), "x"}), "connection lost: closed by peer");
    EXPECT_EQ(refusal_of(client(), loop, QueueCommand{}), "connection lost: closed by peer");
    EXPECT_EQ(server->refusals(), 3U);
    EXPECT_EQ(asked, 0);
    const std::lock_guard lock(mutex);
    ASSERT_EQ(problems.size(), 3U);
    EXPECT_EQ(problems[0], "smtpd (process " + std::to_string(::getpid()) + ", user " +
                               std::to_string(::geteuid()) + "): may not send account_gone");
}

TEST_F(Channel, WhatAHandlerDoesNotAllowEndsTheConnectionWithOneLine) {
    serve([](Message, const PeerInfo&) -> net::Task<Message> {
        throw NotAllowed("may not speak for smtp");
        co_return make_message(Done{});
    });
    Client& one = client();
    std::vector<std::string> answers;
    for (int i = 0; i < 5; ++i) loop.tasks.spawn(ask_echo(one, "x", {}, answers));
    loop.run();
    ASSERT_EQ(answers.size(), 5U);
    for (const std::string& answer : answers) EXPECT_NE(answer.find("connection lost"), std::string::npos);
    EXPECT_EQ(server->refusals(), 1U);
    const std::lock_guard lock(mutex);
    EXPECT_EQ(problems.size(), 1U);
}

TEST_F(Channel, WithoutTheKeyOfTheRoleNobodyIsHeard) {
    std::filesystem::create_directories(folder.file("run/imapd"));
    std::filesystem::create_directories(folder.file("run/smtpd"));
    const auto right = make_key(folder.path(), Role::imapd);
    ASSERT_TRUE(right && make_key(folder.path(), Role::smtpd));
    key = right->reveal();
    serve();
    std::vector<std::string> answers;
    loop.tasks.spawn(ask_echo(client(), "no key", {}, answers));
    loop.run();
    key_file = key_path(folder.path(), Role::smtpd);
    loop.tasks.spawn(ask_echo(client(), "another role's", {}, answers));
    loop.run();
    EXPECT_EQ(answers, (std::vector<std::string>{"error: connection lost: closed by peer",
                                                 "error: connection lost: closed by peer"}));
    EXPECT_EQ(server->refusals(), 2U);
    key_file = key_path(folder.path(), Role::imapd);
    loop.tasks.spawn(ask_echo(client(), "the right one", {}, answers));
    loop.run();
    EXPECT_EQ(answers.back(), "the right one");
    key_file = folder.file("missing");
    loop.tasks.spawn(ask_echo(client(), "x", {}, answers));
    loop.run();
    EXPECT_NE(answers.back().find("cannot read " + key_file), std::string::npos) << answers.back();
}

TEST_F(Channel, MalformedFramesEndTheConnection) {
    serve();
    const std::string hello = Hello{kProtocolVersion, "test"}.encode();
    const std::string greeting = frame(static_cast<std::uint32_t>(hello.size()), 1, 0, 0, hello);
    const std::string old = Hello{kProtocolVersion + 1, "test"}.encode();
    struct Case {
        const char* name;
        std::string bytes;
    };
    for (const Case& c : {Case{"no hello", frame(0, 12, 1, 0, "")},
                          Case{"other version", frame(static_cast<std::uint32_t>(old.size()), 1, 0, 0, old)},
                          Case{"too large", greeting + frame(1024 * 1024 + 1, 5, 1, 0, "")},
                          Case{"type zero", greeting + frame(0, 0, 1, 0, "")},
                          Case{"unknown type", greeting + frame(0, 99, 1, 0, "")},
                          Case{"missing descriptors", greeting + frame(1, 5, 1, 1, "x")},
                          Case{"too many descriptors", greeting + frame(1, 5, 1, 65, "x")}}) {
        const FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        ASSERT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        timeval limit{20, 0};
        setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ASSERT_EQ(::send(fd.get(), c.bytes.data(), c.bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(c.bytes.size()));
        char buffer[1'000];
        ssize_t got = 0;
        while ((got = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0) {
        }
        EXPECT_TRUE(got == 0 || errno == ECONNRESET) << c.name;
    }
    std::vector<std::string> answers;
    loop.tasks.spawn(ask_echo(client(), "still there", {}, answers));
    loop.run();
    EXPECT_EQ(answers, std::vector<std::string>{"still there"});
    EXPECT_EQ(problems.size(), 7U);
}

}  // namespace
}  // namespace mailstead::ipc
