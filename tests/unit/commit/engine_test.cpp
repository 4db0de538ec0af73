#include "common/commit/engine.h"

#include <future>
#include <thread>

#include "tests/unit/commit/engine_fixture.h"

namespace mailstead::commit {
namespace {

using namespace testing;
using mailstead::testing::TemporaryFolder;

class CommitEngine : public ::testing::Test {
protected:
    void open(EngineOptions options, ForgetfulFiles* files = nullptr) {
        engine_.reset();
        toys_.on_created = nullptr;
        if (files != nullptr)
            toys_.on_created = [files](const fs::path& directory) {
                files->environment_was_synced(directory);
            };
        options.log = [this](std::string_view line) { log_ += std::string(line) + "\n"; };
        options.on_committed = [this](std::span<const std::string> keys) {
            for (const auto& key : keys) notices_.push_back(key);
        };
        engine_ = std::make_unique<Engine>(std::move(options), files);
        engine_->add("account", toys_);
        engine_->add("queue", queue_);
        const auto started = engine_->start();
        ASSERT_TRUE(started) << started.error().what;
        report_ = *started;
    }
    void SetUp() override { open(small_options(root())); }
    fs::path root() const { return folder_.path() / "data"; }
    std::string bytes_at(const std::string& path) const { return read_file(root() / path); }

    TemporaryFolder folder_;
    ToyParticipant toys_;
    ToyParticipant queue_;
    std::string log_;
    std::vector<std::string> notices_;
    std::unique_ptr<Engine> engine_;
    RecoveryReport report_;
};

TEST_F(CommitEngine, NumbersEntriesOfEachAccountInOrder) {
    EXPECT_EQ(run_one(*engine_, "account/1", "add a"), "1");
    EXPECT_EQ(run_one(*engine_, "account/1", "add b"), "2");
    EXPECT_EQ(run_one(*engine_, "account/2", "add c"), "1");
    EXPECT_EQ(notices_, (std::vector<std::string>{"account/1", "account/1", "account/2"}));
    EXPECT_EQ(toy_content(root(), "1").entries.size(), 2u);
}

TEST_F(CommitEngine, OneMessageFileForAllRecipients) {
    for (const bool with_content : {false, true}) {
        for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{kJournaledFileSize},
                                       std::size_t{kJournaledFileSize + 1}}) {
            const std::string token = "m" + std::to_string(size) + (with_content ? "c" : "f");
            Transaction transaction;
            transaction.parts = {{"account/1", "add " + token + " 0", {}},
                                 {"account/2", "add " + token + " 0", {}}};
            const std::string bytes(size, 'm');
            transaction.files.push_back(message_file(root() / "spool", bytes, with_content));
            for (const auto& part : engine_->submit_and_wait(std::move(transaction)))
                EXPECT_TRUE(part.result) << text_of(part);
            EXPECT_EQ(bytes_at("accounts/1/mail/new/" + token), bytes);
            EXPECT_EQ(fs::hard_link_count(root() / "accounts/1/mail/new" / token),
                      size > kJournaledFileSize ? 3u : 2u);
        }
    }
    std::promise<void> synced;
    engine_->checkpoint([&](Result<void> done) {
        EXPECT_TRUE(done);
        synced.set_value();
    });
    synced.get_future().wait();
    EXPECT_TRUE(fs::is_empty(root() / "spool"));
}

TEST_F(CommitEngine, RefusedPartLeavesNothingBehind) {
    EXPECT_EQ(run_one(*engine_, "account/1", "refuse"), "error: refused");
    EXPECT_EQ(run_one(*engine_, "account/1", "spoil"), "error: spoiled");
    EXPECT_EQ(run_one(*engine_, "account/unknown", "add a"), "error: no such account");
    EXPECT_EQ(run_one(*engine_, "nobody", "add a"), "error: nobody owns nobody");
    EXPECT_EQ(run_one(*engine_, "account/1", "add a"), "1");
    EXPECT_EQ(toy_content(root(), "1").entries.size(), 1u);
}

