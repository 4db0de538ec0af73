// What scripts cannot say: every way of cutting the bytes, hostile input by the table, memory.
#include <filesystem>
#include <functional>

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
    for (const std::string_view command : {"FETCH 1 FLAGS",
                                           "STORE 1 FLAGS ()",
                                           "COPY 1 x",
                                           "MOVE 1 x",
                                           "SEARCH ALL",
                                           "EXPUNGE",
                                           "SORT (TO) UTF-8 ALL",
                                           "UID THREAD REFS UTF-8 ALL",
                                           "ESEARCH ALL",
                                           "CANCELUPDATE \"x\"",
                                           "UID EXPUNGE 1",
                                           "CLOSE",
                                           "UNSELECT",
                                           "CHECK",
                                           "STARTTLS",
                                           "LOGIN a b",
                                           "AUTHENTICATE PLAIN",
                                           "NOSUCH",
                                           "UID NOOP",
                                           "SELECT INBOX (QRESYNC (1 1))"}) {
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

TEST(ImapSession, UidBatchesPartitionTheMailboxFromTheNewestDown_Rfc10022) {
    TestServer server;
    server.backend.account.write_files = false;
    for (int i = 0; i < 1'300; ++i) server.backend.account.deliver(store::make_message("n"));
    store::Expunge expunge;
    expunge.mailbox = server.backend.account.id_of("INBOX");
    expunge.uids = store::UidSet({store::UidRange{1, 10}, store::UidRange{700, 799}});
    expunge.only_deleted = false;
    server.backend.account.must<store::Expunged>(expunge);
    TestClient& client = server.connect(StartAt::login);
    const auto last_lines = [&](const std::string& command) {
        client.send(command + "\r\n");
        std::string line, before;
        while (server.read_line(client, line) && !line.starts_with(command.substr(0, 2))) before = line;
        return before + " | " + line.substr(0, line.find(']') + 1);
    };
    last_lines("a SELECT INBOX");
    // 1,190 messages: 801 to 1300, 201 to 800 without those expunged, 11 to 200.
    EXPECT_EQ(last_lines("b UIDBATCHES 500"), "* UIDBATCHES (TAG \"b\") 1300:801,800:201,200:1 | ");
    EXPECT_EQ(last_lines("c UIDBATCHES 500 2:2"), "* UIDBATCHES (TAG \"c\") 800:201 | ");
    EXPECT_EQ(last_lines("d UIDBATCHES 500 2:9"), "* UIDBATCHES (TAG \"d\") 800:201,200:1 | ");
    EXPECT_EQ(last_lines("e UIDBATCHES 500 4:9"), "* UIDBATCHES (TAG \"e\") | ");
    EXPECT_EQ(last_lines("f UIDBATCHES 4000000000"), "* UIDBATCHES (TAG \"f\") 1300:1 | ");
    EXPECT_EQ(last_lines("g UIDBATCHES 595"), "* UIDBATCHES (TAG \"g\") 1300:606,605:1 | ");
    EXPECT_EQ(last_lines("h UIDBATCHES 499"), " | h NO [TOOFEW]");
    EXPECT_EQ(last_lines("i UIDBATCHES 500 1:4001"), " | i NO [TOOMANY]");
    last_lines("j SELECT Sent");
    EXPECT_EQ(last_lines("k UIDBATCHES 500"), "* UIDBATCHES (TAG \"k\") | ");
}

TEST(ImapSession, ChangeThatTakesLongSaysSo_Rfc9585_4) {
    TestServer server;
    server.backend.account.deliver(store::make_message("one"));
    TestClient& client = server.connect(StartAt::login);
    std::string line;
    client.send("a SELECT INBOX\r\n");
    while (server.read_line(client, line) && !line.starts_with("a ")) continue;
    server.backend.progress = std::chrono::milliseconds(1);
    server.backend.slowness = std::chrono::milliseconds(20);
    client.send("b COPY 1 Sent\r\n");
    ASSERT_TRUE(server.read_line(client, line));
    EXPECT_TRUE(line.starts_with("* OK [INPROGRESS (\"b\" NIL NIL)] ")) << line;
    while (server.read_line(client, line) && line.starts_with("* OK [INPROGRESS")) continue;
    EXPECT_TRUE(line.starts_with("b OK [COPYUID")) << line;
}

// What must be waited for is fetched in its place: here because the files have other names than the index
// says.
TEST(ImapSession, FilesThatAreNotAtHandAreWaitedFor) {
    TestServer server;
    for (int i = 1; i <= 300; ++i)
        server.backend.account.deliver(store::make_message("n" + std::to_string(i)));
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(server.backend.account.mail())) {
        if (entry.is_regular_file()) files.push_back(entry.path());
    }
    ASSERT_EQ(files.size(), 300u);
    for (const auto& file : files) {
        const std::string name = file.filename().string();
        const bool is_odd = std::hash<std::string>()(name) % 3 != 0;
        if (is_odd)
            std::filesystem::rename(file, file.parent_path() / (name.substr(0, name.find(':')) + ":2,FR"));
    }
    TestClient& client = server.connect(StartAt::login);
    client.send("a SELECT INBOX\r\nb UID FETCH 1:* (BODY.PEEK[])\r\n");
    std::string line;
    int message = 0;
    int subject = 0;
    while (server.read_line(client, line) && !line.starts_with("b ")) {
        if (line.find(" FETCH (") != std::string::npos) {
            ++message;
            EXPECT_TRUE(line.starts_with("* " + std::to_string(message) + " ")) << line;
            EXPECT_EQ(line.find("NIL"), std::string::npos) << line;
        }
        if (line.starts_with("Subject: ")) {
            ++subject;
            EXPECT_EQ(line, "Subject: n" + std::to_string(message));
        }
    }
    EXPECT_TRUE(line.starts_with("b OK")) << line;
    EXPECT_EQ(message, 300);
    EXPECT_EQ(subject, 300);
}

}  // namespace
}  // namespace mailstead::imapd
