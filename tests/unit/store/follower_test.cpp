// Files on disk and the index: names, links, folders, foreign files, and what happens between two calls.
#include "common/store/follower.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

using Progress = Follower::Progress;

std::string sized(std::string_view base, const std::string& content, std::string_view flags) {
    return std::string(base) + ".mailstead,S=" + std::to_string(content.size()) + std::string(flags);
}

void store(TestAccount& account, MailboxId mailbox, const UidSet& uids, SystemFlags flags) {
    account.must<FlagsStored>(
        StoreFlags{mailbox, uids, StoreFlags::How::replace, flags_of(flags), std::nullopt});
}

TEST(Follower, NamesFollowFlags) {
    TestAccount account;
    const std::string content = make_message("m");
    account.deliver(content);
    const MailboxId inbox = account.id_of("INBOX");
    account.follow();
    EXPECT_EQ(account.files(), std::vector<std::string>{sized("new/1700000000.A7B1U1M1", content, "")});
    store(account, inbox, UidSet::all(), SystemFlag::seen | SystemFlag::answered);
    EXPECT_EQ(account.read(inbox, Uid(1)), content);
    account.follow();
    EXPECT_EQ(account.files(), std::vector<std::string>{sized("cur/1700000000.A7B1U1M1", content, ":2,RS")});
    EXPECT_EQ(account.read(inbox, Uid(1)), content);
    store(account, inbox, UidSet::all(), {});
    account.follow();
    EXPECT_EQ(account.files(), std::vector<std::string>{sized("cur/1700000000.A7B1U1M1", content, ":2,")});
    EXPECT_EQ(account.follower().follow(kAccount).value(), Progress::nothing_left);
}

TEST(Follower, DoesAtMostWhatItMay) {
    TestAccount account;
    for (int n = 0; n < 10; ++n) account.deliver(make_message("m"));
    const MailboxId inbox = account.id_of("INBOX");
    account.follow();
    store(account, inbox, UidSet::all(), SystemFlag::seen);
    EXPECT_EQ(account.follower().follow(kAccount, 4).value(), Progress::more_to_do);
    const auto in_cur = [&] {
        int count = 0;
        for (const std::string& file : account.files()) count += file.starts_with("cur/") ? 1 : 0;
        return count;
    };
    EXPECT_EQ(in_cur(), 4);
    // Flags that change again behind its back are not forgotten.
    store(account, inbox, UidSet::of({2}), SystemFlag::flagged);
    account.follow();
    EXPECT_EQ(in_cur(), 10);
    for (const std::string& file : account.files())
        EXPECT_TRUE(file.ends_with(file.find("U2M") != std::string::npos ? ":2,F" : ":2,S")) << file;
}

TEST(Follower, LinksCopiesAndRemovesOnlyTheirOwnName) {
    TestAccount account;
    const std::string content = make_message("m");
    account.deliver(content, "INBOX", flags_of(SystemFlag::seen));
    const MailboxId inbox = account.id_of("INBOX");
    account.must<Copied>(Copy{inbox, UidSet::all(), {name("Archive")}, false});
    account.must<Expunged>(Expunge{inbox, UidSet::all(), false});
    EXPECT_EQ(account.read(account.id_of("Archive"), Uid(1)), content)
        << "while the only file has the name of an expunged message";
    account.follow();
    EXPECT_EQ(account.files().size(), 1u);
    EXPECT_TRUE(account.files().front().starts_with(".Archive/cur/"));
    EXPECT_EQ(account.read(account.id_of("Archive"), Uid(1)), content);
    EXPECT_TRUE(account.snapshot().cached(MessageId(1)));
    account.must<Expunged>(Expunge{account.id_of("Archive"), UidSet::all(), false});
    account.follow();
    EXPECT_TRUE(account.files().empty());
    EXPECT_FALSE(account.snapshot().cached(MessageId(1))) << "the fetch cache goes with the last copy";
}

