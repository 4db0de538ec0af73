// Rights, access lists in the index, and the table of shares.
#include <gtest/gtest.h>

#include "common/store/shares.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

constexpr AccountId kAnn{21};
constexpr AccountId kBob{22};

Rights rights(std::string_view letters) {
    return Rights::parse(letters).value();
}
SetAcl set(std::string_view mailbox, AccountId who, std::string_view letters,
           SetAcl::How how = SetAcl::How::replace, bool negative = false) {
    return SetAcl{name(mailbox), who, negative, how, rights(letters)};
}

TEST(Rights, VirtualRightsStandForTheirMembers_Rfc4314_2_1_1) {
    EXPECT_EQ(rights("c"), rights("kx"));
    EXPECT_EQ(rights("d"), rights("te"));
    EXPECT_EQ(rights("kx").to_string(), "kxc");
    EXPECT_EQ(rights("t").to_string(), "td");
    EXPECT_EQ(rights("lr").to_string(), "lr");
    EXPECT_EQ(Rights::all().to_string(), "lrswipkxtecda");
    EXPECT_EQ(rights("lrswipcda"), Rights::all());
}

TEST(Rights, UnknownLettersAreRefused) {
    for (const char* bad : {"L", "lrq", "l r", "1", "+l", "\xC3\xA9"})
        EXPECT_FALSE(Rights::parse(bad)) << bad;
    EXPECT_TRUE(Rights::parse("")->empty());
}

TEST(Rights, FlagsFollowFromRights_Rfc4314_4) {
    EXPECT_TRUE(Rights::all().changeable_flags().is_all());
    EXPECT_TRUE(rights("lrie").changeable_flags().empty());
    EXPECT_EQ(rights("s").changeable_flags().system, SystemFlags(SystemFlag::seen));
    EXPECT_EQ(rights("t").changeable_flags().system, SystemFlags(SystemFlag::deleted));
    EXPECT_TRUE(rights("w").changeable_flags().keywords);
    EXPECT_FALSE(rights("w").changeable_flags().system.has(SystemFlag::seen));
}

TEST(AccessList, GrantsOfAllLinesLessTheNegativeOnes) {
    TestAccount account;
    account.must<AclSet>(set("Sent", kAnyone, "lr"));
    account.must<AclSet>(set("Sent", kAnn, "rsw"));
    account.must<AclSet>(set("Sent", kAnn, "r", SetAcl::How::replace, true));
    account.must<AclSet>(set("Sent", kAnyone, "w", SetAcl::How::replace, true));
    const Snapshot now = account.snapshot();
    const MailboxId sent = now.find(name("Sent"))->id;
    EXPECT_EQ(now.rights(sent, kAnn).value(), rights("ls"));
    EXPECT_EQ(now.rights(sent, kBob).value(), rights("lr"));
    EXPECT_EQ(now.rights(sent, kAccount).value(), Rights::all());
    EXPECT_EQ(now.rights(now.find(name("Trash"))->id, kAnn).value(), Rights());
    EXPECT_EQ(now.granted_to(kBob).value(), std::vector<MailboxId>{sent});
}

TEST(AccessList, OwnerHasNoLine) {
    TestAccount account;
    EXPECT_EQ(account.fault_of(set("Sent", kAccount, "l")), Fault::cannot);
    EXPECT_EQ(account.fault_of(set("Nope", kAnn, "l")), Fault::non_existent);
}

TEST(AccessList, EachChangeRaisesTheModSequenceOfTheAccount) {
    TestAccount account;
    account.must<Done>(CreateAccount());
    const ModSeq before = account.snapshot().highest_modseq();
    account.must<AclSet>(set("Sent", kAnn, "lr"));
    const ModSeq after = account.snapshot().highest_modseq();
    EXPECT_GT(after, before);
    account.must<AclSet>(set("Sent", kAnn, "lr"));
    EXPECT_EQ(account.snapshot().highest_modseq(), after);
}

