// Sessions that deliver has ended, whatever they are doing.
#include <gtest/gtest.h>

#include "tests/unit/imapd/session/test_server.h"

namespace mailstead::imapd {
namespace {

using ipc::EndReason;

class ImapEnded : public ::testing::Test {
protected:
    TestClient& connect(StartAt start, std::string_view commands) {
        TestClient& client = server_.connect(start);
        server_.settle();
        client.send(commands);
        server_.settle();
        client.received.clear();
        return client;
    }
    // All that the client hears once the one session there is was ended.
    std::string end(TestClient& client, EndReason reason = EndReason::credential) {
        EXPECT_EQ(server_.backend.live.size(), 1u);
        server_.backend.live.begin()->second->end(reason);
        return rest(client);
    }
    std::string rest(TestClient& client) {
        std::string all;
        std::string line;
        while (server_.read_line(client, line)) all += line + "\n";
        EXPECT_TRUE(client.is_closed());
        EXPECT_TRUE(server_.backend.live.empty());
        return all;
    }

    TestServer server_;
};

TEST_F(ImapEnded, BetweenCommands) {
    EXPECT_EQ(end(connect(StartAt::login, "1 SELECT INBOX\r\n")),
              "* BYE The password of this session is not valid any more\n");
}

TEST_F(ImapEnded, InIdle) {
    EXPECT_EQ(end(connect(StartAt::login, "1 SELECT INBOX\r\n2 IDLE\r\n"), EndReason::account_locked),
              "* BYE The account is locked\n");
}

TEST_F(ImapEnded, UnderNotify) {
    EXPECT_EQ(end(connect(StartAt::login, "1 NOTIFY SET (personal (MessageNew MessageExpunge))\r\n"),
                  EndReason::account_removed),
              "* BYE The account is no more\n");
}

TEST_F(ImapEnded, InTheMiddleOfALiteral) {
    EXPECT_EQ(end(connect(StartAt::login, "1 APPEND INBOX {100}\r\nSubject: ha"), EndReason::administrator),
              "* BYE The administrator ended the session\n");
    EXPECT_EQ(server_.backend.account.info("INBOX").messages, 0u);
}

TEST_F(ImapEnded, CommandsThatWaitInLineAreNotDone) {
    TestClient& client = connect(StartAt::login, "1 SELECT INBOX\r\n");
    server_.backend.live.begin()->second->end(EndReason::credential);
    client.send("2 CREATE later\r\n3 CREATE much-later\r\n");
    EXPECT_EQ(rest(client), "* BYE The password of this session is not valid any more\n");
}

TEST_F(ImapEnded, Pop3RemovesNothing) {
    server_.backend.account.deliver(store::make_message("kept"));
    TestClient& client = connect(StartAt::pop3, "USER joe\r\nPASS secret\r\nDELE 1\r\n");
    EXPECT_EQ(end(client), "-ERR [AUTH] The password of this session is not valid any more\n");
    EXPECT_EQ(server_.backend.account.info("INBOX").messages, 1u);
}

TEST_F(ImapEnded, Pop3KickedMayComeBack) {
    TestClient& client = connect(StartAt::pop3, "USER joe\r\nPASS secret\r\n");
    EXPECT_EQ(end(client, EndReason::administrator),
              "-ERR [SYS/TEMP] The administrator ended the session\n");
}

TEST_F(ImapEnded, FactsSayWhatItDoes) {
    connect(StartAt::login, "1 ID (\"name\" \"Thunder\" \"version\" \"1\")\r\n2 SELECT INBOX\r\n3 NOOP\r\n");
    const ipc::SessionFacts facts = server_.backend.live.begin()->second->facts();
    EXPECT_EQ(facts.client, "Thunder 1");
    EXPECT_EQ(facts.mailbox, "INBOX");
    EXPECT_EQ(facts.last_command, "NOOP");
    EXPECT_EQ(facts.login, "joe@example.org");
    EXPECT_EQ(facts.tls, "");
}

}  // namespace
}  // namespace mailstead::imapd