TEST(Follower, UntanglesChainsOfMoves) {
    TestAccount account;
    const std::string content = make_message("m");
    account.deliver(content);
    account.must<Copied>(Copy{account.id_of("INBOX"), UidSet::all(), {name("Sent")}, false});
    account.must<Copied>(Copy{account.id_of("Sent"), UidSet::all(), {name("Trash")}, true});
    store(account, account.id_of("INBOX"), UidSet::all(), SystemFlag::flagged);
    account.must<Copied>(Copy{account.id_of("INBOX"), UidSet::all(), {name("Junk")}, true});
    account.must<Copied>(Copy{account.id_of("Trash"), UidSet::all(), {name("Archive")}, true});
    EXPECT_EQ(account.read(account.id_of("Archive"), Uid(1)), content);
    EXPECT_EQ(account.read(account.id_of("Junk"), Uid(1)), content);
    account.follow();
    EXPECT_EQ(account.files().size(), 2u);
    EXPECT_EQ(account.read(account.id_of("Archive"), Uid(1)), content);
    EXPECT_EQ(account.read(account.id_of("Junk"), Uid(1)), content);
}

// The change that tells of the work is lost (deliver dies): the same work is met half done.
TEST(Follower, TakesUpWhatWasDoneButNotTold) {
    for (std::size_t dies_at = 0; dies_at < 6; ++dies_at) {
        TestAccount account;
        const std::string content = make_message("m");
        account.deliver(content);
        account.deliver(content);
        account.must<Copied>(Copy{account.id_of("INBOX"), UidSet::of({1}), {name("Sent")}, false});
        account.must<Copied>(Copy{account.id_of("INBOX"), UidSet::of({2}), {name("Trash")}, true});
        account.must<Expunged>(Expunge{account.id_of("INBOX"), UidSet::of({1}), false});
        account.must<MailboxMade>(RenameMailbox{name("Sent"), name("Gesendet")});
        std::size_t calls = 0;
        Follower dying(account.root(), account.reader(),
                       [&](AccountId, const Change& change) -> Outcome<ChangeResult> {
                           if (calls++ == dies_at) return Failure(Fault::unavailable, "gone");
                           return account.apply(change);
                       });
        for (int n = 0; n < 20; ++n) {
            const auto done = dying.follow(kAccount, 3);
            if (!done || *done == Progress::nothing_left) break;
        }
        EXPECT_EQ(account.read(account.id_of("Gesendet"), Uid(1)), content) << dies_at;
        EXPECT_EQ(account.read(account.id_of("Trash"), Uid(1)), content) << dies_at;
        account.follow();
        EXPECT_EQ(account.read(account.id_of("Gesendet"), Uid(1)), content) << dies_at;
        EXPECT_EQ(account.read(account.id_of("Trash"), Uid(1)), content) << dies_at;
        EXPECT_EQ(account.files().size(), 2u);
        EXPECT_TRUE(std::filesystem::exists(account.mail() / ".Gesendet/cur"));
    }
}

TEST(Follower, BringsDeliveriesOverThatMetTheOldFolderName) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("Work")});
    account.follow();
    account.must<MailboxMade>(RenameMailbox{name("Work"), name("Play")});
    bool delivered = false;
    Follower follower(account.root(), account.reader(),
                      [&](AccountId, const Change& change) -> Outcome<ChangeResult> {
                          // The folder has its new name on disk, the index does not know yet, and mail comes.
                          if (!delivered && std::get<Followed>(change.action).moved_mailbox) {
                              delivered = true;
                              account.deliver(make_message("late"), "Play");
                          }
                          return account.apply(change);
                      });
    for (int n = 0; n < 10; ++n) (void)follower.follow(kAccount).value();
    EXPECT_TRUE(delivered);
    EXPECT_EQ(account.read(account.id_of("Play"), Uid(1)), make_message("late"));
    EXPECT_FALSE(std::filesystem::exists(account.mail() / ".Work"));
    EXPECT_TRUE(account.files().front().starts_with(".Play/new/")) << account.files().front();
}

