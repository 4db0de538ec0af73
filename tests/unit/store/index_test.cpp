// Changes and what readers see of them.
#include <set>

#include <gtest/gtest.h>

#include "common/mime/charset.h"
#include "common/mime/message_id.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

std::vector<std::string> names_of(const Snapshot& snapshot) {
    std::vector<std::string> names;
    for (const MailboxInfo& mailbox : snapshot.mailboxes().value()) names.push_back(mailbox.name.utf8());
    return names;
}

StoreFlags store_flags(MailboxId mailbox, UidSet uids, StoreFlags::How how, SystemFlags flags) {
    return StoreFlags{mailbox, std::move(uids), how, flags_of(flags), std::nullopt};
}

TEST(Account, BeginsWithMailboxesOfEverySpecialUse) {
    TestAccount account;
    account.must<Done>(CreateAccount{});
    const Snapshot snapshot = account.snapshot();
    EXPECT_EQ(names_of(snapshot),
              (std::vector<std::string>{"Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"}));
    std::set<std::uint32_t> uidvalidities;
    for (const MailboxInfo& mailbox : snapshot.mailboxes().value()) {
        EXPECT_TRUE(mailbox.subscribed);
        EXPECT_EQ(mailbox.uidnext, Uid(1));
        uidvalidities.insert(mailbox.uidvalidity.value);
    }
    EXPECT_EQ(uidvalidities.size(), 6u);
    EXPECT_EQ(attribute_of(snapshot.find(name("Junk"))->special_use), "\\Junk");
    EXPECT_EQ(snapshot.find(name("INBOX"))->special_use, SpecialUse::none);
}

TEST(Account, ThatDoesNotExistIsNotCreatedByReading) {
    TestAccount account;
    EXPECT_EQ(account.reader().open(kAccount).error().fault, Fault::non_existent);
    EXPECT_EQ(account.reader().open(AccountId(8)).error().fault, Fault::non_existent);
    EXPECT_FALSE(std::filesystem::exists(account.root() / "accounts/8"));
}

TEST(Delivery, MakesTheAccountAndGivesTheFirstUid) {
    TestAccount account;
    const std::string content = make_message("hello");
    const Appended result = account.deliver(content);
    EXPECT_EQ(result.uids, UidSet::of({1}));
    const MailboxInfo inbox = account.info("INBOX");
    EXPECT_EQ(inbox.messages, 1u);
    EXPECT_EQ(inbox.unseen, 1u);
    EXPECT_EQ(inbox.octets, content.size());
    EXPECT_EQ(inbox.uidnext, Uid(2));
    EXPECT_EQ(inbox.highestmodseq, result.modseq);
    EXPECT_EQ(account.read(inbox.id, Uid(1)), content);
    EXPECT_EQ(account.files(), std::vector<std::string>{"new/1700000000.A7B1U1M1.mailstead,S=" +
                                                        std::to_string(content.size())});
}

TEST(Append, TakesManyMessagesOrNone) {
    TestAccount account;
    const std::vector<std::string> files = {make_message("a"), make_message("b"), make_message("c")};
    const auto result = account.must<Appended>(
        append_to(name("Drafts"), files, flags_of(SystemFlag::draft | SystemFlag::seen, {"$x"})), files);
    EXPECT_EQ(result.uids, UidSet({{1, 3}}));
    EXPECT_EQ(account.info("Drafts").unseen, 0u);
    const auto message = account.snapshot().message(result.mailbox, Uid(2)).value();
    EXPECT_EQ(account.snapshot().keywords().value(), std::vector<std::string>{"$x"});
    EXPECT_TRUE(message->flags.keywords.has(0));

    account.must<Done>(SetQuota{0, 4, 0});
    EXPECT_EQ(account.fault_of(append_to(name("Drafts"), files), files), Fault::over_quota);
    EXPECT_EQ(account.info("Drafts").messages, 3u);
    EXPECT_EQ(account.info("Drafts").uidnext, Uid(4));
}

TEST(Append, ToAMissingMailboxSaysTryCreate_Rfc9051_6_3_12) {
    TestAccount account;
    const std::vector<std::string> files = {make_message("a")};
    EXPECT_EQ(account.fault_of(append_to(name("Nowhere"), files), files), Fault::try_create);
    Append making = append_to(name("New/Deep"), files);
    making.to.create = true;
    account.must<Appended>(making, files);
    EXPECT_EQ(account.info("New/Deep").messages, 1u);
    EXPECT_TRUE(account.info("New/Deep").subscribed);
    EXPECT_EQ(account.info("New").messages, 0u);
}

