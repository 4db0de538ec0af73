// What scripts cannot say of messages put together and of parts decoded: sizes, and every way of cutting the
// bytes.
#include <gtest/gtest.h>

#include "common/mime/transfer_encoding.h"
#include "imapd/proto/command.h"
#include "tests/unit/imapd/session/test_server.h"

namespace mailstead::imapd {
namespace {

// The answer up to the tagged one of `tag`, lines joined by "\n".
std::string ask(TestServer& server, TestClient& client, const std::string& tag, std::string_view bytes) {
    client.send(bytes);
    std::string all, line;
    while (server.read_line(client, line)) {
        all += line + "\n";
        if (line.starts_with(tag + " ")) return all;
    }
    ADD_FAILURE() << "no answer; came: " << all;
    return all;
}

const std::string_view kCatenate =
    "a APPEND INBOX CATENATE (URL \"/INBOX/;UID=1/;SECTION=HEADER\" TEXT {4+}\r\nnew "
    " URL \"/INBOX/;UID=1/;SECTION=TEXT\" UTF8 (~{3+}\r\nend)) (\\Seen) {14+}\r\nSubject: y\r\n\r\n\r\n"
    "b FETCH 1:* RFC822.SIZE\r\nc LOGOUT\r\n";

TEST(Compose, AnySplitOfCatenateGivesTheSameMessage) {
    for (std::size_t cut = 1; cut < kCatenate.size(); cut += 2) {
        TestServer server;
        server.backend.account.deliver(store::make_message("one"));
        TestClient& client = server.connect(StartAt::login);
        client.send(kCatenate.substr(0, cut));
        server.settle();
        client.send(kCatenate.substr(cut));
        std::string line;
        while (server.read_line(client, line)) {
        }
        const std::string expected = store::make_message("one", "", "new Hello\r\nend");
        EXPECT_EQ(server.backend.account.read(server.backend.account.id_of("INBOX"), Uid(2)), expected);
        EXPECT_EQ(server.backend.account.info("INBOX").messages, 3u) << "cut at " << cut;
    }
}

TEST(Compose, TooLargeAWholeOfSmallPartsIsTooBig_Rfc4469_4_2) {
    TestServer server;
    server.backend.account.deliver(store::make_message("big", "", std::string(300'000, 'x')));
    TestClient& client = server.connect(StartAt::login);
    std::string command = "a APPEND INBOX CATENATE (URL \"/INBOX/;UID=1\"";
    for (int i = 0; i < 3; ++i) command += " URL \"/INBOX/;UID=1\"";
    EXPECT_NE(ask(server, client, "a", command + ")\r\n").find("a NO [TOOBIG]"), std::string::npos);
    EXPECT_EQ(server.backend.account.info("INBOX").messages, 1u);
}

TEST(Compose, TakesNoMorePartsThanItsLimit) {
    TestServer server;
    server.backend.account.deliver(store::make_message("one"));
    TestClient& client = server.connect(StartAt::login);
    std::string command = "a APPEND INBOX CATENATE (URL \"/INBOX/;UID=1\"";
    for (std::size_t i = 1; i < proto::kMaxCatenateParts; ++i) command += " URL \"/INBOX/;UID=1\"";
    EXPECT_NE(ask(server, client, "a", command + ")\r\n").find("a OK"), std::string::npos);
    EXPECT_NE(ask(server, client, "a", command + " URL \"/INBOX/;UID=1\")\r\n").find("a BAD"),
              std::string::npos);
}

// Bytes of every value, more than fit into memory at once.
std::string all_bytes(std::size_t size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 7 + i / 251);
    return bytes;
}

class Binary : public testing::TestWithParam<std::size_t> {};

TEST_P(Binary, LargePartsComeDecodedWholeAndInPieces_Rfc3516_4_2) {
    const std::string bytes = all_bytes(GetParam());
    TestServer server;
    server.backend.account.deliver(
        store::make_message("b",
                            "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
                            "Content-Transfer-Encoding: base64\r\n",
                            mime::encode_base64(bytes)));
    TestClient& client = server.connect(StartAt::login);
    ask(server, client, "a", "a EXAMINE INBOX\r\n");
    const std::string size = std::to_string(bytes.size());
    EXPECT_EQ(ask(server, client, "b", "b FETCH 1 BINARY.SIZE[1]\r\n"),
              "* 1 FETCH (BINARY.SIZE[1] " + size + ")\nb OK That is all\n");
    const auto fetched = [&](const std::string& item, const std::string& shown) {
        client.send("c FETCH 1 " + item + "\r\n");
        std::string answer;
        const std::string end = ")\r\nc OK That is all\r\n";
        for (int rounds = 0; !client.received.ends_with(end) && rounds < 100'000; ++rounds)
            server.run_briefly();
        answer = std::exchange(client.received, std::string());
        EXPECT_TRUE(answer.starts_with("* 1 FETCH (" + shown)) << answer.substr(0, 80);
        EXPECT_TRUE(answer.ends_with(end));
        return answer.substr(11 + shown.size(), answer.size() - 11 - shown.size() - end.size());
    };
    EXPECT_EQ(fetched("BINARY.PEEK[1]", "BINARY[1] "), "~{" + size + "}\r\n" + bytes);
    const std::size_t middle = bytes.size() / 2;
    EXPECT_EQ(fetched("BINARY.PEEK[1]<" + std::to_string(middle) + ".1000>",
                      "BINARY[1]<" + std::to_string(middle) + "> "),
              "~{1000}\r\n" + bytes.substr(middle, 1000));
    EXPECT_EQ(fetched("BINARY.PEEK[1]<" + size + ".5>", "BINARY[1]<" + size + "> "), "\"\"");
}

INSTANTIATE_TEST_SUITE_P(Sizes, Binary, testing::Values(5'000u, 262'144u, 262'145u, 1'500'001u));

}  // namespace
}  // namespace mailstead::imapd