TEST(Follower, GivesAFolderItsNameOnceItIsFree) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("a")});
    account.deliver(make_message("old"), "a");
    account.follow();
    account.must<MailboxMade>(RenameMailbox{name("a"), name("b")});
    account.must<MailboxMade>(CreateMailbox{name("a")});
    account.deliver(make_message("new"), "a");
    EXPECT_EQ(account.read(account.id_of("a"), Uid(1)), make_message("new"));
    EXPECT_EQ(account.read(account.id_of("b"), Uid(1)), make_message("old"));
    account.follow();
    EXPECT_TRUE(account.files()[0].starts_with(".a/new/")) << account.files()[0];
    EXPECT_TRUE(account.files()[1].starts_with(".b/new/")) << account.files()[1];
    EXPECT_EQ(account.read(account.id_of("a"), Uid(1)), make_message("new"));
    EXPECT_EQ(account.read(account.id_of("b"), Uid(1)), make_message("old"));
}

TEST(Follower, GivesMailboxesThatSwappedNamesEachOthersFolders) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("a")});
    account.must<MailboxMade>(CreateMailbox{name("b")});
    account.deliver(make_message("first a"), "a");
    account.deliver(make_message("first b"), "b");
    account.follow();
    account.must<MailboxMade>(RenameMailbox{name("a"), name("c")});
    account.must<MailboxMade>(RenameMailbox{name("b"), name("a")});
    account.must<MailboxMade>(RenameMailbox{name("c"), name("b")});
    account.follow();
    EXPECT_EQ(account.read(account.id_of("a"), Uid(1)), make_message("first b"));
    EXPECT_EQ(account.read(account.id_of("b"), Uid(1)), make_message("first a"));
    ASSERT_EQ(account.files().size(), 2u);
    EXPECT_TRUE(account.files()[0].starts_with(".a/new/")) << account.files()[0];
    EXPECT_TRUE(account.files()[1].starts_with(".b/new/")) << account.files()[1];
}

TEST(Follower, GivesTheFolderOfADeletedMailboxToItsSuccessor) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("a")});
    for (int n = 0; n < 3; ++n) account.deliver(make_message("m"), "a");
    account.follow();
    account.must<Done>(DeleteMailbox{name("a")});
    account.must<MailboxMade>(CreateMailbox{name("a")});
    account.deliver(make_message("new"), "a");
    account.follow();
    ASSERT_EQ(account.files().size(), 1u);
    EXPECT_TRUE(account.files()[0].starts_with(".a/new/")) << account.files()[0];
}

TEST(Follower, PurgesADeletedMailboxInSteps) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("a")});
    for (int n = 0; n < 7; ++n) account.deliver(make_message("m"), "a");
    account.follow();
    account.must<Done>(DeleteMailbox{name("a")});
    for (int n = 0; n < 40 && account.follower().follow(kAccount, 2).value() == Progress::more_to_do; ++n) {
    }
    EXPECT_TRUE(account.files().empty());
    EXPECT_FALSE(std::filesystem::exists(account.mail() / ".a"));
    EXPECT_EQ(account.snapshot().account()->messages, 0u);
    EXPECT_EQ(account.snapshot().account()->octets, 0u);
}

TEST(OpenMessage, FindsAFileWhoseFlagsAnotherProgramChanged) {
    TestAccount account;
    const std::string content = make_message("m");
    account.deliver(content);
    const std::string was = account.files().front();
    std::filesystem::create_directories(account.mail() / "cur");
    std::filesystem::rename(account.mail() / was, account.mail() / "cur" / (was.substr(4) + ":2,FS"));
    EXPECT_EQ(account.read(account.id_of("INBOX"), Uid(1)), content);
    store(account, account.id_of("INBOX"), UidSet::all(), SystemFlag::seen);
    account.follow();
    EXPECT_TRUE(account.files().front().ends_with(":2,S"));
}

TEST(OpenMessage, SaysSoWhenTheFileIsGoneOrNotItself) {
    TestAccount account;
    account.deliver(make_message("m"));
    const MailboxId inbox = account.id_of("INBOX");
    const Snapshot snapshot = account.snapshot();
    const MessageInfo message = *snapshot.message(inbox, Uid(1)).value();
    const std::filesystem::path file = account.mail() / account.files().front();
    std::ofstream(file, std::ios::app) << "more";
    EXPECT_EQ(snapshot.open_message(inbox, message).error().fault, Fault::damaged);
    std::filesystem::remove(file);
    EXPECT_EQ(snapshot.open_message(inbox, message).error().fault, Fault::damaged);
    store(account, inbox, UidSet::all(), SystemFlag::seen);
    account.follow();
    account.must<Expunged>(Expunge{inbox, UidSet::all(), false});
    EXPECT_EQ(snapshot.open_message(inbox, message).error().fault, Fault::non_existent);
    account.follow();
}