TEST(Append, PrefersTheMailboxWithTheSpecialUse) {
    TestAccount account;
    account.must<MailboxMade>(RenameMailbox{name("Junk"), name("Spam folder")});
    const std::vector<std::string> files = {make_message("a")};
    Append spam = append_to(name("Junk"), files);
    spam.to.prefer = SpecialUse::junk;
    account.must<Appended>(spam, files);
    EXPECT_EQ(account.info("Spam folder").messages, 1u);
}

TEST(Append, RefusesAMessageThatDoesNotMatchItsFile) {
    TestAccount account;
    Append lying = append_to(MailboxName::inbox(), {make_message("a")});
    EXPECT_EQ(account.fault_of(lying, {}), Fault::invalid);
    EXPECT_EQ(account.fault_of(lying, {"other bytes"}), Fault::invalid);
    lying.messages[0].cache = "nonsense";
    EXPECT_EQ(account.fault_of(lying, {make_message("a")}), Fault::invalid);
}

TEST(Quota, CountsAMessageOnceHoweverOftenItIsCopied) {
    TestAccount account;
    const std::string content = make_message("a");
    account.deliver(content);
    const MailboxId inbox = account.id_of("INBOX");
    account.must<Done>(SetQuota{content.size() * 2, 0, 0});
    account.must<Copied>(Copy{inbox, UidSet::all(), {name("Archive")}, false});
    EXPECT_EQ(account.snapshot().account()->octets, content.size());
    EXPECT_EQ(account.snapshot().account()->messages, 1u);
    account.deliver(content);
    const std::vector<std::string> files = {content};
    EXPECT_EQ(account.fault_of(append_to(MailboxName::inbox(), files), files), Fault::over_quota);
    Append bounce = append_to(MailboxName::inbox(), files);
    bounce.ignore_quota = true;
    account.must<Appended>(bounce, files);
    account.must<Expunged>(Expunge{inbox, UidSet::of({1}), false});
    EXPECT_EQ(account.snapshot().account()->octets, content.size() * 3) << "the copy still holds it";
    account.must<Expunged>(Expunge{account.id_of("Archive"), std::nullopt, false});
    EXPECT_EQ(account.snapshot().account()->octets, content.size() * 2);
}

TEST(Store, GivesOneModSeqAndLeavesUnchangedMessagesAlone_Rfc7162_3_1) {
    TestAccount account;
    for (int n = 0; n < 3; ++n) account.deliver(make_message("a"));
    const MailboxId inbox = account.id_of("INBOX");
    const auto first = account.must<FlagsStored>(
        store_flags(inbox, UidSet::of({2}), StoreFlags::How::add, SystemFlag::seen));
    EXPECT_EQ(first.changed, UidSet::of({2}));
    const auto second = account.must<FlagsStored>(
        store_flags(inbox, UidSet({{1, 9}}), StoreFlags::How::add, SystemFlag::seen));
    EXPECT_EQ(second.changed, UidSet::of({1, 3}));
    EXPECT_GT(second.modseq, first.modseq);
    const auto none =
        account.must<FlagsStored>(store_flags(inbox, UidSet::all(), StoreFlags::How::add, SystemFlag::seen));
    EXPECT_EQ(none.modseq, ModSeq(0));
    const Snapshot snapshot = account.snapshot();
    EXPECT_EQ(snapshot.message(inbox, Uid(2)).value()->modseq, first.modseq);
    EXPECT_EQ(snapshot.message(inbox, Uid(1)).value()->modseq, second.modseq);
    EXPECT_EQ(snapshot.mailbox(inbox)->unseen, 0u);
    EXPECT_EQ(snapshot.mailbox(inbox)->highestmodseq, second.modseq);
}

