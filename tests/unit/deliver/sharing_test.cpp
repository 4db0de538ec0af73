// Which changes of access lists reach the table of shares.
#include "deliver/local/sharing.h"

#include <gtest/gtest.h>

#include "tests/unit/deliver/world.h"

namespace mailstead::deliver {
namespace {

using store::SetAcl;

SetAcl change(SetAcl::How how, store::Rights rights, bool negative = false) {
    SetAcl set;
    set.who = AccountId(9);
    set.how = how;
    set.rights = rights;
    set.negative = negative;
    return set;
}

TEST(SharingRules, GrantsAreNotedWithTheirChange) {
    const auto noted = note_share(AccountId(7), change(SetAcl::How::add, store::Right::read));
    ASSERT_TRUE(noted);
    EXPECT_EQ(noted->environment, "shares");
    const auto decoded = store::decode_share_change(noted->payload).value();
    const auto& note = std::get<store::NoteShare>(decoded);
    EXPECT_EQ(note.owner, AccountId(7));
    EXPECT_EQ(note.with, AccountId(9));
    EXPECT_TRUE(note_share(AccountId(7), change(SetAcl::How::replace, store::Right::read)));
}

TEST(SharingRules, WhatGrantsNothingIsNotNoted) {
    EXPECT_FALSE(note_share(AccountId(7), change(SetAcl::How::remove, store::Right::read)));
    EXPECT_FALSE(note_share(AccountId(7), change(SetAcl::How::replace, store::Rights())));
    EXPECT_FALSE(note_share(AccountId(7), change(SetAcl::How::add, store::Right::read, true)));
    EXPECT_FALSE(note_share(AccountId(7), store::CreateAccount()));
}

TEST(SharingRules, LastGrantIsSeenInTheResult) {
    EXPECT_TRUE(was_last_grant(store::encode(store::ChangeResult(store::AclSet{false}))));
    EXPECT_FALSE(was_last_grant(store::encode(store::ChangeResult(store::AclSet{true}))));
    EXPECT_FALSE(was_last_grant(store::encode(store::ChangeResult(store::Done()))));
    EXPECT_FALSE(was_last_grant("nonsense"));
}

// ---- with the engine

class DeliverSharing : public ::testing::Test {
protected:
    store::Fault set(AccountId owner, AccountId who, store::Rights rights,
                     std::string_view mailbox = "INBOX") {
        SetAcl acl;
        acl.mailbox = MailboxName::parse(mailbox).value();
        acl.who = who;
        acl.rights = rights;
        const store::Change wanted{testing::kNow, acl};
        return static_cast<store::Fault>(world_.ask(ipc::ApplyChange{owner, store::encode(wanted)}).error);
    }
    store::Rights rights(AccountId owner, AccountId who) {
        const auto now = world_.reader().open(owner)->snapshot().value();
        return now.rights(now.find(MailboxName::inbox())->id, who).value();
    }
    using Ids = std::vector<AccountId>;
    static constexpr store::Fault kNone{};

    testing::World world_;
    AccountId alice_ = world_.add_account("alice@example.org");
    AccountId bob_ = world_.add_account("bob@example.org");
};

TEST_F(DeliverSharing, PairIsThereAsLongAsSomethingIsGranted) {
    EXPECT_EQ(set(alice_, bob_, store::Right::read), kNone);
    EXPECT_EQ(set(alice_, bob_, store::Right::read, "Sent"), kNone);
    EXPECT_EQ(world_.shares().sharers(bob_).value(), Ids{alice_});
    EXPECT_EQ(set(alice_, bob_, store::Rights()), kNone);
    EXPECT_EQ(world_.shares().sharers(bob_).value(), Ids{alice_});
    EXPECT_EQ(set(alice_, bob_, store::Rights(), "Sent"), kNone);
    EXPECT_EQ(world_.shares().sharers(bob_).value(), Ids());
}

TEST_F(DeliverSharing, RefusedGrantLeavesNoPair) {
    EXPECT_EQ(set(alice_, bob_, store::Right::read, "Nowhere"), store::Fault::non_existent);
    EXPECT_EQ(world_.shares().sharers(bob_).value(), Ids());
}

TEST_F(DeliverSharing, BothSurviveAStop) {
    EXPECT_EQ(set(alice_, bob_, store::Right::read), kNone);
    EXPECT_EQ(set(bob_, store::kAnyone, store::Right::lookup), kNone);
    world_.open_engine();
    EXPECT_EQ(rights(alice_, bob_), store::Right::read);
    EXPECT_EQ(world_.shares().sharers(bob_).value(), Ids{alice_});
    EXPECT_EQ(world_.shares().sharers(alice_).value(), Ids{bob_});
}

TEST_F(DeliverSharing, RemovedAccountIsForgotten) {
    EXPECT_EQ(set(alice_, bob_, store::Right::read), kNone);
    ASSERT_TRUE(world_.directory->remove_account(alice_, now()));
    world_.ask(ipc::AccountGone{alice_});
    EXPECT_EQ(world_.shares().sharers(bob_).value(), Ids());
}

TEST_F(DeliverSharing, FileThatComesFromAnotherAccountIsLinkedNotCopied) {
    const std::string bytes = testing::mail("shared");
    ASSERT_EQ(
        world_.deliver(testing::message_to({testing::local(alice_, "alice@example.org")}), bytes).outcome,
        ipc::DeliverAnswer::Outcome::accepted);
    const auto open = [&](AccountId account) {
        const auto now = world_.reader().open(account)->snapshot().value();
        const MailboxId inbox = now.find(MailboxName::inbox())->id;
        const auto message = now.message(inbox, Uid(1)).value().value();
        return std::move(now.open_message(inbox, message).value().descriptor);
    };
    store::Append append;
    store::NewMessage copy;
    copy.size = bytes.size();
    append.messages.push_back(std::move(copy));
    ipc::Descriptors files;
    files.push_back(open(alice_));
    const store::Change change{testing::kNow, std::move(append)};
    EXPECT_EQ(world_.ask(ipc::ApplyChange{bob_, store::encode(change)}, std::move(files)).error, 0);
    struct stat one {
    }, two{};
    ASSERT_EQ(::fstat(open(alice_).get(), &one), 0);
    ASSERT_EQ(::fstat(open(bob_).get(), &two), 0);
    EXPECT_EQ(one.st_ino, two.st_ino);
    EXPECT_EQ(world_.mail_of(bob_), std::vector<std::string>{bytes});
}

}  // namespace
}  // namespace mailstead::deliver
