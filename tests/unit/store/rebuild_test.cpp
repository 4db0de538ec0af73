#include "common/store/rebuild.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/unit/store/client_view.h"
#include "tests/unit/store/dice.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

constexpr Time kLater = kTime + Seconds(100'000);

void lose_index(TestAccount& account) {
    account.close();
    std::filesystem::remove_all(account.root() / "accounts/7/index");
}

RebuildReport rebuild(TestAccount& account, Time at = kLater) {
    const auto report = rebuild_index(account.root(), kAccount, at);
    if (!report) throw std::runtime_error("rebuild: " + report.error().what);
    account.reopen();
    return *report;
}

void drop(const TestAccount& account, const std::string& path, std::string_view content) {
    const std::filesystem::path file = account.mail() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
}

void fill_with_everything(TestAccount& account) {
    for (int n = 0; n < 40; ++n) account.deliver(make_message("m" + std::to_string(n)));
    const MailboxId inbox = account.id_of("INBOX");
    account.must<MailboxMade>(CreateMailbox{name("Work/2026.1/Übung %"), SpecialUse::none, true});
    account.must<MailboxMade>(CreateMailbox{name("Old"), SpecialUse::none, false});
    account.must<Done>(DeleteMailbox{name("Archive")});
    account.must<MailboxMade>(CreateMailbox{name("Ablage"), SpecialUse::archive, true});
    account.must<Copied>(Copy{inbox, UidSet{{3, 9}}, {name("Work/2026.1")}, false});
    account.must<Copied>(Copy{inbox, UidSet{{10, 14}}, {name("Ablage")}, true});
    account.must<Copied>(Copy{account.id_of("Ablage"), UidSet::of({2}), {name("Old")}, false});
    account.must<FlagsStored>(StoreFlags{inbox, UidSet{{15, 30}}, StoreFlags::How::add,
                                         flags_of(SystemFlag::seen | SystemFlag::flagged, {"$Forwarded"}),
                                         std::nullopt});
    account.must<FlagsStored>(StoreFlags{inbox, UidSet::of({16, 18, 20}), StoreFlags::How::add,
                                         flags_of({}, {"$Junk", "work"}), std::nullopt});
    account.must<FlagsStored>(StoreFlags{inbox, UidSet{{35, 40}}, StoreFlags::How::add,
                                         flags_of(SystemFlag::deleted | SystemFlag::answered), std::nullopt});
    account.must<Expunged>(Expunge{inbox, UidSet{{37, 40}}});
    account.must<MailboxMade>(RenameMailbox{name("Old"), name("New/Name")});
    account.must<Done>(Subscribe{name("Not there")});
    account.must<AclSet>(SetAcl{name("Ablage"), AccountId(12), false, SetAcl::How::replace,
                                Right::lookup | Right::read | Right::create});
    account.must<AclSet>(
        SetAcl{name("Ablage"), AccountId(13), true, SetAcl::How::replace, Rights(Right::expunge)});
    account.must<MetadataSet>(SetMetadata{std::nullopt, {{"/shared/comment", "for\nall %"}}});
    account.must<MetadataSet>(SetMetadata{name("Ablage"), {{"/private/x", std::string("\0\xFF", 2)}}});
    account.must<Done>(SetQuota{1'000'000, 5'000, 70});
    Append old = append_to(name("Sent"), {make_message("old")}, flags_of(SystemFlag::seen, {"work"}));
    old.messages.front().internal_date = kTime - Seconds(9'999'999);
    account.must<Appended>(old, {make_message("old")});
    Append ancient = append_to(name("Sent"), {make_message("ancient")});
    ancient.messages.front().internal_date = Time(Seconds(-86'400));
    account.must<Appended>(ancient, {make_message("ancient")});
}

void keep_sidecar(TestAccount& account, Time at = kTime) {
    ASSERT_EQ(account.follower().keep_sidecar(kAccount, at, true).value(), Follower::Progress::nothing_left);
}

TEST(Rebuild, GivesBackAllThatAClientSees) {
    TestAccount account;
    fill_with_everything(account);
    account.follow();
    keep_sidecar(account);
    const std::string before = client_view(account);
    const Uid uidnext = account.info("INBOX").uidnext;
    const ModSeq modseq = account.info("INBOX").highestmodseq;
    lose_index(account);
    const RebuildReport report = rebuild(account);
    EXPECT_TRUE(report.had_sidecar);
    EXPECT_EQ(report.damaged + report.skipped + report.adopted + report.doubles, 0u);
    EXPECT_EQ(client_view(account), before);
    EXPECT_GE(account.info("INBOX").uidnext.value, uidnext.value);
    EXPECT_GT(account.info("INBOX").highestmodseq.value, modseq.value);
    // A client that comes with what it knew hears of every message again, and of those that are gone.
    const Snapshot at = account.snapshot();
    std::size_t changed = 0;
    ASSERT_TRUE(at.changed_since(account.id_of("INBOX"), modseq, UidSet::all(), [&](const MessageInfo&) {
        ++changed;
        return true;
    }));
    EXPECT_EQ(changed, account.info("INBOX").messages);
    EXPECT_TRUE(at.vanished_since(account.id_of("INBOX"), modseq, UidSet{{1, 40}}).value().contains(Uid(38)));
}

TEST(Rebuild, TheFollowerLeavesARebuiltAccountAsItIs) {
    TestAccount account;
    fill_with_everything(account);
    account.follow();
    keep_sidecar(account);
    lose_index(account);
    rebuild(account);
    const std::string before = client_view(account);
    const auto files = account.files();
    account.follow();
    EXPECT_EQ(account.files(), files);
    EXPECT_EQ(account.follower().adopt(kAccount, kLater).value(), Follower::Progress::nothing_left);
    EXPECT_EQ(client_view(account), before);
    lose_index(account);
    rebuild(account, kLater + Seconds(1));
    EXPECT_EQ(client_view(account), before);
}

TEST(Rebuild, AnyHistoryIsGivenBack) {
    for (std::uint32_t seed = 1; seed <= 12; ++seed) {
        TestAccount account;
        Dice dice(seed);
        const std::vector<std::string> boxes = {"INBOX", "Sent", "A", "A/B", "C.d"};
        for (const char* made : {"A/B", "C.d"})
            account.must<MailboxMade>(CreateMailbox{name(made), SpecialUse::none, dice() % 2 == 0});
        for (int step = 0; step < 120; ++step) {
            const std::string& box = boxes[dice() % boxes.size()];
            const MailboxId id = account.id_of(box);
            const std::uint32_t first = 1 + dice() % 20;
            const UidSet some({UidRange{first, first + dice() % 5}});
            switch (dice() % 6) {
                case 0:
                case 1:
                    account.deliver(make_message("s" + std::to_string(step)), box);
                    break;
                case 2:
                    account.must<FlagsStored>(
                        StoreFlags{id, some, static_cast<StoreFlags::How>(dice() % 3),
                                   flags_of(SystemFlags::from_bits(static_cast<std::uint8_t>(dice() % 32)),
                                            {"k" + std::to_string(dice() % 4)}),
                                   std::nullopt});
                    break;
                case 3:
                    account.must<Copied>(
                        Copy{id, some, {name(boxes[dice() % boxes.size()])}, dice() % 2 == 0});
                    break;
                case 4:
                    account.must<Expunged>(Expunge{id, some, dice() % 2 == 0});
                    break;
                case 5:
                    account.follow();
                    break;
            }
        }
        account.follow();
        keep_sidecar(account);
        const std::string before = client_view(account);
        lose_index(account);
        rebuild(account);
        EXPECT_EQ(client_view(account), before) << "seed " << seed;
    }
}

TEST(Rebuild, AStaleSidecarCostsOnlyWhatCameAfterIt) {
    TestAccount account;
    fill_with_everything(account);
    account.follow();
    keep_sidecar(account);
    // After it: messages, one of which goes again; a mailbox; another name for one.
    const MailboxInfo inbox = account.info("INBOX");
    for (int n = 0; n < 5; ++n) account.deliver(make_message("late" + std::to_string(n)));
    const Uid last = Uid(account.info("INBOX").uidnext.value - 1);
    account.must<Expunged>(Expunge{inbox.id, UidSet::of({last.value}), false});
    account.must<MailboxMade>(CreateMailbox{name("Late")});
    account.deliver(make_message("in late"), "Late");
    account.must<MailboxMade>(RenameMailbox{name("Work"), name("Play")});
    account.follow();
    const MailboxInfo play = account.info("Play/2026.1");
    const MailboxId late = account.id_of("Late");
    lose_index(account);
    rebuild(account);
    EXPECT_EQ(account.info("INBOX").uidvalidity, inbox.uidvalidity);
    EXPECT_EQ(account.info("INBOX").messages, inbox.messages + 4);
    EXPECT_GT(account.deliver(make_message("next")).uids.first().value, last.value);
    EXPECT_EQ(account.id_of("Late"), late);
    EXPECT_EQ(account.info("Late").messages, 1u);
    EXPECT_EQ(account.info("Play/2026.1").uidvalidity, play.uidvalidity);
    EXPECT_EQ(account.info("Play/2026.1").messages, play.messages);
    EXPECT_FALSE(account.snapshot().find(name("Work/2026.1")));
}

TEST(Rebuild, AnUnfinishedSidecarGivesWayToTheOneBefore) {
    TestAccount account;
    fill_with_everything(account);
    account.follow();
    keep_sidecar(account);
    account.must<Done>(Subscribe{name("One more")});
    keep_sidecar(account);
    account.must<Done>(Subscribe{name("One more"), false});
    const std::string before = client_view(account);
    lose_index(account);
    std::ofstream(account.root() / "accounts/7/sidecar/mailboxes", std::ios::trunc)
        << "mailstead-mailboxes 1\n";
    EXPECT_TRUE(rebuild(account).had_sidecar);
    EXPECT_EQ(client_view(account), before);
}

TEST(Rebuild, WithoutSidecarFindsEverythingThatNamesTell) {
    TestAccount account;
    for (int n = 0; n < 12; ++n) account.deliver(make_message("m" + std::to_string(n)));
    account.must<MailboxMade>(CreateMailbox{name("Work/2026.1")});
    account.must<Copied>(Copy{account.id_of("INBOX"), UidSet::of({3, 5}), {name("Work/2026.1")}, false});
    account.must<FlagsStored>(StoreFlags{account.id_of("INBOX"), UidSet::of({7}), StoreFlags::How::add,
                                         flags_of(SystemFlag::seen | SystemFlag::flagged), std::nullopt});
    account.must<Expunged>(Expunge{account.id_of("INBOX"), UidSet::of({1}), false});
    account.follow();
    const UidValidity before = account.info("INBOX").uidvalidity;
    const MessageId message = account.snapshot().message(account.id_of("INBOX"), Uid(7)).value()->message;
    account.close();
    std::ofstream(account.root() / "accounts/7/index/data.mdb", std::ios::trunc) << "garbage";

    const RebuildReport report = rebuild(account);
    EXPECT_EQ(report.messages, 13u);
    EXPECT_EQ(report.mailboxes, 8u);
    EXPECT_EQ(report.skipped, 0u);
    EXPECT_FALSE(report.had_sidecar);
    EXPECT_TRUE(std::filesystem::exists(report.old_index / "data.mdb"));

    EXPECT_EQ(account.info("INBOX").messages, 11u);
    EXPECT_GT(account.info("INBOX").uidvalidity, before);
    EXPECT_EQ(account.info("Sent").special_use, SpecialUse::sent);
    EXPECT_EQ(account.info("Work/2026.1").messages, 2u);
    EXPECT_TRUE(account.info("Work/2026.1").subscribed);
    const MailboxId inbox = account.id_of("INBOX");
    EXPECT_EQ(account.snapshot().message(inbox, Uid(7)).value()->message, message);
    account.follow();
    for (std::uint32_t uid = 2; uid <= 12; ++uid) {
        EXPECT_EQ(account.read(inbox, Uid(uid)), make_message("m" + std::to_string(uid - 1)));
        const auto found = account.snapshot().message(inbox, Uid(uid)).value();
        EXPECT_EQ(found->flags.system, uid == 7 ? SystemFlag::seen | SystemFlag::flagged : SystemFlags());
        EXPECT_EQ(found->internal_date, kTime);
    }
    EXPECT_EQ(account.files().size(), 13u);
    account.deliver(make_message("and on"));
    EXPECT_EQ(account.info("INBOX").messages, 12u);
}

TEST(Rebuild, ReadsAMaildirOfAnotherServer) {
    TestAccount account;
    account.close();
    drop(account, "cur/1600000002.M2P1.host,S=20:2,S", "Subject: second\n\nx\n");
    drop(account, "new/1600000001.M1P1.host", "Subject: first\r\n\r\nx\r\n");
    drop(account, ".Sent/cur/1600000003.M3P1.host:2,RS", "Subject: sent\r\n\r\n");
    drop(account, ".Lists.c++/cur/1600000003.M3P1.host:2,", "Subject: list\r\n\r\n");
    drop(account, "dovecot.index", "not mail");
    std::filesystem::remove_all(account.root() / "accounts/7/index");
    const RebuildReport report = rebuild(account, kTime);
    EXPECT_EQ(report.messages, 4u);
    EXPECT_EQ(report.adopted, 4u);
    EXPECT_TRUE(report.old_index.empty());
    EXPECT_EQ(account.read(account.id_of("INBOX"), Uid(1)), "Subject: first\r\n\r\nx\r\n");
    EXPECT_EQ(account.read(account.id_of("INBOX"), Uid(2)), "Subject: second\r\n\r\nx\r\n");
    EXPECT_EQ(account.info("Lists/c++").messages, 1u);
    EXPECT_EQ(account.snapshot().message(account.id_of("INBOX"), Uid(1)).value()->internal_date,
              Time(Seconds(1'600'000'001)));
    EXPECT_EQ(rebuild_index(account.root(), AccountId(99), kTime).error().fault, Fault::non_existent);
}

TEST(Rebuild, NamesThatOthersChangedKeepTheirUids) {
    TestAccount account;
    for (int n = 0; n < 4; ++n) account.deliver(make_message("m" + std::to_string(n)));
    account.follow();
    keep_sidecar(account);
    const std::vector<std::string> files = account.files();
    lose_index(account);
    // Read by another program, which knows keywords as letters; taken out of new/; given another mailbox.
    std::filesystem::rename(account.mail() / files[0],
                            account.mail() / ("cur/" + files[0].substr(4) + ":2,SRab"));
    std::filesystem::rename(account.mail() / files[1], account.mail() / ("cur/" + files[1].substr(4)));
    std::filesystem::rename(account.mail() / files[2],
                            account.mail() / (".Sent/cur/" + files[2].substr(4) + ":2,S"));
    const RebuildReport report = rebuild(account);
    EXPECT_EQ(report.adopted, 1u);
    account.follow();
    const MailboxId inbox = account.id_of("INBOX");
    EXPECT_EQ(account.read(inbox, Uid(1)), make_message("m0"));
    EXPECT_EQ(account.snapshot().message(inbox, Uid(1)).value()->flags.system,
              SystemFlag::seen | SystemFlag::answered);
    EXPECT_EQ(account.read(inbox, Uid(2)), make_message("m1"));
    EXPECT_FALSE(account.snapshot().message(inbox, Uid(3)).value());
    EXPECT_EQ(account.info("Sent").messages, 1u);
    EXPECT_EQ(account.read(inbox, Uid(4)), make_message("m3"));
    EXPECT_EQ(account.files().size(), 4u);
}

TEST(Rebuild, WhatClaimsOnePlaceTwiceIsResolvedAndNothingIsLost) {
    TestAccount account;
    account.deliver(make_message("one"));
    account.deliver(make_message("two"));
    account.follow();
    keep_sidecar(account);
    const std::vector<std::string> files = account.files();
    lose_index(account);
    std::filesystem::copy_file(account.mail() / files[0],
                               account.mail() / ("cur/" + files[0].substr(4) + ":2,S"));
    std::string other = files[1].substr(4);
    other.replace(other.find("M2"), 2, "M9");
    other.replace(other.find("U2"), 2, "U1");
    drop(account, "new/" + other, make_message("two"));
    const RebuildReport report = rebuild(account);
    EXPECT_EQ(report.doubles, 1u);
    EXPECT_EQ(report.adopted, 1u);
    account.follow();
    const MailboxId inbox = account.id_of("INBOX");
    EXPECT_EQ(account.info("INBOX").messages, 3u);
    EXPECT_EQ(account.read(inbox, Uid(1)), make_message("one"));
    EXPECT_EQ(account.read(inbox, account.snapshot().uids(inbox).value().last()), make_message("two"));
}

TEST(Rebuild, DamagedFilesAreCountedAndKeepTheirPlace) {
    TestAccount account;
    for (int n = 0; n < 3; ++n) account.deliver(make_message("m" + std::to_string(n)));
    account.follow();
    keep_sidecar(account);
    const std::vector<std::string> files = account.files();
    lose_index(account);
    std::filesystem::resize_file(account.mail() / files[0], 40);
    std::filesystem::resize_file(account.mail() / files[1], 0);
    drop(account, "new/1600000001.M1P1.host", "");
    const RebuildReport report = rebuild(account);
    EXPECT_EQ(report.damaged, 2u);
    EXPECT_EQ(report.skipped, 1u);
    EXPECT_EQ(report.problems.size(), 3u);
    const MailboxId inbox = account.id_of("INBOX");
    EXPECT_EQ(account.snapshot().uids(inbox).value().count(), 3u);
    EXPECT_EQ(account.read(inbox, Uid(3)), make_message("m2"));
    const auto message = account.snapshot().message(inbox, Uid(2)).value();
    EXPECT_EQ(account.snapshot().open_message(inbox, *message).error().fault, Fault::damaged);
}

TEST(Rebuild, AnInterruptedOneLeavesEverythingAsItWas) {
    TestAccount account;
    for (int n = 0; n < 3; ++n) account.deliver(make_message("m" + std::to_string(n)));
    account.follow();
    const std::string before = client_view(account);
    account.close();
    const auto stopped =
        rebuild_index(account.root(), kAccount, kLater, [](std::uint64_t, std::uint64_t) { return false; });
    EXPECT_EQ(stopped.error().fault, Fault::unavailable);
    EXPECT_FALSE(std::filesystem::exists(account.root() / "accounts/7/index.new"));
    account.reopen();
    EXPECT_EQ(client_view(account), before);
}

TEST(Rebuild, TheLastTwoDamagedIndexesAreKept) {
    TestAccount account;
    account.deliver(make_message("one"));
    account.close();
    std::filesystem::path last;
    for (int n = 1; n <= 4; ++n)
        last = rebuild_index(account.root(), kAccount, kLater + Seconds(n)).value().old_index;
    std::size_t kept = 0;
    for (const auto& entry : std::filesystem::directory_iterator(account.root() / "accounts/7"))
        kept += entry.path().filename().string().starts_with("index.damaged-") ? 1 : 0;
    EXPECT_EQ(kept, 2u);
    EXPECT_TRUE(std::filesystem::exists(last));
    account.reopen();
}

}  // namespace
}  // namespace mailstead::store