TEST(Store, UnchangedSinceListsWhatItLeftAlone_Rfc7162_3_1_3) {
    TestAccount account;
    for (int n = 0; n < 3; ++n) account.deliver(make_message("a"));
    const MailboxId inbox = account.id_of("INBOX");
    const auto before = account.must<FlagsStored>(
        store_flags(inbox, UidSet::of({2}), StoreFlags::How::add, SystemFlag::flagged));
    StoreFlags conditional = store_flags(inbox, UidSet::all(), StoreFlags::How::replace, SystemFlag::deleted);
    conditional.unchanged_since = ModSeq(before.modseq.value - 1);
    const auto result = account.must<FlagsStored>(conditional);
    EXPECT_EQ(result.changed, UidSet::of({1, 3}));
    EXPECT_EQ(result.failed, UidSet::of({2}));
    conditional.unchanged_since = ModSeq(0);
    EXPECT_EQ(account.must<FlagsStored>(conditional).failed, UidSet({{1, 3}}));
}

TEST(Store, KeywordsBeyondTheTableAreRefused) {
    TestAccount account;
    account.deliver(make_message("a"));
    const MailboxId inbox = account.id_of("INBOX");
    StoreFlags store = store_flags(inbox, UidSet::all(), StoreFlags::How::add, {});
    for (int n = 0; n < 128; ++n) store.flags.keywords.push_back("k" + std::to_string(n));
    account.must<FlagsStored>(store);
    store.flags.keywords = {"another"};
    EXPECT_EQ(account.fault_of(store), Fault::limit);
    store.how = StoreFlags::How::remove;
    EXPECT_TRUE(account.must<FlagsStored>(store).changed.empty()) << "an unknown keyword is on no message";
    store.flags.keywords = {"K5"};
    EXPECT_EQ(account.must<FlagsStored>(store).changed, UidSet::of({1}));
    EXPECT_FALSE(account.snapshot().message(inbox, Uid(1)).value()->flags.keywords.has(5));
}

TEST(Expunge, TakesOnlyWhatIsDeletedUnlessAsked) {
    TestAccount account;
    for (int n = 0; n < 4; ++n) account.deliver(make_message("a"));
    const MailboxId inbox = account.id_of("INBOX");
    account.must<FlagsStored>(
        store_flags(inbox, UidSet::of({2, 3}), StoreFlags::How::add, SystemFlag::deleted));
    EXPECT_EQ(account.snapshot().deleted(inbox).value(), UidSet::of({2, 3}));
    EXPECT_EQ(account.must<Expunged>(Expunge{inbox, UidSet({{3, 4}}), true}).uids, UidSet::of({3}));
    EXPECT_EQ(account.must<Expunged>(Expunge{inbox, std::nullopt, true}).uids, UidSet::of({2}));
    EXPECT_EQ(account.must<Expunged>(Expunge{inbox, std::nullopt, true}).modseq, ModSeq(0));
    EXPECT_EQ(account.must<Expunged>(Expunge{inbox, UidSet::of({4, 9}), false}).uids, UidSet::of({4}));
    EXPECT_EQ(account.snapshot().uids(inbox).value(), UidSet::of({1}));
    EXPECT_EQ(account.info("INBOX").deleted, 0u);
    EXPECT_EQ(account.info("INBOX").uidnext, Uid(5));
}

TEST(Qresync, ListsWhatChangedAndWhatVanished_Rfc7162_3_2) {
    TestAccount account;
    for (int n = 0; n < 20; ++n) account.deliver(make_message("a"));
    const MailboxId inbox = account.id_of("INBOX");
    const ModSeq since = account.info("INBOX").highestmodseq;
    account.must<FlagsStored>(store_flags(inbox, UidSet({{5, 8}}), StoreFlags::How::add, SystemFlag::seen));
    account.must<Expunged>(Expunge{inbox, UidSet({{7, 12}}), false});
    account.deliver(make_message("b"));
    const Snapshot snapshot = account.snapshot();
    std::vector<std::uint32_t> changed;
    ASSERT_TRUE(snapshot.changed_since(inbox, since, UidSet::all(), [&](const MessageInfo& message) {
        changed.push_back(message.uid.value);
        return true;
    }));
    EXPECT_EQ(changed, (std::vector<std::uint32_t>{5, 6, 21}));
    EXPECT_EQ(snapshot.vanished_since(inbox, since, UidSet::all()).value(), UidSet({{7, 12}}));
    EXPECT_EQ(snapshot.vanished_since(inbox, since, UidSet({{1, 9}})).value(), UidSet({{7, 9}}));
    EXPECT_TRUE(snapshot.vanished_since(inbox, account.info("INBOX").highestmodseq, UidSet::all())->empty());
}