TEST_F(CommitEngine, TogetherMeansAllOrNothing) {
    for (const char* bad : {"refuse", "spoil"}) {
        Transaction transaction;
        transaction.parts = {{"account/1", "add x", {}}, {"account/2", bad, {}}, {"queue", "add x", {}}};
        for (const auto& part : engine_->submit_and_wait(std::move(transaction))) EXPECT_FALSE(part.result);
    }
    EXPECT_TRUE(toy_content(root(), "1").entries.empty());
    EXPECT_TRUE(toy_content(root(), "2").entries.empty());
}

TEST_F(CommitEngine, EachAloneAndOtherwise) {
    for (const char* bad : {"refuse", "spoil"}) {
        const std::string token = std::string("t") + bad;
        Transaction transaction;
        transaction.atomicity = Atomicity::each_alone;
        transaction.parts = {{"account/1", "add " + token, {}},
                             {"account/2", bad, {}},
                             {"account/3", bad, {{"queue", "add " + token, {}}}},
                             {"account/4", bad, {{"queue", bad, {}}}}};
        const Outcome outcome = engine_->submit_and_wait(std::move(transaction));
        EXPECT_TRUE(outcome[0].result);
        EXPECT_FALSE(outcome[1].result);
        EXPECT_TRUE(outcome[2].result) << text_of(outcome[2]);
        EXPECT_TRUE(outcome[2].took_otherwise);
        EXPECT_FALSE(outcome[2].refusal.what.empty());
        EXPECT_FALSE(outcome[3].result);
    }
    EXPECT_EQ(toy_content(root(), "1").entries.size(), 2u);
    EXPECT_TRUE(toy_content(root(), "2").entries.empty());
}

TEST_F(CommitEngine, ManyAtOnceShareBatchesAndEachIsAnsweredOnce) {
    constexpr int kThreads = 8;
    constexpr int kEach = 100;
    std::atomic<int> good = 0;
    std::atomic<int> refused = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            std::vector<std::future<void>> waits;
            for (int i = 0; i < kEach; ++i) {
                auto promise = std::make_shared<std::promise<void>>();
                waits.push_back(promise->get_future());
                const std::string token = std::to_string(t) + "-" + std::to_string(i);
                const bool bad = i % 10 == 3;
                engine_->submit(one_part("account/" + std::to_string(i % 5),
                                         bad ? (i % 20 == 3 ? "spoil" : "refuse") : "add " + token),
                                [&, promise](Outcome outcome) {
                                    (outcome.at(0).result ? good : refused)++;
                                    promise->set_value();
                                });
            }
            for (auto& wait : waits) wait.wait();
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(good, kThreads * kEach * 9 / 10);
    EXPECT_EQ(refused, kThreads * kEach / 10);
    EXPECT_LT(engine_->status().batches, static_cast<std::uint64_t>(kThreads * kEach));
    std::size_t total = 0;
    for (int account = 0; account < 5; ++account) {
        const auto content = toy_content(root(), std::to_string(account));
        total += content.entries.size();
        ASSERT_FALSE(content.entries.empty());
        EXPECT_EQ(content.entries.rbegin()->first, content.entries.size());  // no gaps
    }
    EXPECT_EQ(total, static_cast<std::size_t>(good));
}

TEST_F(CommitEngine, StateSurvivesAStopAndAStart) {
    EXPECT_EQ(run_one(*engine_, "account/1", "add a"), "1");
    open(small_options(root()));
    EXPECT_EQ(report_.batches_found, 0u);
    EXPECT_TRUE(report_.was_clean);
    EXPECT_EQ(run_one(*engine_, "account/1", "add b"), "2");
}