TEST(OpenMessage, OfAnOlderSnapshotFindsAFileThatMovedSince) {
    TestAccount account;
    const std::string content = make_message("m");
    account.deliver(content);
    const MailboxId inbox = account.id_of("INBOX");
    const Snapshot old = account.snapshot();
    const MessageInfo message = *old.message(inbox, Uid(1)).value();
    store(account, inbox, UidSet::all(), SystemFlag::seen);
    account.follow();
    EXPECT_EQ(old.open_message(inbox, message)->size, content.size());
}

// ---- foreign files

void drop(const std::filesystem::path& file, std::string_view content) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
}

constexpr Time kLater{kTime + Seconds(1'000'000'000)};

TEST(Adopt, TakesForeignFilesWithFlagsAndDate) {
    TestAccount account;
    account.must<Done>(CreateAccount{});
    account.follow();
    const std::string content = make_message("foreign");
    drop(account.mail() / "new/1690000000.M1P2.elsewhere", content);
    drop(account.mail() / ".Sent/cur/1690000001.M1P2.elsewhere,S=5:2,FS", content);
    drop(account.mail() / "cur/.hidden", "x");
    drop(account.mail() / "cur/empty", "");
    for (int n = 0; n < 8; ++n) {
        (void)account.follower().adopt(kAccount, kLater + Seconds(n * 100)).value();
        account.follow();
    }
    EXPECT_EQ(account.info("INBOX").messages, 1u);
    EXPECT_EQ(account.info("Sent").messages, 1u);
    const auto sent = account.snapshot().message(account.id_of("Sent"), Uid(1)).value();
    EXPECT_EQ(sent->flags.system, SystemFlag::flagged | SystemFlag::seen);
    EXPECT_EQ(account.read(account.id_of("INBOX"), Uid(1)), content);
    EXPECT_EQ(account.read(account.id_of("Sent"), Uid(1)), content);
    const auto files = account.files();
    EXPECT_EQ(std::count_if(files.begin(), files.end(),
                            [](const std::string& f) { return f.find("elsewhere") != std::string::npos; }),
              0);
    EXPECT_EQ(account.snapshot().account()->messages, 2u) << "not taken in twice";
}

TEST(Adopt, ConvertsLineEndsInPlace) {
    TestAccount account;
    account.must<Done>(CreateAccount{});
    account.follow();
    drop(account.mail() / "new/1690000000.M1P2.elsewhere", "Subject: x\n\nbody\n");
    (void)account.follower().adopt(kAccount, kLater).value();
    EXPECT_EQ(account.read(account.id_of("INBOX"), Uid(1)), "Subject: x\r\n\r\nbody\r\n")
        << "before it has its name";
    account.follow();
    EXPECT_EQ(account.read(account.id_of("INBOX"), Uid(1)), "Subject: x\r\n\r\nbody\r\n");
    EXPECT_EQ(account.files().size(), 1u);
}

TEST(Adopt, LeavesItsOwnFilesAndReadsAFolderOnlyWhenItChanged) {
    TestAccount account;
    account.deliver(make_message("m"));
    account.follow();
    EXPECT_EQ(account.follower().adopt(kAccount, kLater).value(), Progress::nothing_left);
    EXPECT_EQ(account.info("INBOX").messages, 1u);
    // A file of another mailbox of this account is a foreign one here: somebody moved it by hand.
    const std::string own = account.files().front();
    std::filesystem::rename(account.mail() / own, account.mail() / ".Sent/cur" / (own.substr(4) + ":2,S"));
    EXPECT_EQ(account.follower().adopt(kAccount, kLater + Seconds(1'000)).value(), Progress::more_to_do);
    EXPECT_EQ(account.info("Sent").messages, 1u);
}

}  // namespace
}  // namespace mailstead::store
