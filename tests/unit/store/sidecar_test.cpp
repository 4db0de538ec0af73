#include "common/store/sidecar.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

AccountSidecar example() {
    AccountSidecar side;
    side.account = AccountId(7);
    side.last_uidvalidity = 1'700'000'005;
    side.next_mailbox = 9;
    side.next_message = 131'072;
    side.modseq = 2'097'152;
    side.quota_octets = 5;
    side.keywords = {"$Forwarded", "work"};
    side.subscriptions = {"INBOX", "With blank %and\nbreak"};
    side.mailboxes = {{1, 1'700'000'000, 2'048, 1'700'000'000'123, SpecialUse::none, "", "INBOX"},
                      {3, 1'700'000'002, 1'024, -5, SpecialUse::sent, ".Gesendet %25", "Gesendet %"}};
    side.acl = {{3, {AccountId(12), false, Right::lookup | Right::create}},
                {3, {kAnyone, true, Rights(Right::expunge)}}};
    side.annotations = {{0, "/shared/comment", std::string("a\0b\r\n\xFF", 6)}, {3, "/private/x", ""}};
    return side;
}

TEST(Sidecar, SaysAgainWhatItWasTold) {
    const AccountSidecar side = example();
    EXPECT_EQ(AccountSidecar::decode(side.encode()), side);
    MailboxSidecar box;
    box.keywords["$Forwarded"] = UidSet{{1, 4}, {9, 9}};
    box.delays[-20] = UidSet::of({5});
    box.early[-86'400] = UidSet{{7, 8}};
    EXPECT_EQ(MailboxSidecar::decode(box.encode()), box);
    EXPECT_NE(box.encode().find("keyword $Forwarded 1:4,9\n"), std::string::npos);
}

TEST(Sidecar, ATextThatWasCutAnywhereIsNotBelieved) {
    const std::string text = example().encode();
    for (std::size_t size = 0; size < text.size(); ++size)
        EXPECT_FALSE(AccountSidecar::decode(text.substr(0, size))) << size;
    std::string hole = text;
    std::fill(hole.begin() + 100, hole.begin() + 140, '\0');
    EXPECT_FALSE(AccountSidecar::decode(hole));
}

// `c` stands for two rights: whoever has one of them must not have both afterwards.
TEST(Sidecar, RightsDoNotGrow) {
    AccountSidecar side = example();
    side.acl = {{3, {AccountId(12), false, Rights(Right::create)}},
                {3, {AccountId(13), false, Rights(Right::expunge)}}};
    EXPECT_EQ(AccountSidecar::decode(side.encode())->acl, side.acl);
}

std::filesystem::file_time_type time_of(const TestAccount& account, const char* file) {
    return std::filesystem::last_write_time(account.root() / "accounts/7/sidecar" / file);
}

TEST(Sidecar, ADeliveryAloneDoesNotRewriteIt) {
    TestAccount account;
    account.deliver(make_message("one"));
    account.follow();
    ASSERT_EQ(account.follower().keep_sidecar(kAccount, kTime).value(), Follower::Progress::nothing_left);
    const auto before = time_of(account, "mailboxes");
    EXPECT_FALSE(std::filesystem::exists(account.root() / "accounts/7/sidecar/messages.1"));
    account.deliver(make_message("two"));
    account.follow();
    ASSERT_EQ(account.follower().keep_sidecar(kAccount, kTime + Seconds(60)).value(),
              Follower::Progress::nothing_left);
    EXPECT_EQ(time_of(account, "mailboxes"), before);
}

TEST(Sidecar, IsWrittenAfterAPauseOrAtOnce) {
    TestAccount account;
    account.deliver(make_message("one"));
    Follower& follower = account.follower();
    ASSERT_EQ(follower.keep_sidecar(kAccount, kTime).value(), Follower::Progress::nothing_left);
    account.must<MailboxMade>(CreateMailbox{name("New")});
    account.must<FlagsStored>(StoreFlags{account.id_of("INBOX"), UidSet::of({1}), StoreFlags::How::add,
                                         flags_of({}, {"work"}), std::nullopt});
    EXPECT_EQ(follower.keep_sidecar(kAccount, kTime + Seconds(1)).value(), Follower::Progress::more_to_do);
    EXPECT_FALSE(std::filesystem::exists(account.root() / "accounts/7/sidecar/messages.1"));
    EXPECT_EQ(follower.keep_sidecar(kAccount, kTime + Seconds(2), true).value(),
              Follower::Progress::nothing_left);
    EXPECT_EQ(sidecar::read_mailbox(account.root(), kAccount, 1).keywords.at("work"), UidSet::of({1}));
    EXPECT_EQ(sidecar::read_account(account.root(), kAccount)->mailboxes.size(), 7u);
    // No keyword any more: the file goes. So does that of a mailbox that is deleted.
    account.must<FlagsStored>(StoreFlags{account.id_of("INBOX"), UidSet::of({1}), StoreFlags::How::remove,
                                         flags_of({}, {"work"}), std::nullopt});
    ASSERT_EQ(follower.keep_sidecar(kAccount, kTime + Seconds(3), true).value(),
              Follower::Progress::nothing_left);
    EXPECT_FALSE(std::filesystem::exists(account.root() / "accounts/7/sidecar/messages.1"));
}

TEST(Sidecar, ComesBackWhenSomebodyRemovedIt) {
    TestAccount account;
    account.deliver(make_message("one"), "INBOX", flags_of({}, {"work"}));
    Follower& follower = account.follower();
    ASSERT_EQ(follower.keep_sidecar(kAccount, kTime).value(), Follower::Progress::nothing_left);
    std::filesystem::remove_all(account.root() / "accounts/7/sidecar");
    ASSERT_EQ(follower.keep_sidecar(kAccount, kTime + Seconds(9)).value(), Follower::Progress::nothing_left);
    EXPECT_TRUE(sidecar::read_account(account.root(), kAccount));
    EXPECT_EQ(sidecar::read_mailbox(account.root(), kAccount, 1).keywords.size(), 1u);
}

}  // namespace
}  // namespace mailstead::store
