#include "common/net/stream.h"

#include <array>
#include <numeric>

#include "common/net/connect.h"
#include "common/net/event.h"
#include "common/net/hangup_watch.h"
#include "common/net/last_call.h"
#include "common/net/listener.h"
#include "support.h"

namespace mailstead::net::test {
namespace {

std::string pattern(std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
    return bytes;
}

Task<void> read_until_end(Stream& stream, std::string& into) {
    ReadBuffer buffer;
    for (;;) {
        const auto got = co_await stream.fill(buffer, kLong);
        into += buffer.view();
        buffer.consume(buffer.size());
        if (!got) {
            EXPECT_EQ(got.error().kind, IoFailure::closed) << describe(got.error());
            co_return;
        }
    }
}

TEST(Stream, CarriesMoreThanTheSocketHolds) {
    Loop loop;
    Pair pair(loop.context);
    const std::string sent = pattern(3'000'000);
    std::string received;
    const auto send = [](Stream& stream, const std::string& bytes) -> Task<void> {
        const std::array<std::string_view, 4> pieces{std::string_view(bytes).substr(0, 5), std::string_view(),
                                                     std::string_view(bytes).substr(5, 20'000),
                                                     std::string_view(bytes).substr(20'005)};
        const auto written = co_await stream.write_all(pieces, kLong);
        EXPECT_TRUE(written);
        stream.close();
    };
    loop.tasks.spawn(send(pair.a, sent));
    loop.tasks.spawn(read_until_end(pair.b, received));
    loop.run();
    EXPECT_TRUE(received == sent);
}

// How one read ends.
Task<void> read_once(Stream& stream, Timeout timeout, IoResult<std::size_t>& result, std::string& bytes) {
    std::array<char, 100> into;
    result = co_await stream.read_some(into, timeout);
    if (result) bytes.assign(into.data(), *result);
}

TEST(Stream, ReadTimesOut) {
    Loop loop;
    Pair pair(loop.context);
    IoResult<std::size_t> result = 0;
    std::string bytes;
    loop.tasks.spawn(read_once(pair.a, kShort, result, bytes));
    loop.run();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, IoFailure::timed_out);
}

TEST(Stream, WriteTimesOutWhenThePeerTakesNothing) {
    Loop loop;
    Pair pair(loop.context);
    const std::string bytes(10'000'000, 'x');
    IoResult<void> result;
    const auto send = [](Stream& stream, const std::string& what, IoResult<void>& into) -> Task<void> {
        into = co_await stream.write_all(what, kShort);
    };
    loop.tasks.spawn(send(pair.a, bytes, result));
    loop.run();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, IoFailure::timed_out);
}

TEST(Stream, WriteToAPeerThatIsGoneIsAValue) {
    Loop loop;
    Pair pair(loop.context);
    pair.b.close();
    IoResult<void> result;
    const auto send = [](Stream& stream, IoResult<void>& into) -> Task<void> {
        into = co_await stream.write_all("hello", kLong);
    };
    loop.tasks.spawn(send(pair.a, result));
    loop.run();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, IoFailure::reset);
}

TEST(Stream, CloseEndsAPendingRead) {
    Loop loop;
    Pair pair(loop.context);
    IoResult<std::size_t> result = 0;
    std::string bytes;
    loop.tasks.spawn(read_once(pair.a, kLong, result, bytes));
    loop.context.poll();
    pair.a.close();
    loop.run();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, IoFailure::cancelled);
}

TEST(Stream, CancelEndsPendingAndLaterOperations) {
    Loop loop;
    Pair pair(loop.context);
    IoResult<std::size_t> first = 0;
    IoResult<std::size_t> second = 0;
    std::string bytes;
    loop.tasks.spawn(read_once(pair.a, kLong, first, bytes));
    loop.context.poll();
    pair.a.cancel();
    loop.run();
    loop.tasks.spawn(read_once(pair.a, kLong, second, bytes));
    loop.run();
    EXPECT_EQ(first.error().kind, IoFailure::cancelled);
    EXPECT_EQ(second.error().kind, IoFailure::cancelled);
}

TEST(Stream, ATimeoutOfOneDirectionLeavesTheOtherWaiting) {
    Loop loop;
    Pair pair(loop.context);
    const std::string big(10'000'000, 'x');
    IoResult<std::size_t> read = 0;
    IoResult<void> written;
    std::string bytes;
    const auto send = [](Stream& mine, Stream& peer, const std::string& what,
                         IoResult<void>& into) -> Task<void> {
        into = co_await mine.write_all(what, kShort);
        const auto answered = co_await peer.write_all("late", kLong);
        EXPECT_TRUE(answered);
    };
    loop.tasks.spawn(read_once(pair.a, kLong, read, bytes));
    loop.tasks.spawn(send(pair.a, pair.b, big, written));
    loop.run();
    EXPECT_EQ(written.error().kind, IoFailure::timed_out);
    EXPECT_EQ(bytes, "late");
}

TEST(Stream, InterruptReachesTheIdleWaitAlone) {
    Loop loop;
    Pair pair(loop.context);
    std::vector<std::string> seen;
    const auto idle = [](Stream& stream, std::vector<std::string>& log) -> Task<void> {
        for (int i = 0; i < 3; ++i) {
            const auto waited = co_await stream.wait_readable(kLong);
            log.push_back(waited ? "readable" : describe(waited.error()));
        }
        std::array<char, 10> into;
        const auto got = co_await stream.read_some(into, kLong);
        log.push_back(got ? "read" : describe(got.error()));
    };
    pair.a.interrupt();  // before the wait: kept for it
    loop.tasks.spawn(idle(pair.a, seen));
    loop.context.poll();
    EXPECT_EQ(seen, std::vector<std::string>{"interrupted"});
    pair.a.interrupt();
    loop.context.restart();
    loop.context.poll();
    EXPECT_EQ(seen.size(), 2U);
    EXPECT_EQ(::send(pair.b.native_handle(), "x", 1, 0), 1);
    loop.run();
    EXPECT_EQ(seen, (std::vector<std::string>{"interrupted", "interrupted", "readable", "read"}));
}

TEST(Stream, ARequestToStopEndsReadsAndLetsTheLastReplyOut) {
    Loop loop;
    Pair pair(loop.context);
    std::vector<std::string> seen;
    std::string received;
    const auto session = [](Stream& stream, std::vector<std::string>& log) -> Task<void> {
        ReadBuffer buffer;
        const auto first = co_await stream.fill(buffer, kLong);
        log.push_back(first ? "read" : describe(first.error()));
        const auto again = co_await stream.wait_readable(kLong);
        log.push_back(again ? "readable" : describe(again.error()));
        const std::string big(5'000'000, 'x');  // more than the socket holds: the write waits
        const auto written = co_await stream.write_all(big, kLong);
        log.push_back(written ? "written" : describe(written.error()));
        co_await stream.shutdown(kShort);
    };
    loop.tasks.spawn(session(pair.a, seen));
    loop.context.poll();
    loop.tasks.request_stop();
    loop.context.restart();
    loop.context.poll();
    TaskGroup reader(loop.context);
    reader.spawn(read_until_end(pair.b, received));
    loop.run();
    EXPECT_EQ(seen, (std::vector<std::string>{"cancelled", "cancelled", "written"}));
    EXPECT_EQ(received.size(), 5'000'000U);
}

TEST(Stream, AbortEndsWritesToo) {
    Loop loop;
    Pair pair(loop.context);
    IoResult<void> result;
    const std::string big(5'000'000, 'x');
    const auto send = [](Stream& stream, const std::string& what, IoResult<void>& into) -> Task<void> {
        into = co_await stream.write_all(what, kLong);
    };
    loop.tasks.spawn(send(pair.a, big, result));
    loop.context.poll();
    loop.tasks.abort();
    loop.run();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, IoFailure::cancelled);
}