TEST(AccessList, GoesWithTheMailboxAndComesFromTheParent_Rfc4314_4) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("Work")});
    account.must<AclSet>(set("Work", kAnn, "lrk"));
    account.must<MailboxMade>(CreateMailbox{name("Work/2026/Plan")});
    EXPECT_EQ(account.snapshot().rights(account.id_of("Work/2026/Plan"), kAnn).value(), rights("lrk"));
    account.must<MailboxMade>(RenameMailbox{name("Work/2026"), name("Done")});
    EXPECT_EQ(account.snapshot().rights(account.id_of("Done/Plan"), kAnn).value(), rights("lrk"));
    EXPECT_TRUE(account.must<AclSet>(set("Work", kAnn, "")).still_granted);
    const MailboxId plan = account.id_of("Done/Plan");
    account.must<Done>(DeleteMailbox{name("Done/Plan")});
    EXPECT_TRUE(account.snapshot().acl(plan)->empty());
    EXPECT_FALSE(account.must<AclSet>(set("Done", kAnn, "")).still_granted);
    EXPECT_TRUE(account.snapshot().granted_to(kAnn)->empty());
}

TEST(AccessList, HasABound) {
    TestAccount account;
    for (std::uint32_t n = 0; n < kMaxAclEntries; ++n)
        account.must<AclSet>(set("Sent", AccountId(100 + n), "l"));
    EXPECT_EQ(account.fault_of(set("Sent", AccountId(99), "l")), Fault::limit);
    account.must<AclSet>(set("Sent", AccountId(100), "lr"));
    account.must<AclSet>(set("Sent", AccountId(100), ""));
    account.must<AclSet>(set("Sent", AccountId(99), "l"));
}

TEST(AccessList, NothingIsMadeWhereOthersMailboxesAreShown) {
    TestAccount account;
    EXPECT_EQ(account.fault_of(CreateMailbox{name("Other Users/x@example.org/A")}), Fault::cannot);
    EXPECT_EQ(account.fault_of(RenameMailbox{name("Sent"), name("Other Users")}), Fault::cannot);
    account.must<Done>(Subscribe{name("Other Users/" + std::string(250, 'x') + "@example.org/A"), true});
    EXPECT_EQ(account.fault_of(Subscribe{name(std::string(501, 'x')), true}), Fault::limit);
}

// ---- flags in a scope

TEST(FlagScope, StoreTouchesNothingElse) {
    TestAccount account;
    account.deliver(make_message("one"), "INBOX",
                    flags_of(SystemFlag::deleted | SystemFlag::flagged, {"$A"}));
    const MailboxId inbox = account.id_of("INBOX");
    StoreFlags store{inbox,
                     UidSet::of({1}),
                     StoreFlags::How::replace,
                     flags_of(SystemFlag::seen, {"$B"}),
                     std::nullopt,
                     {SystemFlag::seen | SystemFlag::flagged, false}};
    account.must<FlagsStored>(store);
    const auto flags = account.snapshot().message(inbox, Uid(1)).value()->flags;
    EXPECT_EQ(flags.system, SystemFlag::seen | SystemFlag::deleted);
    EXPECT_TRUE(flags.keywords.has(0));
    EXPECT_EQ(account.snapshot().keywords()->size(), 1u);
    EXPECT_EQ(account.info("INBOX").deleted, 1u);
}

TEST(FlagScope, CopySetsNothingElse) {
    TestAccount account;
    account.deliver(make_message("one"), "INBOX",
                    flags_of(SystemFlag::deleted | SystemFlag::seen | SystemFlag::draft, {"$A"}));
    Copy copy{account.id_of("INBOX"), UidSet::of({1}), {name("Sent")}, false, {SystemFlag::draft, false}};
    account.must<Copied>(copy);
    const auto flags = account.snapshot().message(account.id_of("Sent"), Uid(1)).value()->flags;
    EXPECT_EQ(flags.system, SystemFlags(SystemFlag::draft));
    EXPECT_TRUE(flags.keywords.empty());
    EXPECT_EQ(account.info("Sent").unseen, 1u);
    EXPECT_EQ(account.info("Sent").deleted, 0u);
    account.follow();
    EXPECT_EQ(account.read(account.id_of("Sent"), Uid(1)), make_message("one"));
}

// ---- the table of shares

