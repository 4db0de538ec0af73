// COMPRESS (RFC 4978): every way of cutting it, bombs, garbage, the way in and out.
#include <algorithm>
#include <array>

#include <gtest/gtest.h>
#include <zlib.h>

#include "imapd/session/compression.h"
#include "tests/unit/imapd/session/test_server.h"

namespace mailstead::imapd {
namespace {

std::string line_of(TestServer& server, TestClient& client) {
    std::string line;
    EXPECT_TRUE(server.read_line(client, line));
    return line;
}

void start(TestServer& server, TestClient& client) {
    client.send("z COMPRESS DEFLATE\r\n");
    ASSERT_TRUE(line_of(server, client).starts_with("z OK"));
    client.compress(true);
}

// Raw DEFLATE of `bytes` as a client of another make may produce it.
std::string deflated(std::string_view bytes, int level) {
    z_stream z{};
    deflateInit2(&z, level, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&z, bytes.size()) + 64, ' ');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    z.avail_in = static_cast<uInt>(bytes.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_SYNC_FLUSH);
    out.resize(out.size() - z.avail_out);
    deflateEnd(&z);
    return out;
}

TEST(ImapCompress, CommandsAndAnswersGoThroughIt_Rfc4978_3) {
    TestServer server;
    server.backend.account.deliver(store::make_message("one", "", std::string(300'000, 'x') + "\r\n"));
    TestClient& client = server.connect(StartAt::login);
    client.send("a COMPRESS LZ4\r\n");
    EXPECT_TRUE(line_of(server, client).starts_with("a BAD"));
    start(server, client);
    client.send("b COMPRESS DEFLATE\r\n");
    EXPECT_TRUE(line_of(server, client).starts_with("b BAD"));
    client.send("c SELECT INBOX\r\nd FETCH 1 BODY.PEEK[TEXT]\r\n");
    std::string line, longest;
    while (server.read_line(client, line) && !line.starts_with("d OK")) {
        if (line.size() > longest.size()) longest = line;
    }
    EXPECT_EQ(longest, std::string(300'000, 'x'));
    // Idle and back: the deflating side starts anew.
    for (const char* const tag : {"e", "f"}) {
        client.send(std::string(tag) + " IDLE\r\n");
        EXPECT_EQ(line_of(server, client), "+ Idling");
        server.backend.account.deliver(store::make_message("more"));
        server.backend.announce();
        EXPECT_TRUE(line_of(server, client).ends_with(" EXISTS"));
        line_of(server, client);
        client.send("DONE\r\n");
        EXPECT_TRUE(line_of(server, client).starts_with(std::string(tag) + " OK"));
    }
    client.send("g LOGOUT\r\n");
    EXPECT_TRUE(line_of(server, client).starts_with("* BYE"));
    EXPECT_TRUE(line_of(server, client).starts_with("g OK"));
}

TEST(ImapCompress, AnyCutGivesTheSameAnswers) {
    TestServer server;
    server.backend.max_sessions = 1'000;
    const std::string_view commands =
        "a NOOP\r\nb SELECT INBOX\r\nc IDLE\r\nDONE\r\nd LIST \"\" {1+}\r\n*\r\ne LOGOUT\r\n";
    const auto answers = [&](std::size_t cut, bool bytewise) {
        TestClient& client = server.connect(StartAt::login);
        start(server, client);
        const std::string packed = client.packed(commands);
        std::size_t done = 0;
        for (std::size_t next = bytewise ? 1 : cut; next < packed.size();
             next += bytewise ? 1 : packed.size()) {
            client.send_raw(std::string_view(packed).substr(done, next - done));
            server.settle();
            done = next;
        }
        client.send_raw(std::string_view(packed).substr(done));
        std::string all, line;
        while (server.read_line(client, line)) all += line + "\n";
        EXPECT_TRUE(client.is_closed());
        return all;
    };
    const std::string whole = answers(1'000'000, false);
    EXPECT_NE(whole.find("e OK"), std::string::npos) << whole;
    EXPECT_EQ(answers(0, true), whole);
    for (std::size_t cut = 1; cut < 90; ++cut) ASSERT_EQ(answers(cut, false), whole) << cut;
}

TEST(ImapCompress, WhatIsPipelinedBehindTheCommandCountsAsCompressed) {
    TestServer server;
    TestClient& client = server.connect(StartAt::login);
    client.send_raw("z COMPRESS DEFLATE\r\n" + deflated("a NOOP\r\n", 1));
    EXPECT_TRUE(line_of(server, client).starts_with("z OK"));
    server.settle();
    std::array<char, 1'000> room;
    const auto answer = Compression::create()->inflate(client.received, room);
    EXPECT_TRUE(std::string_view(room.data(), answer.made).starts_with("a OK"));
}

TEST(ImapCompress, GarbageEndsTheSessionWithAReason) {
    TestServer server;
    TestClient& client = server.connect(StartAt::login);
    start(server, client);
    client.send_raw("a NOOP\r\nthis is not DEFLATE\r\n");
    EXPECT_TRUE(line_of(server, client).starts_with("* BYE"));
    std::string line;
    EXPECT_FALSE(server.read_line(client, line));
    EXPECT_TRUE(client.is_closed());
}

// A thousand to one: the framer's limits hold, one piece at a time is inflated.
TEST(ImapCompress, BombsMeetTheOrdinaryLimits) {
    TestServer server;
    TestClient& client = server.connect(StartAt::login);
    start(server, client);
    client.send_raw(deflated("a NOOP " + std::string(8'000'000, 'x') + "\r\n", 9));
    EXPECT_EQ(line_of(server, client), "a BAD Line too long");
    TestClient& other = server.connect(StartAt::login);
    start(server, other);
    other.send_raw(deflated("b CREATE {9000000+}\r\n" + std::string(9'000'000, 'x') + "\r\n", 9));
    EXPECT_EQ(line_of(server, other), "b NO [LIMIT] Literal too long");
    other.send_raw(deflated(std::string(500'000, '\n') + "c NOOP\r\n", 9));
    EXPECT_TRUE(line_of(server, other).starts_with("c OK"));
}

TEST(ImapCompression, InflatesNoMoreThanIsTaken) {
    const auto codec = Compression::create();
    const std::string packed = deflated(std::string(1'000'000, 'x'), 9);
    ASSERT_LT(packed.size(), 2'000u);
    std::string_view left = packed;
    std::size_t made = 0;
    std::array<char, 100> room;
    while (!left.empty() || codec->has_more()) {
        const auto step = codec->inflate(left, room);
        ASSERT_FALSE(step.damaged);
        ASSERT_LE(step.made, room.size());
        made += step.made;
        left.remove_prefix(step.taken);
    }
    EXPECT_EQ(made, 1'000'000u);
}

TEST(ImapCompression, RestForgetsWhatWasSaidAndTheClientReadsOn) {
    const auto server = Compression::create();
    const auto client = Compression::create();
    std::string all;
    for (int i = 0; i < 20; ++i) {
        std::string packed;
        ASSERT_TRUE(server->deflate("* OK the same again and again\r\n", packed));
        if (i % 3 == 0) server->rest();
        std::array<char, 1'000> room;
        for (std::string_view left = packed; !left.empty();) {
            const auto step = client->inflate(left, room);
            ASSERT_FALSE(step.damaged);
            all.append(room.data(), step.made);
            left.remove_prefix(step.taken);
        }
    }
    EXPECT_EQ(all.size(), 20u * 31u);
}

// RFC 8437, 4.1: both compression layers end with UNAUTHENTICATE; the client may pipeline its next login.
TEST(ImapCompress, EndsWithUnauthenticateWhereverPacketsEnd) {
    TestServer server;
    server.backend.max_sessions = 1'000;
    for (const int level : {0, 1, 9}) {
        for (std::size_t cut = 0; cut < 60; ++cut) {
            TestClient& client = server.connect(StartAt::login);
            client.send("z COMPRESS DEFLATE\r\n");
            ASSERT_TRUE(line_of(server, client).starts_with("z OK"));
            const std::string bytes =
                deflated("a UNAUTHENTICATE\r\n", level) + "b LOGIN joe secret\r\nc NOOP\r\n";
            client.send_raw(std::string_view(bytes).substr(0, cut));
            server.settle();
            client.send_raw(std::string_view(bytes).substr(std::min(cut, bytes.size())));
            server.settle();
            const auto reader = Compression::create();
            std::array<char, 1'000> room;
            std::string_view left = client.received;
            const auto answer = reader->inflate(left, room);
            ASSERT_TRUE(std::string_view(room.data(), answer.made).starts_with("a OK"))
                << level << " " << cut;
            left.remove_prefix(answer.taken);
            reader->end();
            if (!reader->has_ended()) left.remove_prefix(reader->inflate(left, room).taken);
            ASSERT_TRUE(left.starts_with("b OK")) << level << " " << cut;
            ASSERT_NE(left.find("\r\nc OK"), std::string_view::npos) << level << " " << cut;
        }
    }
}

}  // namespace
}  // namespace mailstead::imapd