TEST(Qresync, StaysCorrectBeyondWhatIsRemembered) {
    TestAccount account;
    account.write_files = false;
    std::vector<std::string> files(kMaxAppend, make_message("a"));
    const std::size_t rounds = 2 * (kMaxExpungedRanges + 10) / kMaxAppend + 1;
    Append append = append_to(MailboxName::inbox(), files);
    for (std::size_t n = 0; n < append.messages.size(); ++n) append.messages[n].file = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        account.must<Appended>(append, {files[0]});
        const auto deleted = account.info("INBOX").uidnext.value - static_cast<std::uint32_t>(kMaxAppend);
        UidSet every_second;
        for (std::uint32_t uid = deleted; uid < deleted + kMaxAppend; uid += 2) every_second.add(Uid(uid));
        account.must<Expunged>(Expunge{account.id_of("INBOX"), every_second, false});
    }
    const MailboxInfo inbox = account.info("INBOX");
    EXPECT_GT(inbox.vanished_floor, ModSeq(0));
    const Snapshot snapshot = account.snapshot();
    const UidSet gone = UidSet({{1, inbox.uidnext.value - 1}}).without(snapshot.uids(inbox.id).value());
    EXPECT_EQ(snapshot.vanished_since(inbox.id, ModSeq(1), UidSet::all()).value(), gone);
    const UidSet recent =
        snapshot.vanished_since(inbox.id, ModSeq(inbox.highestmodseq.value - 1), UidSet::all()).value();
    EXPECT_EQ(recent.count(), kMaxAppend / 2);
}

TEST(Copy, KeepsEmailIdAndMapsUids_Rfc8474_5_1) {
    TestAccount account;
    for (int n = 0; n < 5; ++n) account.deliver(make_message("m" + std::to_string(n)));
    const MailboxId inbox = account.id_of("INBOX");
    const auto copied = account.must<Copied>(Copy{inbox, UidSet::of({2, 4, 99}), {name("Archive")}, false});
    EXPECT_EQ(copied.source, UidSet::of({2, 4}));
    EXPECT_EQ(copied.destination, UidSet::of({1, 2}));
    EXPECT_EQ(copied.uidvalidity, account.info("Archive").uidvalidity);
    const Snapshot snapshot = account.snapshot();
    EXPECT_EQ(snapshot.message(copied.mailbox, Uid(2)).value()->message,
              snapshot.message(inbox, Uid(4)).value()->message);
    EXPECT_EQ(account.read(copied.mailbox, Uid(2)), make_message("m3")) << "before the follower linked it";
    EXPECT_EQ(snapshot.uids(inbox)->count(), 5u);
    EXPECT_EQ(account.fault_of(Copy{inbox, UidSet::all(), {name("Nowhere")}, false}), Fault::try_create);
    EXPECT_TRUE(account.must<Copied>(Copy{inbox, UidSet::of({77}), {name("Archive")}, false}).source.empty());
}

TEST(Copy, IntoTheSameMailboxMakesNewMessagesOnce) {
    TestAccount account;
    for (int n = 0; n < 3; ++n) account.deliver(make_message("m"));
    const MailboxId inbox = account.id_of("INBOX");
    EXPECT_EQ(account.must<Copied>(Copy{inbox, UidSet::all(), {MailboxName::inbox()}, false}).destination,
              UidSet({{4, 6}}));
    EXPECT_EQ(account.must<Copied>(Copy{inbox, UidSet({{1, 2}}), {MailboxName::inbox()}, true}).destination,
              UidSet({{7, 8}}));
    EXPECT_EQ(account.snapshot().uids(inbox).value(), UidSet({{3, 8}}));
    EXPECT_EQ(account.info("INBOX").messages, 6u);
}

