// What scripts cannot say: every way of cutting the bytes, hostile input by the table, memory.
#include <gtest/gtest.h>

#include "tests/unit/imapd/session/test_server.h"

namespace mailstead::imapd {
namespace {

const std::string_view kPipelined =
    "1 EXAMINE INBOX\r\n2 FETCH 1:* (FLAGS UID ENVELOPE BODY.PEEK[HEADER.FIELDS (Subject X-Unknown)])\r\n3 "
    "UID SEARCH SUBJECT {3+}\r\n"
    "two\r\n4 FETCH 2 (BODY[] BODYSTRUCTURE BODY[1]<2.3>)\r\n5 STORE 1 +FLAGS (x)\r\n6 APPEND nowhere "
    "{5+}\r\nabcde\r\n"
    "7 IDLE\r\nDONE\r\n8 SEARCH BODY Hello\r\n9 garbage {4+}\r\n((((\r\n10 LIST \"\" *\r\n11 CLOSE\r\n12 "
    "LOGOUT\r\n";

std::string answers(TestServer& server, std::initializer_list<std::string_view> packets) {
    TestClient& client = server.connect(StartAt::login);
    for (const std::string_view packet : packets) {
        client.send(packet);
        server.settle();
    }
    std::string all, line;
    while (server.read_line(client, line)) all += line + "\n";
    EXPECT_TRUE(client.is_closed());
    return all;
}

TEST(ImapSession, AnySplitOfASessionGivesTheSameAnswers) {
    TestServer server;
    server.backend.account.deliver(store::make_message("one"));
    server.backend.account.deliver(store::make_message("two"));
    const std::string whole = answers(server, {kPipelined});
    EXPECT_NE(whole.find("12 OK"), std::string::npos) << whole;
    for (std::size_t cut = 1; cut < kPipelined.size(); cut += 3) {
        ASSERT_EQ(answers(server, {kPipelined.substr(0, cut), kPipelined.substr(cut)}), whole)
            << "cut at " << cut;
    }
}

TEST(ImapSession, EveryCommandInEveryWrongStateIsRefused) {
    TestServer server;
    TestClient& client = server.connect(StartAt::login);
    for (const std::string_view command :
         {"FETCH 1 FLAGS", "STORE 1 FLAGS ()", "COPY 1 x", "MOVE 1 x", "SEARCH ALL", "EXPUNGE",
          "SORT (TO) UTF-8 ALL", "UID THREAD REFS UTF-8 ALL", "ESEARCH ALL", "CANCELUPDATE \"x\"",
          "UID EXPUNGE 1", "CLOSE", "UNSELECT", "CHECK", "STARTTLS", "LOGIN a b", "AUTHENTICATE PLAIN",
          "NOSUCH", "UID NOOP", "SELECT INBOX (QRESYNC (1 1))"}) {
        std::string line;
        client.send("x " + std::string(command) + "\r\n");
        ASSERT_TRUE(server.read_line(client, line)) << command;
        EXPECT_TRUE(line.starts_with("x BAD")) << command << ": " << line;
    }
}

TEST(ImapSession, ManyBadCommandsEndTheSession) {
    TestServer server;
    TestClient& client = server.connect(StartAt::login);
    for (int i = 0; i < 60; ++i) client.send("x NOSUCH\r\n");
    std::string line, last;
    while (server.read_line(client, line)) last = line;
    EXPECT_TRUE(last.starts_with("* BYE")) << last;
    EXPECT_TRUE(client.is_closed());
}

TEST(ImapSession, LiteralThatNeverEndsTakesNoMoreThanItsLimit) {
    TestServer server;
    TestClient& client = server.connect(StartAt::login);
    client.send("x CREATE {400000+}\r\n");
    const std::string flood(100'000, 'x');
    for (int i = 0; i < 3; ++i) client.send(flood);
    server.settle();
    EXPECT_FALSE(client.is_closed());
    client.send("x CREATE {9999999999+}\r\n");
}

TEST(ImapSession, TooManySessionsOfOneAccountAreRefusedWithAReason) {
    TestServer server;
    server.backend.max_sessions = 1;
    server.connect(StartAt::login);
    TestClient& second = server.connect(StartAt::greeting);
    second.send("a LOGIN joe secret\r\n");
    std::string line;
    ASSERT_TRUE(server.read_line(second, line));
    ASSERT_TRUE(server.read_line(second, line));
    EXPECT_TRUE(line.starts_with("a NO [LIMIT]")) << line;
    ASSERT_TRUE(server.read_line(second, line));
    EXPECT_TRUE(line.starts_with("* BYE")) << line;
}

TEST(ImapSession, LargeBodyAndManyMessagesArriveWhole) {
    TestServer server;
    const std::string body = std::string(700'000, 'a') + "\r\n";
    server.backend.account.deliver(store::make_message("big", "", body));
    for (int i = 0; i < 3000; ++i)
        server.backend.account.deliver(store::make_message("n" + std::to_string(i)));
    TestClient& client = server.connect(StartAt::login);
    client.send("a SELECT INBOX\r\nb FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[])\r\n");
    std::string line;
    std::size_t fetched = 0, bytes = 0;
    while (server.read_line(client, line) && !line.starts_with("b ")) {
        if (line.find(" FETCH (") != std::string::npos) ++fetched;
        bytes += line.size();
    }
    EXPECT_TRUE(line.starts_with("b OK")) << line;
    EXPECT_EQ(fetched, 3001u);
    EXPECT_GT(bytes, 700'000u);
}

}  // namespace
}  // namespace mailstead::imapd