class SharesTable : public testing::Test {
protected:
    SharesTable() : root_(scratch_.root()), reader_(root_) {
        kv::EnvOptions options;
        options.access = kv::Access::engine_writer;
        env_ = kv::Env::open(root_ / participant_.locate("")->directory, options).value();
        environment_ = participant_.attach("", env_).value();
    }
    void apply(const ShareChange& change) {
        commit::ApplyContext context({}, false);
        auto transaction = env_->write().value();
        ASSERT_TRUE(environment_->apply(transaction, encode(change), context));
        ASSERT_TRUE(transaction.commit());
    }
    using Ids = std::vector<AccountId>;

    TestAccount scratch_;
    std::filesystem::path root_;
    SharesParticipant participant_;
    std::shared_ptr<kv::Env> env_;
    std::unique_ptr<commit::Environment> environment_;
    SharesReader reader_;
};

TEST_F(SharesTable, NamesOwnersAndThoseTheyShareWith) {
    apply(NoteShare{AccountId(1), AccountId(2)});
    apply(NoteShare{AccountId(3), AccountId(2)});
    apply(NoteShare{AccountId(3), kAnyone});
    apply(NoteShare{AccountId(2), kAnyone});
    EXPECT_EQ(reader_.sharers(AccountId(2)).value(), (Ids{AccountId(1), AccountId(3)}));
    EXPECT_EQ(reader_.sharers(AccountId(9)).value(), (Ids{AccountId(2), AccountId(3)}));
    EXPECT_EQ(reader_.shared_by(AccountId(3)).value(), (Ids{kAnyone, AccountId(2)}));
    EXPECT_TRUE(reader_.is_sharer(AccountId(1), AccountId(2)).value());
    EXPECT_FALSE(reader_.is_sharer(AccountId(1), AccountId(9)).value());
    EXPECT_TRUE(reader_.is_sharer(AccountId(3), AccountId(9)).value());
}

TEST_F(SharesTable, DropsWhatWasNotNotedAnew) {
    apply(NoteShare{AccountId(1), AccountId(2)});
    const std::uint64_t stamp = reader_.stamp(AccountId(1), AccountId(2)).value().value();
    apply(NoteShare{AccountId(1), AccountId(2)});
    apply(DropShare{AccountId(1), AccountId(2), stamp});
    EXPECT_TRUE(reader_.is_sharer(AccountId(1), AccountId(2)).value());
    apply(DropShare{AccountId(1), AccountId(2), reader_.stamp(AccountId(1), AccountId(2)).value().value()});
    EXPECT_FALSE(reader_.is_sharer(AccountId(1), AccountId(2)).value());
    EXPECT_EQ(reader_.shared_by(AccountId(1)).value(), Ids());
}

TEST_F(SharesTable, ForgetsAnAccountOnBothSides) {
    apply(NoteShare{AccountId(1), AccountId(2)});
    apply(NoteShare{AccountId(2), AccountId(3)});
    apply(NoteShare{AccountId(1), AccountId(3)});
    apply(ForgetSharer{AccountId(2)});
    EXPECT_EQ(reader_.shared_by(AccountId(1)).value(), Ids{AccountId(3)});
    EXPECT_EQ(reader_.shared_by(AccountId(2)).value(), Ids());
    EXPECT_EQ(reader_.sharers(AccountId(3)).value(), Ids{AccountId(1)});
}

TEST(ShareChange, EncodesWhatItDecodesAndRefusesCuts) {
    for (const ShareChange& change :
         {ShareChange(NoteShare{AccountId(1), AccountId(300)}),
          ShareChange(DropShare{AccountId(1), kAnyone, 9}), ShareChange(ForgetSharer{AccountId(7)})}) {
        const std::string bytes = encode(change);
        EXPECT_EQ(encode(decode_share_change(bytes).value()), bytes);
        for (std::size_t size = 0; size < bytes.size(); ++size)
            EXPECT_FALSE(decode_share_change(std::string_view(bytes).substr(0, size)));
        EXPECT_FALSE(decode_share_change(bytes + "x"));
    }
}

}  // namespace
}  // namespace mailstead::store