TEST(Move, LeavesTombstonesAndTakesFlagsAlong) {
    TestAccount account;
    const std::string content = make_message("m");
    account.deliver(content, "INBOX", flags_of(SystemFlag::flagged, {"$k"}));
    const MailboxId inbox = account.id_of("INBOX");
    const auto moved = account.must<Copied>(Copy{inbox, UidSet::all(), {name("Trash")}, true});
    const Snapshot snapshot = account.snapshot();
    EXPECT_EQ(snapshot.vanished_since(inbox, ModSeq(moved.modseq.value - 1), UidSet::all()).value(),
              UidSet::of({1}));
    const auto message = snapshot.message(moved.mailbox, Uid(1)).value();
    EXPECT_TRUE(message->flags.system.has(SystemFlag::flagged));
    EXPECT_TRUE(message->flags.keywords.has(0));
    EXPECT_EQ(account.read(moved.mailbox, Uid(1)), content);
    EXPECT_EQ(snapshot.mailbox(inbox)->octets, 0u);
}

// ---- mailboxes

TEST(Create, MakesMissingParents) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("a/b/c"), SpecialUse::none, true});
    EXPECT_TRUE(account.info("a/b/c").subscribed);
    EXPECT_FALSE(account.info("a/b").subscribed);
    EXPECT_EQ(account.fault_of(CreateMailbox{name("a/b")}), Fault::already_exists);
    EXPECT_EQ(account.fault_of(CreateMailbox{name("INBOX")}), Fault::already_exists);
    EXPECT_EQ(account.fault_of(CreateMailbox{name("More sent"), SpecialUse::sent}), Fault::use_attribute);
    EXPECT_EQ(account.fault_of(CreateMailbox{name(std::string(kMaxMailboxName + 1, 'x'))}), Fault::limit);
    EXPECT_EQ(account.fault_of(CreateMailbox{name("x" + std::string(100, '.'))}), Fault::limit)
        << "its folder name would be too long";
}

TEST(Delete, RefusesInboxAndParents_Rfc9051_6_3_5) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("a/b")});
    EXPECT_EQ(account.fault_of(DeleteMailbox{MailboxName::inbox()}), Fault::cannot);
    EXPECT_EQ(account.fault_of(DeleteMailbox{name("a")}), Fault::has_children);
    EXPECT_EQ(account.fault_of(DeleteMailbox{name("b")}), Fault::non_existent);
    account.must<Done>(DeleteMailbox{name("a/b")});
    account.must<Done>(DeleteMailbox{name("a")});
    account.must<MailboxMade>(CreateMailbox{name("ab")});
    account.must<MailboxMade>(CreateMailbox{name("a")});
    account.must<Done>(DeleteMailbox{name("a")});
}

TEST(Delete, GivesSpaceBackAndNeverReusesUidValidity) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("a")});
    for (int n = 0; n < 5; ++n) account.deliver(make_message("m"), "a");
    const MailboxInfo before = account.info("a");
    account.must<Done>(DeleteMailbox{name("a")});
    EXPECT_EQ(account.snapshot().mailbox(before.id).error().fault, Fault::non_existent);
    EXPECT_EQ(account.snapshot().uids(before.id).error().fault, Fault::non_existent);
    EXPECT_EQ(account.fault_of(store_flags(before.id, UidSet::all(), StoreFlags::How::add, SystemFlag::seen)),
              Fault::non_existent);
    account.must<MailboxMade>(CreateMailbox{name("a")});
    account.deliver(make_message("new"), "a");
    EXPECT_GT(account.info("a").uidvalidity, before.uidvalidity);
    EXPECT_NE(account.info("a").id, before.id);
    account.follow();
    EXPECT_EQ(account.snapshot().account()->messages, 1u);
    EXPECT_EQ(account.files().size(), 1u);
    EXPECT_EQ(account.read(account.id_of("a"), Uid(1)), make_message("new"));
}

TEST(Rename, TakesChildrenSubscriptionsAndUseAlong) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("Sent/2025/May"), SpecialUse::none, true});
    account.deliver(make_message("m"), "Sent/2025/May");
    const MailboxInfo before = account.info("Sent/2025/May");
    account.must<MailboxMade>(RenameMailbox{name("Sent"), name("Old/Gesendet")});
    EXPECT_EQ(account.info("Old/Gesendet").special_use, SpecialUse::sent);
    const MailboxInfo after = account.info("Old/Gesendet/2025/May");
    EXPECT_EQ(after.id, before.id);
    EXPECT_EQ(after.uidvalidity, before.uidvalidity);
    EXPECT_TRUE(after.subscribed);
    EXPECT_EQ(account.snapshot().find(name("Sent")).error().fault, Fault::non_existent);
    EXPECT_EQ(account.read(after.id, Uid(1)), make_message("m")) << "before the folder has its new name";
    account.follow();
    EXPECT_EQ(account.read(after.id, Uid(1)), make_message("m"));
    EXPECT_TRUE(std::filesystem::exists(account.mail() / ".Old.Gesendet.2025.May/new"));
    EXPECT_FALSE(std::filesystem::exists(account.mail() / ".Sent.2025.May"));
}

