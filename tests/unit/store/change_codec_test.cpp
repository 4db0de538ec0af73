#include <set>

#include <gtest/gtest.h>

#include "common/store/change.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

std::vector<Change> one_of_each() {
    NewMessage message;
    message.flags = flags_of(SystemFlag::seen, {"$Label1"});
    message.internal_date = kTime;
    message.size = 1234;
    message.cache = "cache bytes";
    message.file = 3;
    Append append;
    append.to.name = name("Junk");
    append.to.create = true;
    append.to.prefer = SpecialUse::junk;
    append.messages = {message, message};
    append.ignore_quota = true;
    Append append_of_one = append;
    append_of_one.messages.pop_back();
    StoreFlags store{MailboxId(3), UidSet({{1, 5}, {9, 9}}), StoreFlags::How::remove,
                     flags_of(SystemFlag::deleted, {"a", "b"}), ModSeq(17)};
    Copy copy;
    copy.from = MailboxId(1);
    copy.uids = UidSet::of({4, 5});
    copy.to.name = name("Archive/2026");
    copy.move = true;
    StoreFlags scoped_store = store;
    scoped_store.scope = {SystemFlag::seen, false};
    Copy scoped_copy = copy;
    scoped_copy.scope = FlagScope::none();
    SetMetadata metadata;
    metadata.mailbox = name("Sent");
    metadata.entries = {{"/private/comment", "x"}, {"/shared/comment", std::nullopt}};
    Followed followed;
    followed.tasks_through = 12;
    followed.renamed = {{MailboxId(1), Uid(2), 5}};
    followed.moved_mailbox = MailboxId(4);
    followed.moved_folder = ".Work";
    followed.purge = MailboxId(9);
    followed.purge_limit = 100;
    followed.names_checked = MailboxId(1);
    followed.checked = UidSet({{2, 9}});
    std::vector<Action> actions = {
        append,
        store,
        Expunge{MailboxId(2), UidSet({{1, 3}}), false},
        Expunge{MailboxId(2), std::nullopt, true},
        copy,
        CreateMailbox{name("A/B"), SpecialUse::archive, true},
        DeleteMailbox{name("A/B")},
        RenameMailbox{name("A"), name("B")},
        Subscribe{name("A"), false},
        SetSpecialUse{name("A"), SpecialUse::trash},
        CreateAccount{},
        SetQuota{1, 2, 3},
        metadata,
        AdoptFile{MailboxId(1), "new/x", message},
        followed,
        scoped_store,
        scoped_copy,
        SetAcl{name("A"), AccountId(9), true, SetAcl::How::remove, Right::read | Right::administer},
        Replace{append_of_one, MailboxId(3), Uid(9)}};
    std::vector<Change> changes;
    for (Action& action : actions) changes.push_back(Change{kTime, std::move(action)});
    return changes;
}

TEST(ChangeCodec, EncodesWhatItDecodes) {
    std::set<std::size_t> kinds;
    for (const Change& change : one_of_each()) {
        const std::string bytes = encode(change);
        const auto again = decode_change(bytes);
        ASSERT_TRUE(again) << change.action.index();
        EXPECT_EQ(again->at, change.at);
        EXPECT_EQ(encode(*again), bytes) << change.action.index();
        kinds.insert(change.action.index());
    }
    EXPECT_EQ(kinds.size(), std::variant_size_v<Action>);
}

TEST(ChangeCodec, RefusesEveryCutAndEveryTail) {
    for (const Change& change : one_of_each()) {
        const std::string bytes = encode(change);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            EXPECT_FALSE(decode_change(std::string_view(bytes).substr(0, size)))
                << change.action.index() << " cut at " << size;
        }
        EXPECT_FALSE(decode_change(bytes + '\0'));
    }
}