TEST(Stream, FillGivesMemoryBackWhileItWaits) {
    Loop loop;
    Pair pair(loop.context);
    ReadBuffer buffer;
    buffer.append(std::string(100'000, 'x'));
    buffer.consume(100'000);
    const auto reading = [](Stream& stream, ReadBuffer& into) -> Task<void> {
        const auto got = co_await stream.fill(into, kLong);
        EXPECT_TRUE(got);
    };
    loop.tasks.spawn(reading(pair.a, buffer));
    loop.context.poll();
    EXPECT_EQ(buffer.capacity(), 0U);
    EXPECT_EQ(::send(pair.b.native_handle(), "NOOP\r\n", 6, 0), 6);
    loop.run();
    EXPECT_EQ(buffer.view(), "NOOP\r\n");
    EXPECT_EQ(buffer.capacity(), 6U);
}

TEST(Connect, TriesAddressesInOrderAndReportsTheLastFailure) {
    Loop loop;
    const auto listening = bind_tcp(SocketAddress::parse("127.0.0.1:0").value());
    ASSERT_TRUE(listening);
    const SocketAddress open = bound_address(*listening);
    const SocketAddress closed = [] {
        const auto socket = bind_tcp(SocketAddress::parse("127.0.0.1:0").value());
        return bound_address(*socket);
    }();
    const auto check = [](SocketAddress good, SocketAddress bad) -> Task<void> {
        const std::vector<SocketAddress> both{bad, good};
        ConnectOptions options;
        options.source_v4 = parse_ip("127.0.0.2").value();
        auto stream = co_await connect(both, options);
        EXPECT_TRUE(stream);
        if (stream) {
            EXPECT_EQ(stream->peer(), good);
            EXPECT_EQ(stream->local().ip, parse_ip("127.0.0.2").value());
        }
        const std::vector<SocketAddress> only_bad{bad};
        const auto refused = co_await connect(only_bad, options);
        EXPECT_EQ(refused.error().kind, IoFailure::refused);
        const std::vector<SocketAddress> none;
        const auto nowhere = co_await connect(none, options);
        EXPECT_EQ(nowhere.error().kind, IoFailure::unreachable);
    };
    loop.tasks.spawn(check(open, closed));
    loop.run();
}

TEST(Stream, AfterStopReadingAReplyStillGoesOut) {
    Loop loop;
    Pair pair(loop.context);
    std::string received;
    Event reading(loop.context);
    const auto serve = [](Stream& stream, Event& begun) -> Task<void> {
        ReadBuffer buffer;
        begun.notify();
        const auto got = co_await stream.fill(buffer, kLong);
        EXPECT_EQ(got.error().kind, IoFailure::cancelled);
        const auto again = co_await stream.wait_readable(kLong);
        EXPECT_EQ(again.error().kind, IoFailure::cancelled) << "from then on";
        const auto said = co_await stream.write_all("good bye", kLong);
        EXPECT_TRUE(said);
        stream.close();
    };
    const auto stop = [](Stream& stream, Event& begun) -> Task<void> {
        const auto waited = co_await begun.wait(kLong);
        EXPECT_TRUE(waited);
        stream.stop_reading();
    };
    loop.tasks.spawn(serve(pair.a, reading));
    loop.tasks.spawn(stop(pair.a, reading));
    loop.tasks.spawn(read_until_end(pair.b, received));
    loop.run();
    EXPECT_EQ(received, "good bye");
}

TEST(LastCall, ClosesAConnectionThatComesToNoEndUnlessItIsHeld) {
    Loop loop;
    Pair pair(loop.context);
    LastCall last(pair.a);
    const auto stubborn = [](Stream& stream) -> Task<void> {
        const std::string much(10'000'000, 'x');
        const auto written = co_await stream.write_all(much, kLong);  // nobody reads
        EXPECT_FALSE(written);
    };
    loop.tasks.spawn(stubborn(pair.a));
    const auto begun = std::chrono::steady_clock::now();
    last.begin();
    loop.run();
    EXPECT_FALSE(pair.a.is_open());
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 900ms);

    Pair other(loop.context);
    LastCall held(other.a);
    held.hold(true);
    held.begin();
    const auto wait = [](LastCall& call, Stream& stream) -> Task<void> {
        const auto slept = co_await sleep_for(Timeout(1'500));
        EXPECT_TRUE(slept);
        EXPECT_TRUE(stream.is_open());
        call.hold(false);
        const auto ended = co_await stream.wait_writable(kLong);
        EXPECT_TRUE(ended);
    };
    loop.tasks.spawn(wait(held, other.a));
    loop.run();
}

// Counts how often it is told that the peer has gone.
struct Goings {
    explicit Goings(boost::asio::io_context& context) : heard(context) {}
    static void gone(void* whose) {
        auto& self = *static_cast<Goings*>(whose);
        ++self.count;
        self.heard.notify();
    }
    int count = 0;
    Event heard;
};

TEST(HangupWatch, TellsWhenThePeerHasGoneThoughItSentMore) {
    Loop loop;
    Pair pair(loop.context);
    Goings goings(loop.context);
    const HangupWatch watch(pair.a, &Goings::gone, &goings);
    const auto go = [](Stream& peer, Goings& noted) -> Task<void> {
        const auto sent = co_await peer.write_all("pipelined", kLong);
        EXPECT_TRUE(sent);
        const auto early = co_await noted.heard.wait(Timeout(300));
        EXPECT_FALSE(early) << "bytes that wait are no end";
        peer.close();
        const auto told = co_await noted.heard.wait(kLong);
        EXPECT_TRUE(told);
    };
    loop.tasks.spawn(go(pair.b, goings));
    loop.run();
    EXPECT_EQ(goings.count, 1);
}

TEST(HangupWatch, WithoutTlsAHalfClosedPeerMayStillListen) {
    Loop loop;
    Pair pair(loop.context);
    Goings goings(loop.context);
    const HangupWatch watch(pair.a, &Goings::gone, &goings);
    ::shutdown(pair.b.native_handle(), SHUT_WR);
    const auto listen = [](Goings& noted) -> Task<void> {
        const auto told = co_await noted.heard.wait(Timeout(500));
        EXPECT_FALSE(told);
    };
    loop.tasks.spawn(listen(goings));
    loop.run();
    EXPECT_EQ(goings.count, 0);
}

}  // namespace
}  // namespace mailstead::net::test