TEST(Rename, RefusesLoopsAndTakenNames) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("a/b")});
    EXPECT_EQ(account.fault_of(RenameMailbox{name("a"), name("a/b/c")}), Fault::cannot);
    EXPECT_EQ(account.fault_of(RenameMailbox{name("a"), name("a/b")}), Fault::already_exists);
    EXPECT_EQ(account.fault_of(RenameMailbox{name("a"), name("Sent")}), Fault::already_exists);
    EXPECT_EQ(account.fault_of(RenameMailbox{name("a"), name("a")}), Fault::already_exists);
    EXPECT_EQ(account.fault_of(RenameMailbox{name("z"), name("y")}), Fault::non_existent);
    EXPECT_EQ(account.fault_of(RenameMailbox{name("a"), name(std::string(kMaxMailboxName - 1, 'x'))}),
              Fault::limit)
        << "a/b grows too long";
}

TEST(Rename, OfInboxMovesItsMessagesOnly_Rfc9051_6_3_6) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("INBOX/Lists")});
    account.deliver(make_message("m"));
    account.must<MailboxMade>(RenameMailbox{MailboxName::inbox(), name("Old")});
    EXPECT_EQ(account.info("INBOX").messages, 0u);
    EXPECT_EQ(account.info("INBOX").uidnext, Uid(2));
    EXPECT_EQ(account.info("Old").messages, 1u);
    EXPECT_EQ(account.info("INBOX/Lists").messages, 0u);
}

TEST(Subscriptions, OutliveTheMailbox_Rfc9051_6_3_7) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("a"), SpecialUse::none, true});
    account.must<Done>(DeleteMailbox{name("a")});
    account.must<Done>(Subscribe{name("never/was"), true});
    account.must<Done>(Subscribe{name("Sent"), false});
    std::vector<std::string> names;
    for (const MailboxName& each : account.snapshot().subscriptions().value()) names.push_back(each.utf8());
    EXPECT_EQ(names,
              (std::vector<std::string>{"Archive", "Drafts", "INBOX", "Junk", "Trash", "a", "never/was"}));
}

TEST(SpecialUse, IsHeldByOneMailbox) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("a")});
    EXPECT_EQ(account.fault_of(SetSpecialUse{name("a"), SpecialUse::trash}), Fault::use_attribute);
    account.must<Done>(SetSpecialUse{name("Trash"), SpecialUse::none});
    account.must<Done>(SetSpecialUse{name("a"), SpecialUse::trash});
    EXPECT_EQ(account.info("a").special_use, SpecialUse::trash);
    account.must<Done>(DeleteMailbox{name("a")});
    account.must<Done>(SetSpecialUse{name("Trash"), SpecialUse::trash});
}

TEST(Quota, CountsCopiesAndMailboxes_Rfc9208_5) {
    TestAccount account;
    account.deliver(make_message("a"));
    const MailboxId inbox = account.id_of("INBOX");
    account.must<Done>(SetQuota{0, 2, 8});
    account.must<Copied>(Copy{inbox, UidSet::all(), {name("Archive")}, false});
    EXPECT_EQ(account.snapshot().account()->entries, 2u);
    EXPECT_EQ(account.fault_of(Copy{inbox, UidSet::all(), {name("Archive")}, false}), Fault::over_quota);
    account.must<Copied>(Copy{inbox, UidSet::all(), {name("Drafts")}, true});
    EXPECT_EQ(account.snapshot().account()->entries, 2u);
    EXPECT_EQ(account.snapshot().account()->mailboxes, 6u);
    EXPECT_EQ(account.fault_of(CreateMailbox{name("a/b/c")}), Fault::over_quota);
    account.must<MailboxMade>(CreateMailbox{name("a/b")});
    EXPECT_EQ(account.fault_of(RenameMailbox{name("Sent"), name("x/Sent")}), Fault::over_quota);
    account.must<MailboxMade>(RenameMailbox{name("Sent"), name("a/Sent")});
    // What was deleted counts no more, though its files are still there.
    account.must<Done>(DeleteMailbox{name("Archive")});
    EXPECT_EQ(account.snapshot().account()->entries, 1u);
    EXPECT_EQ(account.snapshot().account()->mailboxes, 7u);
    account.follow();
    EXPECT_EQ(account.snapshot().account()->entries, 1u);
}