TEST(ChangeCodec, RefusesWhatIsOutOfBounds) {
    struct Case {
        const char* name;
        Change change;
    };
    StoreFlags bad_keyword;
    bad_keyword.flags.keywords = {"two words"};
    Append nothing;
    Append too_many;
    too_many.messages.resize(kMaxAppend + 1);
    const Case cases[] = {
        {"keyword", {kTime, bad_keyword}}, {"no message", {kTime, nothing}}, {"too many", {kTime, too_many}}};
    for (const Case& c : cases) EXPECT_FALSE(decode_change(encode(c.change))) << c.name;
    for (const char* path : {"", "/etc/passwd", "../8/mail/new/x", "new/../../x", ".."}) {
        NewMessage message;
        EXPECT_FALSE(decode_change(encode(Change{kTime, AdoptFile{MailboxId(1), path, message}}))) << path;
    }
    std::string unknown = encode(Change{kTime, CreateAccount{}});
    unknown[9] = 99;
    EXPECT_FALSE(decode_change(unknown));
    std::string newer = encode(Change{kTime, CreateAccount{}});
    newer[0] = 3;
    EXPECT_FALSE(decode_change(newer));
}

TEST(ChangeCodec, ReadsQuotasOfJournalsThatKnewNoLimitOfMailboxes) {
    std::string older = encode(Change{kTime, SetQuota{5, 6, 7}});
    older[0] = 1;
    EXPECT_FALSE(decode_change(older));
    older.pop_back();
    const auto change = decode_change(older);
    ASSERT_TRUE(change);
    const auto& quota = std::get<SetQuota>(change->action);
    EXPECT_EQ(quota.octets, 5u);
    EXPECT_EQ(quota.messages, 6u);
    EXPECT_EQ(quota.mailboxes, 0u);
}

TEST(ChangeCodec, ResultsSurviveTheSocket) {
    Appended appended{MailboxId(1), UidValidity(7), UidSet({{3, 5}}), MessageId(9), ModSeq(12)};
    FlagsStored stored{UidSet({{1, 2}}), UidSet({{4, 4}}), ModSeq(3)};
    Expunged expunged{UidSet({{1, 2}}), ModSeq(4)};
    Copied copied{MailboxId(2), UidValidity(8), UidSet({{1, 2}}), UidSet({{10, 11}}), ModSeq(5)};
    for (const ChangeResult& result :
         {ChangeResult(Done{}), ChangeResult(appended), ChangeResult(stored), ChangeResult(expunged),
          ChangeResult(copied), ChangeResult(MailboxMade{MailboxId(4), UidValidity(6)}),
          ChangeResult(MetadataSet{ModSeq(8)})}) {
        const std::string bytes = encode(result);
        const auto again = decode_result(bytes);
        ASSERT_TRUE(again);
        EXPECT_EQ(again->index(), result.index());
        EXPECT_EQ(encode(*again), bytes);
        EXPECT_FALSE(decode_result(std::string_view(bytes).substr(0, bytes.size() - 1)));
    }
}

TEST(Failure, CrossesTheEngineAsAnError) {
    for (int fault = 1; fault <= static_cast<int>(Fault::unavailable); ++fault) {
        const Failure failure(static_cast<Fault>(fault), "why it is so");
        const Failure again(to_error(failure));
        EXPECT_EQ(again.fault, failure.fault);
        EXPECT_EQ(again.what, failure.what);
    }
    EXPECT_EQ(Failure(transient_error("disk")).fault, Fault::unavailable);
    EXPECT_EQ(Failure(transient_error("[who] knows")).what, "[who] knows");
    EXPECT_EQ(to_error(Failure(Fault::over_quota, "")).retry, Retry::later_may_help);
    EXPECT_EQ(to_error(Failure(Fault::non_existent, "")).retry, Retry::is_useless);
}

TEST(Environments, AreNamedByAccount) {
    EXPECT_EQ(environment_of(AccountId(7)), "account/7");
    EXPECT_EQ(account_of("account/7"), AccountId(7));
    for (const char* other : {"queue", "account/", "account/0", "account/x", "account/99999999999"})
        EXPECT_FALSE(account_of(other)) << other;
}

}  // namespace
}  // namespace mailstead::store
