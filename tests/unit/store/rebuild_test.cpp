#include "common/store/rebuild.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

TEST(Rebuild, FindsEverythingInTheFiles) {
    TestAccount account;
    for (int n = 0; n < 12; ++n) account.deliver(make_message("m" + std::to_string(n)));
    account.must<MailboxMade>(CreateMailbox{name("Work/2026.1")});
    account.must<Copied>(Copy{account.id_of("INBOX"), UidSet::of({3, 5}), {name("Work/2026.1")}, false});
    account.must<FlagsStored>(StoreFlags{account.id_of("INBOX"), UidSet::of({7}), StoreFlags::How::add,
                                         flags_of(SystemFlag::seen | SystemFlag::flagged), std::nullopt});
    account.follow();
    const UidValidity before = account.info("INBOX").uidvalidity;
    account.close();
    std::ofstream(account.root() / "accounts/7/index/data.mdb", std::ios::trunc) << "garbage";

    const auto report = rebuild_index(account.root(), kAccount, kTime + Seconds(1'000));
    ASSERT_TRUE(report) << report.error().what;
    EXPECT_EQ(report->messages, 14u);
    EXPECT_EQ(report->mailboxes, 8u);
    EXPECT_EQ(report->skipped, 0u);
    EXPECT_TRUE(std::filesystem::exists(report->old_index / "data.mdb"));

    account.reopen();
    EXPECT_EQ(account.info("INBOX").messages, 12u);
    EXPECT_GT(account.info("INBOX").uidvalidity, before);
    EXPECT_EQ(account.info("Sent").special_use, SpecialUse::sent);
    EXPECT_EQ(account.info("Work/2026.1").messages, 2u);
    EXPECT_TRUE(account.info("Work/2026.1").subscribed);
    const MailboxId inbox = account.id_of("INBOX");
    for (std::uint32_t uid = 1; uid <= 12; ++uid) {
        EXPECT_EQ(account.read(inbox, Uid(uid)), make_message("m" + std::to_string(uid - 1)));
        const auto message = account.snapshot().message(inbox, Uid(uid)).value();
        EXPECT_EQ(message->flags.system, uid == 7 ? SystemFlag::seen | SystemFlag::flagged : SystemFlags());
        EXPECT_EQ(message->internal_date, kTime);
    }
    account.follow();
    for (std::uint32_t uid = 1; uid <= 12; ++uid)
        EXPECT_EQ(account.read(inbox, Uid(uid)), make_message("m" + std::to_string(uid - 1)));
    EXPECT_EQ(account.files().size(), 14u);
    account.deliver(make_message("and on"));
    EXPECT_EQ(account.info("INBOX").messages, 13u);
}

TEST(Rebuild, ReadsAMaildirOfAnotherServer) {
    TestAccount account;
    account.close();
    const auto drop = [&](const char* path, std::string_view content) {
        const std::filesystem::path file = account.mail() / path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << content;
    };
    drop("cur/1600000002.M2P1.host,S=20:2,S", "Subject: second\n\nx\n");
    drop("new/1600000001.M1P1.host", "Subject: first\r\n\r\nx\r\n");
    drop(".Sent/cur/1600000003.M3P1.host:2,RS", "Subject: sent\r\n\r\n");
    drop(".Lists.c++/cur/1600000003.M3P1.host:2,", "Subject: list\r\n\r\n");
    drop("dovecot.index", "not mail");
    std::filesystem::remove_all(account.root() / "accounts/7/index");
    const auto report = rebuild_index(account.root(), kAccount, kTime);
    ASSERT_TRUE(report) << report.error().what;
    EXPECT_EQ(report->messages, 4u);
    EXPECT_TRUE(report->old_index.empty());
    account.reopen();
    EXPECT_EQ(account.read(account.id_of("INBOX"), Uid(1)), "Subject: first\r\n\r\nx\r\n");
    EXPECT_EQ(account.read(account.id_of("INBOX"), Uid(2)), "Subject: second\r\n\r\nx\r\n");
    EXPECT_EQ(account.info("Lists/c++").messages, 1u);
    EXPECT_EQ(account.snapshot().message(account.id_of("INBOX"), Uid(1)).value()->internal_date,
              Time(Seconds(1'600'000'001)));
    EXPECT_EQ(rebuild_index(account.root(), AccountId(99), kTime).error().fault, Fault::non_existent);
}

}  // namespace
}  // namespace mailstead::store