TEST(Replace, IsOneChangeAndCountsRoomWithTheOldOneGone_Rfc8508_3_4) {
    TestAccount account;
    account.deliver(make_message("old"));
    account.deliver(make_message("other"));
    const MailboxId inbox = account.id_of("INBOX");
    account.must<Done>(SetQuota{account.snapshot().account()->octets, 2, 0});
    const ModSeq before = account.snapshot().highest_modseq();
    const std::vector<std::string> files = {make_message("new")};
    const auto result =
        account.must<Appended>(Replace{append_to(name("INBOX"), files), inbox, Uid(1)}, files);
    EXPECT_EQ(result.uids, UidSet::of({3}));
    EXPECT_EQ(account.snapshot().uids(inbox).value(), UidSet::of({2, 3}));
    EXPECT_EQ(account.snapshot().vanished_since(inbox, before, UidSet::all()).value(), UidSet::of({1}));
    EXPECT_EQ(account.snapshot().highest_modseq().value, before.value + 1);
    EXPECT_EQ(account.read(inbox, Uid(3)), files.front());
    const std::vector<std::string> large = {make_message("new", "", std::string(500, 'x'))};
    EXPECT_EQ(account.fault_of(Replace{append_to(name("Sent"), large), inbox, Uid(2)}, large),
              Fault::over_quota);
    EXPECT_EQ(account.fault_of(Replace{append_to(name("Sent"), files), inbox, Uid(1)}, files), Fault::gone);
    EXPECT_EQ(account.fault_of(Replace{append_to(name("None"), files), inbox, Uid(2)}, files),
              Fault::try_create);
    EXPECT_EQ(account.snapshot().uids(inbox).value(), UidSet::of({2, 3})) << "a refusal leaves all as it was";
    account.must<Appended>(Replace{append_to(name("Sent"), files), inbox, Uid(3)}, files);
    EXPECT_EQ(account.info("Sent").messages, 1u);
    EXPECT_EQ(account.info("INBOX").messages, 1u);
}

TEST(Threads, FollowReferencesAsLongAsTheSubjectStays_Rfc8474_5_2) {
    TestAccount account;
    const auto thread_of = [&](std::string_view subject, std::string_view fields) {
        const Appended result = account.deliver(make_message(subject, fields));
        return account.snapshot().message(result.mailbox, result.uids.first()).value()->thread;
    };
    const ThreadId root = thread_of("Plans", "Message-ID: <1@x>\r\n");
    EXPECT_EQ(thread_of("Re: Plans", "Message-ID: <2@x>\r\nIn-Reply-To: <1@x>\r\n"), root);
    EXPECT_EQ(thread_of("AW: Re: plans", "Message-ID: <4@x>\r\nReferences: <1@x> <2@x> <3@x>\r\n").value ==
                  root.value,
              mime::base_subject("AW: Re: plans").text == mime::base_subject("Plans").text);
    EXPECT_EQ(thread_of("Re: Plans", "Message-ID: <9@x>\r\nReferences: <1@x> <2@x>\r\n"), root);
    EXPECT_NE(thread_of("Something else", "Message-ID: <5@x>\r\nIn-Reply-To: <1@x>\r\n"), root);
    EXPECT_NE(thread_of("Plans", "Message-ID: <6@x>\r\n"), root) << "the same subject alone says nothing";
    // The answer may come first.
    const ThreadId late = thread_of("Re: Late", "Message-ID: <8@x>\r\nIn-Reply-To: <7@x>\r\n");
    EXPECT_EQ(thread_of("Late", "Message-ID: <7@x>\r\n"), late);
    const MailboxId inbox = account.id_of("INBOX");
    const auto moved = account.must<Copied>(Copy{inbox, UidSet::of({1}), {name("Archive")}, true});
    EXPECT_EQ(account.snapshot().message(moved.mailbox, Uid(1)).value()->thread, root);
}

