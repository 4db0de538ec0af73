#include "common/store/deleted.h"

#include <fcntl.h>
#include <fstream>

#include <gtest/gtest.h>

#include "common/commit/file_layer.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

struct Keeping : TestAccount {
    Keeping() {
        keep_deleted = true;
        reopen();
    }
    std::vector<DeletedMessage> kept(const DeletedFilter& filter = {}) {
        return list_deleted(root(), kAccount, filter);
    }
    UndeleteReport give_back(const std::vector<DeletedMessage>& messages) {
        const auto submit = [this](AccountId, const Change& change,
                                   std::vector<commit::MessageFile> files) -> Outcome<ChangeResult> {
            std::vector<std::string> contents;
            for (commit::MessageFile& file : files) {
                contents.emplace_back();
                EXPECT_EQ(
                    commit::FileLayer::real().read(file.descriptor.get(), 0, file.size, contents.back()), 0);
            }
            return apply(change, contents);
        };
        return undelete(root(), kAccount, messages, kTime + Seconds(5), submit).value();
    }
    void expunge(const char* mailbox, UidSet uids) {
        must<Expunged>(Expunge{id_of(mailbox), std::move(uids), false});
        follow();
    }
};

TEST(Deleted, AnExpungedMessageComesBackAsItWas) {
    Keeping account;
    Append append = append_to(name("INBOX"), {make_message("=?utf-8?q?gr=C3=BC=C3=9Fe?=")},
                              flags_of(SystemFlag::seen | SystemFlag::flagged, {"$Forwarded", "work"}));
    append.messages.front().internal_date = kTime - Seconds(500'000);
    account.must<Appended>(append, {make_message("=?utf-8?q?gr=C3=BC=C3=9Fe?=")});
    const std::uint64_t octets = account.snapshot().account()->octets;
    account.must<FlagsStored>(StoreFlags{account.id_of("INBOX"), UidSet::of({1}), StoreFlags::How::add,
                                         flags_of(SystemFlag::deleted), std::nullopt});
    account.expunge("INBOX", UidSet::of({1}));
    EXPECT_EQ(account.snapshot().account()->octets, 0u);
    EXPECT_TRUE(account.files().empty());

    const auto kept = account.kept();
    ASSERT_EQ(kept.size(), 1u);
    EXPECT_EQ(kept[0].mailbox, "INBOX");
    EXPECT_EQ(kept[0].deleted_at, kTime);
    EXPECT_EQ(kept[0].internal_date, kTime - Seconds(500'000));
    EXPECT_EQ(kept[0].flags, flags_of(SystemFlag::seen | SystemFlag::flagged, {"$Forwarded", "work"}));
    const auto summary = summary_of_deleted(account.root(), kAccount, kept[0]);
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->subject, "grüße");
    EXPECT_EQ(summary->from, "Ann <ann@example.org>");

    EXPECT_EQ(account.give_back(kept).messages, 1u);
    EXPECT_TRUE(account.kept().empty());
    const MailboxId inbox = account.id_of("INBOX");
    const auto back = account.snapshot().message(inbox, Uid(2)).value();
    ASSERT_TRUE(back);
    EXPECT_EQ(back->internal_date, kTime - Seconds(500'000));
    EXPECT_EQ(back->flags.system, SystemFlag::seen | SystemFlag::flagged);
    EXPECT_FALSE(back->flags.keywords.empty());
    EXPECT_EQ(account.read(inbox, Uid(2)), make_message("=?utf-8?q?gr=C3=BC=C3=9Fe?="));
    EXPECT_EQ(account.snapshot().account()->octets, octets);
    EXPECT_EQ(account.give_back(kept).missing, 1u);
}

TEST(Deleted, ADeletedMailboxIsMadeAgain) {
    Keeping account;
    account.must<MailboxMade>(CreateMailbox{name("Work/Now and then")});
    for (int n = 0; n < 150; ++n) account.deliver(make_message("m" + std::to_string(n)), "Work/Now and then");
    account.deliver(make_message("other"));
    account.must<Done>(DeleteMailbox{name("Work/Now and then")});
    account.follow();
    account.expunge("INBOX", UidSet::all());
    DeletedFilter filter;
    filter.mailbox = "Work";
    ASSERT_EQ(account.kept(filter).size(), 150u);
    EXPECT_EQ(account.kept().size(), 151u);
    account.must<Done>(SetQuota{0, 10, 0});
    EXPECT_EQ(account.give_back(account.kept(filter)).messages, 150u);
    EXPECT_EQ(account.info("Work/Now and then").messages, 150u);
    EXPECT_EQ(account.kept().size(), 1u);
}

TEST(Deleted, WhatAnotherMailboxHoldsIsNotKept) {
    Keeping account;
    account.deliver(make_message("one"));
    account.must<Copied>(Copy{account.id_of("INBOX"), UidSet::all(), {name("Archive")}, false});
    account.expunge("INBOX", UidSet::all());
    EXPECT_TRUE(account.kept().empty());
    account.expunge("Archive", UidSet::all());
    EXPECT_EQ(account.kept().size(), 1u);
    EXPECT_EQ(account.kept()[0].mailbox, "Archive");
}

TEST(Deleted, NothingIsKeptWhereItIsNotWanted) {
    TestAccount account;
    account.deliver(make_message("one"));
    account.must<Expunged>(Expunge{account.id_of("INBOX"), std::nullopt, false});
    account.follow();
    EXPECT_TRUE(account.files().empty());
    EXPECT_FALSE(std::filesystem::exists(account.root() / "accounts/7/deleted"));
}

TEST(Deleted, GoesByWholeDaysWhenItsTimeHasCome) {
    Keeping account;
    account.deliver(make_message("one"));
    account.expunge("INBOX", UidSet::all());
    const Seconds week(7 * 86'400);
    EXPECT_EQ(purge_deleted(account.root(), kAccount, week, kTime + week), 0u);
    EXPECT_EQ(account.kept().size(), 1u);
    EXPECT_GT(purge_deleted(account.root(), kAccount, week, kTime + week + Seconds(86'400)), 0u);
    EXPECT_TRUE(account.kept().empty());
    account.deliver(make_message("two"));
    account.expunge("INBOX", UidSet::all());
    purge_deleted(account.root(), kAccount, Seconds(0), kTime);
    EXPECT_TRUE(account.kept().empty());
}

TEST(Deleted, GivesWayWhenTheDiskRunsShort) {
    Keeping account;
    account.deliver(make_message("old"));
    account.expunge("INBOX", UidSet::all());
    account.deliver(make_message("new"));
    account.apply(Change{kTime + Seconds(3 * 86'400), Expunge{account.id_of("INBOX"), std::nullopt, false}});
    account.follow();
    ASSERT_EQ(account.kept().size(), 2u);
    EXPECT_GT(free_deleted(account.root(), 1), 0u);
    ASSERT_EQ(account.kept().size(), 1u);
    EXPECT_EQ(account.kept()[0].deleted_at, kTime + Seconds(3 * 86'400));
    free_deleted(account.root(), 1u << 30);
    EXPECT_TRUE(account.kept().empty());
}

// A power cut may lose the renaming while the journal tells of it.
TEST(Deleted, RecoveryKeepsWhatTheFollowerKept) {
    Keeping account;
    account.keep_history = true;
    account.deliver(make_message("one"));
    account.must<Expunged>(Expunge{account.id_of("INBOX"), std::nullopt, false});
    account.follow();
    Keeping again;
    for (const auto& step : account.history) ASSERT_TRUE(again.apply(step.change, step.files, true));
    EXPECT_TRUE(again.files().empty());
    EXPECT_EQ(again.kept().size(), 1u);
}

}  // namespace
}  // namespace mailstead::store
