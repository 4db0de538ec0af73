// Annotations (RFC 5464): what they belong to, their bounds, and who hears of changes.
#include <gtest/gtest.h>

#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

TEST(Metadata, BelongsToMailboxesAndToTheAccount_Rfc5464) {
    TestAccount account;
    account.must<MailboxMade>(CreateMailbox{name("a")});
    SetMetadata set;
    set.mailbox = name("a");
    set.entries = {{"/private/comment", "mine"}, {"/shared/comment", "ours"}};
    account.must<MetadataSet>(set);
    set.mailbox.reset();
    set.entries = {{"/private/vendor/x", std::string("\0\1", 2)}};
    account.must<MetadataSet>(set);
    EXPECT_EQ(account.snapshot().metadata(name("a"))->size(), 2u);
    EXPECT_EQ(account.snapshot().metadata(std::nullopt)->front().value, std::string("\0\1", 2));
    set.mailbox = name("a");
    set.entries = {{"/private/comment", std::nullopt}};
    account.must<MetadataSet>(set);
    EXPECT_EQ(account.snapshot().metadata(name("a"))->front().name, "/shared/comment");
    set.entries = {{"/private/comment", std::string(kMaxMetadataValue + 1, 'x')}};
    EXPECT_EQ(account.fault_of(set), Fault::limit);
    account.must<Done>(DeleteMailbox{name("a")});
    account.must<MailboxMade>(CreateMailbox{name("a")});
    EXPECT_TRUE(account.snapshot().metadata(name("a"))->empty());
}

TEST(Metadata, IsBoundedInNumberAndSize_Rfc5464_4_1) {
    TestAccount account;
    SetMetadata set;
    set.mailbox = name("INBOX");
    for (std::size_t n = 0; n < kMaxMetadataPerMailbox; ++n)
        set.entries.push_back({"/private/e" + std::to_string(n), "x"});
    account.must<MetadataSet>(set);
    set.entries = {{"/private/one-more", "x"}};
    EXPECT_EQ(account.fault_of(set), Fault::limit);
    set.entries = {{"/private/one-more", "x"}, {"/private/e7", std::nullopt}};
    account.must<MetadataSet>(set);
    set.mailbox = name("Sent");
    set.entries.clear();
    for (std::size_t n = 0; n < kMaxMetadataOctets / kMaxMetadataValue; ++n)
        set.entries.push_back({"/private/e" + std::to_string(n), std::string(kMaxMetadataValue, 'x')});
    EXPECT_EQ(account.fault_of(set), Fault::limit);
    EXPECT_TRUE(account.snapshot().metadata(name("Sent"))->empty());
}

TEST(Metadata, TellsWhatChangedAndForgetsOldRemovals) {
    TestAccount account;
    SetMetadata set;
    set.mailbox = name("INBOX");
    set.entries = {{"/private/a", "1"}, {"/private/b", "2"}};
    const ModSeq first = account.must<MetadataSet>(set).modseq;
    set.entries = {{"/private/a", std::nullopt}, {"/private/never", std::nullopt}};
    const ModSeq second = account.must<MetadataSet>(set).modseq;
    EXPECT_EQ(account.snapshot().account()->metadata_modseq, second);
    const auto changed = account.snapshot().metadata_since(first).value();
    ASSERT_EQ(changed.size(), 1u);
    EXPECT_EQ(changed[0].name, "/private/a");
    EXPECT_EQ(changed[0].mailbox, account.id_of("INBOX"));
    for (std::size_t round = 0; round < 25; ++round) {
        set.entries.clear();
        for (int n = 0; n < 99; ++n) {
            const std::string entry = "/private/r" + std::to_string(round) + "-" + std::to_string(n);
            set.entries.push_back({entry, "x"});
        }
        account.must<MetadataSet>(set);
        for (auto& entry : set.entries) entry.value.reset();
        account.must<MetadataSet>(set);
    }
    EXPECT_LT(account.snapshot().metadata_since(ModSeq(0))->size(), 2 * kMaxMetadataEntries + 1);
    EXPECT_EQ(account.snapshot().metadata(name("INBOX"))->size(), 1u);
}

}  // namespace
}  // namespace mailstead::store