TEST_F(CommitEngine, FileStepsFollowTheCommit) {
    Transaction transaction = one_part("account/1", "add m 0");
    transaction.files.push_back(message_file(root() / "spool", "hello"));
    ASSERT_TRUE(engine_->submit_and_wait(std::move(transaction))[0].result);
    EXPECT_EQ(run_one(*engine_, "account/1", "copy m n"), "copied");
    EXPECT_EQ(run_one(*engine_, "account/1", "move m cur"), "moved");
    EXPECT_FALSE(fs::exists(root() / "accounts/1/mail/new/m"));
    EXPECT_EQ(bytes_at("accounts/1/mail/cur/m"), "hello");
    EXPECT_EQ(bytes_at("accounts/1/mail/new/n"), "hello");
    EXPECT_EQ(run_one(*engine_, "account/1", "erase m"), "erased");
    EXPECT_FALSE(fs::exists(root() / "accounts/1/mail/cur/m"));
}

TEST_F(CommitEngine, ASmallMapGrowsByItself) {
    toys_.map_size = 64 * 1024;
    EXPECT_EQ(run_one(*engine_, "account/9", "fill 1000000"), "filled");
    EXPECT_EQ(run_one(*engine_, "account/9", "add a"), "1");
}

TEST_F(CommitEngine, JournalLargerThanAllSegmentsIsCheckpointedOnTheWay) {
    const std::string bytes(200'000, 'b');
    for (int i = 0; i < 200; ++i) {  // 40 MB through 16 MiB of journal
        Transaction transaction = one_part("account/1", "add m" + std::to_string(i) + " 0");
        transaction.files.push_back(message_file(root() / "spool", bytes));
        ASSERT_TRUE(engine_->submit_and_wait(std::move(transaction))[0].result) << i;
    }
    EXPECT_GT(engine_->status().checkpoints, 0u);
}

TEST_F(CommitEngine, BoundsAreKept) {
    Transaction parts;
    parts.parts.assign(4097, {"account/1", "add x", {}});
    EXPECT_FALSE(engine_->submit_and_wait(std::move(parts))[0].result);
    Transaction payload = one_part("account/1", "add " + std::string((4u << 20) + 1, 'x'));
    EXPECT_FALSE(engine_->submit_and_wait(std::move(payload))[0].result);
    Transaction wrong_size = one_part("account/1", "add m 0");
    wrong_size.files.push_back(message_file(root() / "spool", "hello"));
    wrong_size.files[0].size = 6;
    EXPECT_FALSE(engine_->submit_and_wait(std::move(wrong_size))[0].result);
    Transaction no_file = one_part("account/1", "add m 0");
    EXPECT_FALSE(engine_->submit_and_wait(std::move(no_file))[0].result);
    EXPECT_EQ(run_one(*engine_, "account/1", "add a"), "1");
}

TEST_F(CommitEngine, FewOpenEnvironmentsServeManyAccounts) {
    EngineOptions options = small_options(root());
    options.max_open_environments = 4;
    open(options);
    for (int round = 0; round < 3; ++round) {
        for (int account = 0; account < 20; ++account) {
            EXPECT_EQ(
                run_one(*engine_, "account/" + std::to_string(account), "add t" + std::to_string(round)),
                std::to_string(round + 1));
        }
    }
    std::promise<void> synced;
    engine_->checkpoint([&](Result<void>) { synced.set_value(); });
    synced.get_future().wait();
    // The engine counts after it has answered: with the second answer the first one is counted.
    run_one(*engine_, "account/100", "add x");
    run_one(*engine_, "account/100", "add y");
    EXPECT_LE(engine_->status().open_environments, 6u);
}

TEST_F(CommitEngine, DroppedEnvironmentIsForgottenAndMayComeAgain) {
    EXPECT_EQ(run_one(*engine_, "account/1", "add a"), "1");
    std::promise<void> dropped;
    engine_->drop("account/1", [&](Result<void> done) {
        EXPECT_TRUE(done);
        fs::remove_all(root() / "accounts/1");
        dropped.set_value();
    });
    dropped.get_future().wait();
    EXPECT_EQ(run_one(*engine_, "account/1", "add b"), "1");
}

TEST_F(CommitEngine, FullDiskRefusesMailButLetsSmallChangesPassAsLongAsTheReserveLasts) {
    ForgetfulFiles files(root(), folder_.path() / "durable", "boot");
    EngineOptions options = small_options(root());
    options.reserve_size = 12u << 20;
    options.reserved_space = 64u << 20;
    open(options, &files);
    const fs::path reserve = root() / "journal/reserve";
    EXPECT_EQ(fs::file_size(reserve), 12u << 20);
    Transaction first = one_part("account/1", "add m 0");
    first.files.push_back(message_file(root() / "spool", "hello"));
    ASSERT_TRUE(engine_->submit_and_wait(std::move(first))[0].result);
    files.space = 1000;
    Transaction mail = one_part("account/1", "add n 0");
    mail.files.push_back(message_file(root() / "spool", "hello"));
    const Outcome refused = engine_->submit_and_wait(std::move(mail));
    ASSERT_FALSE(refused[0].result);
    EXPECT_EQ(refused[0].result.error().retry, Retry::later_may_help);
    EXPECT_EQ(refused[0].result.error().fault, Fault::disk_full);
    EXPECT_FALSE(engine_->status().accepting);
    EXPECT_EQ(fs::file_size(reserve), 12u << 20);
    EXPECT_EQ(run_one(*engine_, "account/1", "erase m"), "erased");
    EXPECT_EQ(fs::file_size(reserve), 4u << 20);
    EXPECT_FALSE(engine_->status().accepting);
    files.space = 1000;
    EXPECT_EQ(run_one(*engine_, "account/1", "add w"), "1");
    EXPECT_EQ(fs::file_size(reserve), 0u);
    files.space = 1000;
    EXPECT_EQ(run_one(*engine_, "account/1", "add x").substr(0, 6), "error:");
    files.space = 0;
    EXPECT_EQ(run_one(*engine_, "account/1", "add x"), "2");
    EXPECT_TRUE(engine_->status().accepting);
    EXPECT_EQ(fs::file_size(reserve), 12u << 20);
    engine_.reset();
}

TEST_F(CommitEngine, UnwritableJournalUndoesTheBatchAndCommitsGoOnLater) {
    ForgetfulFiles files(root(), folder_.path() / "durable", "boot");
    open(small_options(root()), &files);
    EXPECT_EQ(run_one(*engine_, "account/1", "add a"), "1");
    files.before_call = [](std::uint64_t, const char* what) {
        return what == std::string("write_durably") ? EIO : 0;
    };
    for (int i = 0; i < 3; ++i) {
        const Outcome outcome = engine_->submit_and_wait(one_part("account/1", "add b"));
        ASSERT_FALSE(outcome[0].result);
        EXPECT_EQ(outcome[0].result.error().retry, Retry::later_may_help);
    }
    EXPECT_EQ(toy_content(root(), "1").entries.size(), 1u);
    files.before_call = nullptr;
    EXPECT_EQ(run_one(*engine_, "account/1", "add c"), "2");
    engine_.reset();
}

TEST_F(CommitEngine, AMessageThatCannotBeNamedIsRevoked) {
    ForgetfulFiles files(root(), folder_.path() / "durable", "boot");
    open(small_options(root()), &files);
    EXPECT_EQ(run_one(*engine_, "account/1", "add a"), "1");
    files.before_call = [](std::uint64_t, const char* what) {
        return what == std::string("link") ? ENOSPC : 0;
    };
    Transaction mail = one_part("account/1", "add m 0");
    mail.files.push_back(message_file(root() / "spool", "hello"));
    EXPECT_FALSE(engine_->submit_and_wait(std::move(mail))[0].result);
    files.before_call = nullptr;
    EXPECT_EQ(run_one(*engine_, "account/1", "add b"), "2");
    // A power cut now: the revoked batch must not come back.
    std::mt19937 random(3);
    files.cut_power(folder_.path() / "cut", random);
    engine_.reset();
    ForgetfulFiles after(folder_.path() / "cut", folder_.path() / "durable2", "another boot");
    open(small_options(folder_.path() / "cut"), &after);
    EXPECT_FALSE(report_.was_clean);
    EXPECT_EQ(toy_content(folder_.path() / "cut", "1").entries,
              (std::map<std::uint32_t, std::string>{{1, "a"}, {2, "b"}}));
    EXPECT_FALSE(fs::exists(folder_.path() / "cut/accounts/1/mail/new/m"));
    engine_.reset();
}

TEST_F(CommitEngine, AFailedSyncIsNotTrustedAgain) {
    const auto live = folder_.path() / "live";
    std::mt19937 random(4);
    ForgetfulFiles files(live, folder_.path() / "durable", "boot");
    open(small_options(live), &files);
    EXPECT_EQ(run_one(*engine_, "account/1", "add a"), "1");
    bool failed = false;
    files.before_call = [&](std::uint64_t, const char* what) {
        return what == std::string("sync_file_system") && !std::exchange(failed, true) ? EIO : 0;
    };
    std::promise<void> answered;
    engine_->checkpoint([&](Result<void> done) {
        EXPECT_FALSE(done);
        answered.set_value();
    });
    answered.get_future().wait();
    EXPECT_EQ(run_one(*engine_, "account/1", "add b"), "2");
    // Pages which the failed sync lost look clean to every later one; the mixture stands for that. The boot
    // stays the same.
    files.cut_power(folder_.path() / "cut", random);
    engine_.reset();
    ForgetfulFiles after(folder_.path() / "cut", folder_.path() / "durable2", "boot");
    open(small_options(folder_.path() / "cut"), &after);
    EXPECT_FALSE(report_.was_clean);
    EXPECT_EQ(toy_content(folder_.path() / "cut", "1").entries.size(), 2u);
    engine_.reset();
}

TEST_F(CommitEngine, RecoveryPassesOverDroppedAndDeletedAccounts) {
    const auto live = folder_.path() / "live";
    const auto cut = folder_.path() / "cut";
    std::mt19937 random(5);
    ForgetfulFiles files(live, folder_.path() / "durable", "boot");
    open(small_options(live), &files);
    for (const char* account : {"account/1", "account/2", "account/3"})
        EXPECT_EQ(run_one(*engine_, account, "add a"), "1");
    std::promise<void> dropped;
    engine_->drop("account/1", [&](Result<void> done) {
        EXPECT_TRUE(done);
        dropped.set_value();
    });
    dropped.get_future().wait();
    EXPECT_EQ(run_one(*engine_, "account/3", "add b"), "2");
    files.cut_power(cut, random);
    engine_.reset();
    fs::remove_all(cut / "accounts/1");
    toys_.gone.insert("2");
    ForgetfulFiles after(cut, folder_.path() / "durable2", "another boot");
    open(small_options(cut), &after);
    EXPECT_FALSE(fs::exists(cut / "accounts/1"));
    EXPECT_NE(log_.find("account/2 is passed over"), std::string::npos) << log_;
    EXPECT_EQ(toy_content(cut, "3").entries.size(), 2u);
    engine_.reset();
}

TEST_F(CommitEngine, ReadersWaitForTheRecoveryOfThisBoot) {
    EXPECT_TRUE(is_recovered(folder_.path() / "nothing-yet"));
    EXPECT_EQ(run_one(*engine_, "account/1", "add a"), "1");
    EXPECT_TRUE(is_recovered(root()));
    engine_.reset();
    EXPECT_TRUE(is_recovered(root()));
    {
        ForgetfulFiles files(root(), folder_.path() / "durable", "an earlier boot");
        open(small_options(root()), &files);
        EXPECT_EQ(run_one(*engine_, "account/1", "add b"), "2");
        fs::copy(root(), folder_.path() / "cut", fs::copy_options::recursive);  // as if it died here
        engine_.reset();
    }
    const fs::path cut = folder_.path() / "cut";
    EXPECT_FALSE(is_recovered(cut));
    const auto refused = open_for_reading(cut, cut / "accounts/1/index", {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::busy);
    open(small_options(cut));
    EXPECT_FALSE(report_.was_clean);
    EXPECT_TRUE(is_recovered(cut));
    EXPECT_TRUE(open_for_reading(cut, cut / "accounts/1/index", {}));
    EXPECT_EQ(toy_content(cut, "1").entries.size(), 2u);
}

}  // namespace
}  // namespace mailstead::commit
