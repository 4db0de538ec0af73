#include "common/store/verify.h"

#include <fstream>
#include <functional>

#include <gtest/gtest.h>

#include "common/store/rebuild.h"
#include "common/store/records.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::store {
namespace {

using Kind = Finding::Kind;

struct Verified : TestAccount {
    Verified() {
        for (int n = 0; n < 6; ++n) deliver(make_message("m" + std::to_string(n)));
        must<MailboxMade>(CreateMailbox{name("Work")});
        must<Copied>(Copy{id_of("INBOX"), UidSet::of({2, 3}), {name("Work")}, false});
        must<Copied>(Copy{id_of("INBOX"), UidSet::of({4}), {name("Work")}, true});
        must<FlagsStored>(StoreFlags{id_of("INBOX"), UidSet::of({1, 2}), StoreFlags::How::add,
                                     flags_of(SystemFlag::seen | SystemFlag::deleted), std::nullopt});
        must<Expunged>(Expunge{id_of("INBOX"), UidSet::of({6}), false});
        follow();
        follower().keep_sidecar(kAccount, kTime, true).value();
    }
    VerifyReport verify(const VerifyOptions& options = {}) {
        return verify_account(root(), reader(), kAccount, options);
    }
    std::vector<Kind> kinds() {
        std::vector<Kind> found;
        for (const Finding& finding : verify().findings) found.push_back(finding.kind);
        return found;
    }
    void spoil(const std::function<void(kv::WriteTransaction&, const Databases&)>& how) {
        close();
        {
            const auto env =
                kv::Env::open(root() / "accounts/7/index", index_options(kv::Access::engine_writer)).value();
            const auto databases = open_databases(*env).value();
            auto transaction = env->write().value();
            how(transaction, databases);
            transaction.commit().value();
        }
        reopen();
    }
    std::filesystem::path file(std::string_view part) {
        for (const std::string& path : files()) {
            if (path.find(part) != std::string::npos) return mail() / path;
        }
        throw std::runtime_error("no such file");
    }
};

TEST(Verify, FindsNothingWhereNothingIsWrong) {
    Verified account;
    const VerifyReport report = account.verify();
    EXPECT_EQ(report.findings_found, 0u);
    EXPECT_EQ(report.messages, 7u);
    EXPECT_EQ(report.files, 7u);
    EXPECT_EQ(report.mailboxes, 7u);
    // Tasks that wait are no damage.
    account.must<Copied>(Copy{account.id_of("INBOX"), UidSet::of({5}), {name("Work")}, true});
    account.must<Expunged>(Expunge{account.id_of("INBOX"), UidSet::of({1}), false});
    EXPECT_EQ(account.verify().findings_found, 0u);
}

TEST(Verify, FindsALostAndADamagedBody) {
    Verified account;
    std::filesystem::remove(account.file("B1U1M"));
    EXPECT_EQ(account.kinds(), std::vector{Kind::missing_body});
    EXPECT_EQ(account.verify().findings[0].uid, Uid(1));
    EXPECT_EQ(account.verify().findings[0].mailbox, "INBOX");
    std::filesystem::resize_file(account.file("B1U5M"), 10);
    EXPECT_EQ(account.kinds(), (std::vector{Kind::damaged_body, Kind::missing_body}));
    VerifyOptions options;
    options.files = false;
    EXPECT_EQ(account.verify(options).findings_found, 0u);
}

TEST(Verify, FindsAFileThatNoMessageHas) {
    Verified account;
    std::string path = account.file("B1U5M").string();
    std::string other = path;
    other.replace(other.find("U5M"), 3, "U77M");
    std::filesystem::copy_file(path, other);
    EXPECT_EQ(account.kinds(), std::vector{Kind::file_without_entry});
    EXPECT_EQ(account.verify().findings[0].repair, Finding::Repair::adopt);
}

TEST(Verify, FindsWrongRanges) {
    for (const char* what : {"runs", "unseen", "deleted", "changes"}) {
        Verified account;
        account.spoil([&](kv::WriteTransaction& transaction, const Databases& databases) {
            const kv::Database database = what == std::string("runs")      ? databases.runs
                                          : what == std::string("unseen")  ? databases.unseen
                                          : what == std::string("deleted") ? databases.deleted
                                                                           : databases.changes;
            auto cursor = kv::Cursor::open(transaction, database).value();
            ASSERT_TRUE(cursor.first().value());
            cursor.erase().value();
        });
        const auto kinds = account.kinds();
        ASSERT_FALSE(kinds.empty()) << what;
        EXPECT_EQ(kinds[0], Kind::wrong_ranges) << what;
    }
}

TEST(Verify, FindsWrongCountsAndReferences) {
    Verified account;
    account.spoil([](kv::WriteTransaction& transaction, const Databases& databases) {
        auto bytes = transaction.get(databases.mailboxes, key::mailbox(1)).value();
        auto box = MailboxRecord::decode(*bytes).value();
        box.octets += 5;
        transaction.put(databases.mailboxes, key::mailbox(1), box.encode()).value();
    });
    EXPECT_EQ(account.kinds(), std::vector{Kind::wrong_count});
    account.spoil([](kv::WriteTransaction& transaction, const Databases& databases) {
        transaction.put(databases.references, key::number(2), encode_u32(9)).value();
    });
    EXPECT_EQ(account.kinds(), (std::vector{Kind::wrong_count, Kind::wrong_count}));
    account.close();
    ASSERT_TRUE(rebuild_index(account.root(), kAccount, kTime));
    account.reopen();
    account.follow();
    account.follower().keep_sidecar(kAccount, kTime, true).value();
    EXPECT_EQ(account.verify().findings_found, 0u);
}

TEST(Verify, FindsADamagedCacheAndAWrongSidecar) {
    Verified account;
    account.spoil([](kv::WriteTransaction& transaction, const Databases& databases) {
        transaction.put(databases.cache, key::number(5), "x").value();
    });
    EXPECT_EQ(account.kinds(), std::vector{Kind::damaged_cache});
    std::filesystem::remove_all(account.root() / "accounts/7/sidecar");
    EXPECT_EQ(account.kinds(), (std::vector{Kind::damaged_cache, Kind::wrong_sidecar}));
}

TEST(Verify, SaysWhyAnIndexCannotBeRead) {
    Verified account;
    account.close();
    std::filesystem::remove_all(account.root() / "accounts/7/index");
    const VerifyReport report = verify_account(account.root(), kAccount);
    ASSERT_EQ(report.findings.size(), 1u);
    EXPECT_EQ(report.findings[0].kind, Kind::unreadable_index);
    EXPECT_EQ(report.findings[0].repair, Finding::Repair::rebuild);
    account.reopen();
}

TEST(Verify, ListsNoMoreThanWanted) {
    Verified account;
    for (const char* part : {"B1U1M", "B1U5M"}) std::filesystem::remove(account.file(part));
    VerifyOptions options;
    options.max_findings = 1;
    const VerifyReport report = account.verify(options);
    EXPECT_EQ(report.findings.size(), 1u);
    EXPECT_EQ(report.findings_found, 2u);
}

}  // namespace
}  // namespace mailstead::store
