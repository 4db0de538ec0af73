// An index that is gone or wrong is damage, and what the journal owes to one that was rebuilt.
#include <fstream>
#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "common/store/rebuild.h"
#include "common/store/records.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

std::filesystem::path index_of(const TestAccount& account) {
    return account.root() / "accounts/7/index";
}

Fault fault_of_reading(const TestAccount& account) {
    ReaderOptions options;
    options.root = account.root();
    Reader reader(options);
    const auto opened = reader.open(kAccount);
    return opened ? Fault::cannot : opened.error().fault;
}

TEST(LostIndex, IsDamageAndNotANewAccount) {
    TestAccount account;
    Accounts accounts({}, account.root());
    EXPECT_FALSE(accounts.locate("7")->must_exist);
    EXPECT_FALSE(accounts.locate("8")->must_exist);
    account.deliver(make_message("one"));
    account.follow();
    account.close();
    std::filesystem::remove_all(index_of(account));
    EXPECT_TRUE(accounts.locate("7")->must_exist);
    EXPECT_EQ(fault_of_reading(account), Fault::damaged);
    EXPECT_FALSE(accounts.locate("8")->must_exist);
    // The sidecar alone says so, too.
    std::filesystem::remove_all(account.mail());
    EXPECT_FALSE(accounts.locate("7")->must_exist);
    EXPECT_EQ(fault_of_reading(account), Fault::non_existent);
    std::filesystem::create_directories(account.root() / "accounts/7/sidecar");
    std::ofstream(account.root() / "accounts/7/sidecar/mailboxes") << "x";
    EXPECT_TRUE(accounts.locate("7")->must_exist);
    EXPECT_EQ(fault_of_reading(account), Fault::damaged);
    account.reopen();
}

// Changes the index behind everyone's back.
void spoil(TestAccount& account, const std::function<void(kv::WriteTransaction&, const Databases&)>& how) {
    account.close();
    {
        const auto env = kv::Env::open(index_of(account), index_options(kv::Access::engine_writer)).value();
        const auto databases = open_databases(*env).value();
        auto transaction = env->write().value();
        how(transaction, databases);
        transaction.commit().value();
    }
}

TEST(LostIndex, OneThatContradictsItselfIsNotOpened) {
    TestAccount account;
    account.deliver(make_message("one"));
    account.deliver(make_message("two"));
    EXPECT_EQ(fault_of_reading(account), Fault::cannot);
    spoil(account, [](kv::WriteTransaction& transaction, const Databases& databases) {
        transaction.erase(databases.messages, key::message(1, 1)).value();
    });
    EXPECT_EQ(fault_of_reading(account), Fault::damaged);
    ASSERT_TRUE(rebuild_index(account.root(), kAccount, kTime));
    EXPECT_EQ(fault_of_reading(account), Fault::cannot);
    account.reopen();
    spoil(account, [](kv::WriteTransaction& transaction, const Databases& databases) {
        transaction.put(databases.meta, key::kIdKey, encode_u32(8)).value();
    });
    EXPECT_EQ(fault_of_reading(account), Fault::damaged);
    ASSERT_TRUE(rebuild_index(account.root(), kAccount, kTime));
    account.reopen();
    EXPECT_EQ(account.info("INBOX").messages, 2u);
}

// The journal's share of the account is applied to the rebuilt index, whatever of it the files have seen.
TEST(LostIndex, WhatTheJournalOwesIsNotDoneTwice) {
    for (const bool followed : {false, true}) {
        for (const bool sidecar : {false, true}) {
            TestAccount account;
            account.deliver(make_message("before"));
            account.follow();
            if (sidecar) account.follower().keep_sidecar(kAccount, kTime, true).value();
            account.keep_history = true;
            const MailboxId inbox = account.id_of("INBOX");
            account.deliver(make_message("same"));
            account.deliver(make_message("same"));
            account.deliver(make_message("read"));
            account.must<FlagsStored>(StoreFlags{inbox, UidSet::of({4}), StoreFlags::How::add,
                                                 flags_of(SystemFlag::seen), std::nullopt});
            account.deliver(make_message("moved"));
            account.must<Copied>(Copy{inbox, UidSet::of({5}), {name("Archive")}, true});
            account.must<Copied>(Copy{inbox, UidSet::of({2}), {name("Sent")}, false});
            account.must<MailboxMade>(CreateMailbox{name("New")});
            if (followed) account.follow();
            const auto history = account.history;
            account.keep_history = false;
            account.close();
            std::filesystem::remove_all(index_of(account));
            ASSERT_TRUE(rebuild_index(account.root(), kAccount, kTime + Seconds(1)));
            account.reopen();
            for (const auto& step : history) (void)account.apply(step.change, step.files, true, true);
            account.follow();
            EXPECT_EQ(account.info("INBOX").messages, 4u) << followed << sidecar;
            EXPECT_EQ(account.info("INBOX").unseen, 3u) << followed << sidecar;
            EXPECT_EQ(account.info("Archive").messages, 1u) << followed << sidecar;
            EXPECT_EQ(account.info("Sent").messages, 1u) << followed << sidecar;
            EXPECT_TRUE(account.snapshot().find(name("New")));
            EXPECT_EQ(account.snapshot().account()->messages, 5u);
            EXPECT_EQ(account.files().size(), 6u);
        }
    }
}

TEST(LostIndex, WhatTheFilesLostTheJournalGivesBack) {
    TestAccount account;
    account.deliver(make_message("before"));
    account.follow();
    account.keep_history = true;
    account.deliver(make_message("same"));
    account.deliver(make_message("same"));
    account.deliver(make_message("other"));
    const auto files = account.files();
    const auto history = account.history;
    account.keep_history = false;
    account.close();
    std::filesystem::remove_all(index_of(account));
    std::filesystem::remove(account.mail() / files[1]);
    std::filesystem::remove(account.mail() / files[3]);
    ASSERT_TRUE(rebuild_index(account.root(), kAccount, kTime + Seconds(1)));
    account.reopen();
    for (const auto& step : history) ASSERT_TRUE(account.apply(step.change, step.files, true, true));
    EXPECT_EQ(account.info("INBOX").messages, 4u);
    std::multiset<std::string> contents;
    account.snapshot().uids(account.id_of("INBOX"))->each([&](Uid uid) {
        contents.insert(account.read(account.id_of("INBOX"), uid));
    });
    EXPECT_EQ(contents, (std::multiset<std::string>{make_message("before"), make_message("same"),
                                                    make_message("same"), make_message("other")}));
}

}  // namespace
}  // namespace mailstead::store
