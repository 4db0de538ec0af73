// Searches answered by the index, by dense records, by the fetch cache and by files: always the same.
#include <gtest/gtest.h>

#include "common/fulltext/account_indexer.h"
#include "common/mime/charset.h"
#include "common/mime/message.h"
#include "tests/unit/imapd/session/test_server.h"
#include "tests/unit/mime/random_mail.h"

namespace mailstead::imapd {
namespace {

class Searching : public ::testing::Test {
protected:
    void deliver(const std::string& message) { server.backend.account.deliver(message); }

    void index() {
        fulltext::AccountIndexer indexer(server.backend.account.root(), server.backend.account.reader(),
                                         store::kAccount);
        while (indexer.step().value() == fulltext::AccountIndexer::Progress::more_to_do) continue;
        server.backend.fulltext = fulltext::index_directory(server.backend.account.root(), store::kAccount);
    }

    // The numbers of the answer, blanks between them; or the tagged line when it is not OK.
    std::string search(const std::string& keys) {
        if (client == nullptr) {
            client = &server.connect(StartAt::login);
            answer_to("1 SELECT INBOX\r\n", "1");
        }
        return answer_to("2 UID SEARCH " + keys + "\r\n", "2");
    }
    static std::string literal(std::string_view text) {
        return "{" + std::to_string(text.size()) + "+}\r\n" + std::string(text);
    }

    TestServer server;
    TestClient* client = nullptr;

private:
    std::string answer_to(const std::string& command, std::string_view tag) {
        client->send(command);
        std::string line, found;
        while (server.read_line(*client, line)) {
            if (line.starts_with("* SEARCH")) found = line.size() > 9 ? line.substr(9) : "";
            if (line.starts_with(tag)) return line.find(" OK ") != std::string::npos ? found : line;
        }
        return "closed";
    }
};

TEST_F(Searching, TextsAreFoundWithAndWithoutTheIndex) {
    mime::RandomMail mail(3);
    std::vector<std::string> messages;
    for (int n = 0; n < 120; ++n) {
        messages.push_back(mail.message());
        deliver(messages.back());
    }
    index();
    // Those that came since are read.
    for (int n = 0; n < 20; ++n) {
        messages.push_back(mail.message());
        deliver(messages.back());
    }
    const auto directory = server.backend.fulltext;
    for (int n = 0; n < 60; ++n) {
        std::string pattern = mail.pattern(messages[mail.below(messages.size())]);
        std::erase(pattern, '\0');
        const bool body = n % 2 == 0;
        const std::string folded = mime::fold_for_search(pattern);
        std::string expected;
        for (std::size_t i = 0; i < messages.size(); ++i) {
            const auto scope = body ? mime::TextScope::body : mime::TextScope::whole;
            if (!mime::message_contains(mime::Message::parse(messages[i]), scope, folded)) continue;
            expected += (expected.empty() ? "" : " ") + std::to_string(i + 1);
        }
        const std::string key = "CHARSET UTF-8 " + std::string(body ? "BODY " : "TEXT ") + literal(pattern);
        server.backend.fulltext = directory;
        EXPECT_EQ(search(key), expected) << "by index: " << pattern;
        server.backend.fulltext.reset();
        EXPECT_EQ(search(key), expected) << "by scan: " << pattern;
    }
}

TEST_F(Searching, TextsJoinOtherKeys) {
    for (int n = 1; n <= 100; ++n) {
        const std::string body = n % 2 == 0 ? "even number\r\n" : "odd number\r\n";
        deliver(store::make_message("subject " + std::to_string(n), "", body));
    }
    index();
    EXPECT_EQ(search("BODY \"even num\" 1:6"), "2 4 6");
    EXPECT_EQ(search("NOT BODY even 1:6"), "1 3 5");
    EXPECT_EQ(search("OR BODY even SUBJECT \"t 3\" 1:6"), "2 3 4 6");
    EXPECT_EQ(search("OR (BODY odd 4:6) (NOT BODY odd 1:2)"), "2 5");
    EXPECT_EQ(search("BODY absent"), "");
    EXPECT_EQ(search("TEXT \"subject 99\""), "99");
}

TEST_F(Searching, ADamagedIndexCostsOnlySpeed) {
    for (int n = 1; n <= 60; ++n)
        deliver(store::make_message("s", "", "number " + std::to_string(n) + "\r\n"));
    index();
    for (const auto& file : std::filesystem::directory_iterator(*server.backend.fulltext))
        std::filesystem::resize_file(file.path(), std::filesystem::file_size(file.path()) / 2);
    EXPECT_EQ(search("BODY \"number 59\""), "59");
    std::filesystem::remove_all(*server.backend.fulltext);
    EXPECT_EQ(search("BODY \"number 59\""), "59");
}

TEST_F(Searching, HeadersOfMessagesFromBeforeThereWereRecordsAreFound) {
    deliver(store::make_message("First", "Cc: =?utf-8?q?J=C3=B6rg?= <j@x>\r\n"));
    deliver(store::make_message("second", "Cc: first@x\r\n"));
    const std::string cases[] = {"SUBJECT first",
                                 "CC J\xC3\xB6rg",
                                 "CC j@x",
                                 "HEADER CC \"\"",
                                 "NOT CC x",
                                 "SENTON 14-Nov-2023",
                                 "OR CC first SUBJECT first",
                                 "FROM ann",
                                 "BCC a",
                                 "HEADER Bcc \"\"",
                                 "HEADER Date 2023"};
    std::vector<std::string> with, without;
    for (const std::string& keys : cases) with.push_back(search("CHARSET UTF-8 " + keys));
    server.backend.account.forget_headers();
    for (const std::string& keys : cases) without.push_back(search("CHARSET UTF-8 " + keys));
    EXPECT_EQ(with, without);
    EXPECT_EQ(with[0], "1");
    EXPECT_EQ(with[6], "1 2");
}

TEST_F(Searching, KeysThatSetsAnswerNeedNoMessage) {
    for (int n = 1; n <= 6; ++n) deliver(store::make_message("s"));
    store::StoreFlags flags;
    flags.mailbox = server.backend.account.id_of("INBOX");
    flags.uids = store::UidSet::of({2, 3});
    flags.flags = store::flags_of(store::SystemFlag::seen);
    server.backend.account.must<store::FlagsStored>(flags);
    flags.uids = store::UidSet::of({3, 4});
    flags.flags = store::flags_of(store::SystemFlag::deleted);
    server.backend.account.must<store::FlagsStored>(flags);
    EXPECT_EQ(search("OR SEEN DELETED"), "2 3 4");
    EXPECT_EQ(search("NOT (OR SEEN DELETED)"), "1 5 6");
    EXPECT_EQ(search("UNSEEN NOT DELETED 1:5"), "1 5");
    EXPECT_EQ(search("OR (SEEN DELETED) 6"), "3 6");
    EXPECT_EQ(search("NOT ALL"), "");
}

}  // namespace
}  // namespace mailstead::imapd