// ---- formats and recovery

TEST(Format, OfTheFutureIsNotTouched) {
    TestAccount account;
    account.must<Done>(CreateAccount{});
    account.close();
    const std::filesystem::path directory = account.root() / "accounts/7/index";
    {
        kv::EnvOptions options;
        options.access = kv::Access::durable_writer;
        const auto env = kv::Env::open(directory, options).value();
        const kv::Database meta = env->open_database("meta").value();
        ASSERT_TRUE(env->update([&](kv::WriteTransaction& transaction) -> Result<void> {
            TRY_VOID(transaction.put(meta, "format", std::string("\x02\0\0\0", 4)));
            return {};
        }));
    }
    Reader reader(ReaderOptions{account.root(), false, 4});
    EXPECT_EQ(reader.open(kAccount).error().fault, Fault::newer_format);
    Accounts accounts;
    const auto env = kv::Env::open(directory, accounts.locate("7")->options).value();
    const auto attached = accounts.attach("7", env);
    ASSERT_FALSE(attached);
    EXPECT_EQ(Failure(attached.error()).fault, Fault::newer_format);
}

TEST(Accounts, AreLocatedBySingleSpelling) {
    Accounts accounts;
    EXPECT_EQ(accounts.locate("7")->directory, "accounts/7/index");
    for (const char* bad : {"", "0", "07", "x", "../7", "4294967296"})
        EXPECT_FALSE(accounts.locate(bad)) << bad;
}

TEST(Reader, SeesChangesWholeAndKeepsItsSnapshot) {
    TestAccount account;
    account.deliver(make_message("a"));
    const Snapshot before = account.snapshot();
    account.deliver(make_message("b"));
    EXPECT_EQ(before.find(MailboxName::inbox())->messages, 1u);
    EXPECT_EQ(account.info("INBOX").messages, 2u);
    EXPECT_GT(account.snapshot().highest_modseq(), before.highest_modseq());
}

TEST(Reader, FetchesRareFieldsOnlyForThoseWhoAsk) {
    TestAccount account;
    account.deliver(make_message("a"));
    account.deliver(make_message("b", "DKIM-Signature: x\r\n"));
    account.deliver(make_message("c", "DKIM-Signature: y\r\n"));
    const Snapshot snapshot = account.snapshot();
    const FieldRequest request(std::vector<std::string>{"DKIM-Signature"});
    std::string answers;
    for (const std::uint64_t message : {1u, 3u, 2u})
        ASSERT_TRUE(snapshot.cached(MessageId(message), request)->append_fields(answers, request));
    EXPECT_EQ(answers, "\r\nDKIM-Signature: y\r\n\r\nDKIM-Signature: x\r\n\r\n");
    EXPECT_FALSE(snapshot.cached(MessageId(2))->append_fields(answers, request));
}

TEST(Reader, WalksOnlyWhatIsAskedFor) {
    TestAccount account;
    for (int n = 0; n < 10; ++n) account.deliver(make_message("m" + std::to_string(n)));
    const MailboxId inbox = account.id_of("INBOX");
    account.must<Expunged>(Expunge{inbox, UidSet::of({4}), false});
    const Snapshot snapshot = account.snapshot();
    std::vector<std::uint32_t> uids;
    ASSERT_TRUE(snapshot.messages(inbox, UidSet({{2, 2}, {4, 6}, {9, 50}}), [&](const MessageInfo& message) {
        uids.push_back(message.uid.value);
        const auto cached = snapshot.cached(message.message);
        EXPECT_TRUE(cached);
        EXPECT_EQ(cached->base_subject(), mime::fold_for_search("m" + std::to_string(message.uid.value - 1)));
        return true;
    }));
    EXPECT_EQ(uids, (std::vector<std::uint32_t>{2, 5, 6, 9, 10}));
    EXPECT_EQ(snapshot.first_unseen(inbox).value(), Uid(1));
    EXPECT_FALSE(snapshot.first_unseen(account.id_of("Sent")).value());
    EXPECT_FALSE(snapshot.cached(MessageId(99)));
    EXPECT_TRUE(snapshot.cached(MessageId(1)));
    EXPECT_EQ(snapshot.runs(inbox)->number_of(Uid(5)), 4u);
}

}  // namespace
}  // namespace mailstead::store
