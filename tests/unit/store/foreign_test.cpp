// Files and folders that other programs put into a Maildir, friendly and not.
#include <algorithm>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "common/store/adopt.h"
#include "common/store/beneath.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

constexpr Time kSoon = kTime + Seconds(1'000'000'000);  // beyond the folders' own times

void drop(const std::filesystem::path& file, std::string_view content) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
}

std::string content_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void adopt_all(TestAccount& account) {
    Time at = kSoon;
    for (int call = 0; call < 100; ++call, at += Seconds(1'000)) {
        account.follow();
        if (account.follower().adopt(kAccount, at).value() == Follower::Progress::nothing_left) return;
    }
    FAIL() << "it never ends";
}

TEST(Foreign, ANewFolderWithFilesBecomesAMailbox) {
    TestAccount account;
    account.deliver(make_message("one"));
    account.follow();
    drop(account.mail() / ".Lists.C++/new/1600000001.M1P1.host", make_message("a"));
    std::filesystem::create_directories(account.mail() / ".Lists.C++/cur");
    drop(account.mail() / ".notes.txt", "no folder");
    std::filesystem::create_directories(account.mail() / ".incomplete");
    adopt_all(account);
    EXPECT_EQ(account.info("Lists/C++").messages, 1u);
    EXPECT_TRUE(account.info("Lists/C++").subscribed);
    EXPECT_EQ(account.read(account.id_of("Lists/C++"), Uid(1)), make_message("a"));
    EXPECT_FALSE(account.snapshot().find(name("incomplete")));
}

TEST(Foreign, ALinkInPlaceOfAFolderIsNotReadAndSaidOnce) {
    TestAccount account;
    TestAccount victim(AccountId(8));
    victim.deliver(make_message("secret"));
    victim.follow();
    account.deliver(make_message("one"));
    account.must<MailboxMade>(CreateMailbox{name("Box")});
    account.follow();
    const auto before = victim.files();
    for (const char* link : {"cur", ".Box/new"}) {
        std::filesystem::remove_all(account.mail() / link);
        std::filesystem::create_directory_symlink(victim.mail() / "new", account.mail() / link);
    }
    std::filesystem::create_directory_symlink(victim.mail(), account.mail() / ".Other");
    std::filesystem::create_directories(account.mail() / ".Third/new");
    std::filesystem::create_directory_symlink(victim.mail() / "new", account.mail() / ".Third/cur");
    adopt_all(account);
    adopt_all(account);
    EXPECT_EQ(account.info("INBOX").messages, 1u);
    EXPECT_EQ(account.info("Box").messages, 0u);
    EXPECT_FALSE(account.snapshot().find(name("Other")));
    EXPECT_EQ(victim.files(), before);
    EXPECT_EQ(std::count_if(account.lines.begin(), account.lines.end(),
                            [](const std::string& line) {
                                return line.find(" cur is no folder") != std::string::npos;
                            }),
              1);
}

TEST(Foreign, AFileThatIsALinkIsNotRead) {
    TestAccount account;
    account.deliver(make_message("one"));
    account.follow();
    drop(account.root() / "secret", make_message("secret"));
    std::filesystem::create_symlink(account.root() / "secret", account.mail() / "new/1600000001.M1P1.host");
    ASSERT_EQ(::mkfifo((account.mail() / "new/1600000002.M1P1.host").c_str(), 0600), 0);
    adopt_all(account);
    EXPECT_EQ(account.info("INBOX").messages, 1u);
}

TEST(Foreign, ATrapInTmpIsNotWrittenThrough) {
    TestAccount account;
    account.deliver(make_message("one"));
    account.follow();
    drop(account.root() / "precious", "precious");
    std::filesystem::create_symlink(account.root() / "precious",
                                    account.mail() / "tmp/1600000001.M1P1.host.crlf");
    drop(account.mail() / "new/1600000001.M1P1.host", "Subject: x\n\nbare\n");
    adopt_all(account);
    EXPECT_EQ(content_of(account.root() / "precious"), "precious");
    EXPECT_EQ(account.read(account.id_of("INBOX"), Uid(2)), "Subject: x\r\n\r\nbare\r\n");
    // tmp itself leads elsewhere.
    std::filesystem::remove_all(account.mail() / "tmp");
    std::filesystem::create_directories(account.root() / "elsewhere");
    std::filesystem::create_directory_symlink(account.root() / "elsewhere", account.mail() / "tmp");
    drop(account.mail() / "new/1600000002.M1P1.host", "Subject: y\n\nbare\n");
    adopt_all(account);
    EXPECT_TRUE(std::filesystem::is_empty(account.root() / "elsewhere"));
    EXPECT_EQ(account.info("INBOX").messages, 2u);
}

TEST(Foreign, ALargeFileIsConvertedPieceByPiece) {
    TestAccount account;
    account.deliver(make_message("one"));
    account.follow();
    std::string large = "Subject: large\n\n";
    std::string wanted = "Subject: large\r\n\r\n";
    // Line ends of all kinds fall on the ends of pieces.
    for (int n = 0; large.size() < 3u << 20; ++n) {
        const std::string line = "line " + std::to_string(n);
        const char* const ends[] = {"\n", "\r\n", "\r"};
        large += line + ends[n % 3];
        wanted += line + "\r\n";
    }
    large += '\r';
    wanted += "\r\n";
    drop(account.mail() / "new/1600000001.M1P1.host", large);
    const timespec times[2] = {{1'500'000'000, 0}, {1'500'000'000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (account.mail() / "new/1600000001.M1P1.host").c_str(), times, 0), 0);
    adopt_all(account);
    EXPECT_TRUE(account.read(account.id_of("INBOX"), Uid(2)) == wanted);
    EXPECT_EQ(account.snapshot().message(account.id_of("INBOX"), Uid(2)).value()->internal_date,
              Time(Seconds(1'500'000'000)));
    EXPECT_TRUE(std::filesystem::is_empty(account.mail() / "tmp"));
}

TEST(Foreign, NoNameLeadsOutOfTheFolder) {
    TestAccount account;
    account.deliver(make_message("one"));
    drop(account.root() / "secret", "secret");
    const FileDescriptor mail = open_folder(account.mail().string());
    ASSERT_TRUE(mail);
    for (const char* path : {"../../../secret", "new/../../../../secret", "/etc/passwd", ""})
        EXPECT_FALSE(open_beneath(mail.get(), path, O_RDONLY)) << path;
    EXPECT_TRUE(open_beneath(mail.get(), "new", O_RDONLY | O_DIRECTORY));
}

}  // namespace
}  // namespace mailstead::store
