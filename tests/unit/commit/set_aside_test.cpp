// Damage stays where it is: one environment that cannot be opened, restored or written, and all others with
// their mail.
#include <csignal>
#include <future>
#include <sys/resource.h>

#include "tests/unit/commit/engine_fixture.h"

namespace mailstead::commit {
namespace {

using namespace testing;
using mailstead::testing::TemporaryFolder;
using Entries = std::map<std::uint32_t, std::string>;

class CommitSetAside : public ::testing::Test {
protected:
    void open(const fs::path& at, FileLayer* files = nullptr) {
        const auto started = try_open(at, files);
        ASSERT_TRUE(started) << started.error().what;
        report_ = *started;
    }
    Result<RecoveryReport> try_open(const fs::path& at, FileLayer* files = nullptr) {
        engine_.reset();
        EngineOptions options = small_options(at);
        options.log = [this](std::string_view line) { log_ += std::string(line) + "\n"; };
        options.on_set_aside = [this](const SetAside& aside) { told_.push_back(aside.environment); };
        engine_ = std::make_unique<Engine>(std::move(options), files);
        engine_->add("account", toys_);
        engine_->add("ledger", ledger_);
        return engine_->start();
    }
    // What a kill -9 leaves, at another place.
    fs::path left_by_a_kill() {
        fs::path copy = folder_.path() / ("killed" + std::to_string(++copies_));
        fs::copy(root(), copy, fs::copy_options::recursive);
        return copy;
    }
    void deliver(const std::string& environment, const std::string& token) {
        Transaction transaction = one_part(environment, "add " + token + " 0");
        transaction.files.push_back(message_file(root() / "spool", "text of " + token));
        const auto outcome = engine_->submit_and_wait(std::move(transaction));
        EXPECT_TRUE(outcome[0].result) << text_of(outcome[0]);
    }
    Result<void> readmit(const std::string& environment) {
        std::promise<Result<void>> done;
        engine_->readmit(environment, [&](Result<void> result) { done.set_value(std::move(result)); });
        return done.get_future().get();
    }
    fs::path root() const { return folder_.path() / "data"; }

    TemporaryFolder folder_;
    ToyParticipant toys_;
    ToyParticipant ledger_;
    std::string log_;
    std::vector<std::string> told_;
    std::unique_ptr<Engine> engine_;
    RecoveryReport report_;
    int copies_ = 0;
};

void spoil(const fs::path& file, const std::string& how) {
    const std::string bytes = read_file(file);
    if (how == "truncated") write_file(file, bytes.substr(0, bytes.size() / 2));
    if (how == "zeroed") write_file(file, std::string(bytes.size(), '\0'));
    if (how == "emptied") write_file(file, "");
    if (how == "overwritten") write_file(file, std::string(bytes.size(), 'x'));
    if (how == "removed") fs::remove(file);
}

TEST_F(CommitSetAside, ADamagedIndexIsSetAsideByRecoveryAndTheOthersGoOn) {
    for (const char* how : {"truncated", "zeroed", "emptied", "overwritten", "removed"}) {
        fs::remove_all(root());
        open(root());
        for (int i = 0; i < 40; ++i) {
            deliver("account/1", "a" + std::to_string(i));
            deliver("account/2", "b" + std::to_string(i));
        }
        std::promise<void> synced;
        engine_->checkpoint([&](Result<void>) { synced.set_value(); });
        synced.get_future().wait();
        deliver("account/1", "late");
        deliver("account/2", "late");
        const fs::path killed = left_by_a_kill();
        spoil(killed / "accounts/1/index/data.mdb", how);
        fs::remove(killed / "accounts/1/mail/new/late");
        told_.clear();
        open(killed);
        EXPECT_EQ(report_.set_aside, std::vector<std::string>{"account/1"}) << how;
        EXPECT_EQ(told_, std::vector<std::string>{"account/1"}) << how;
        EXPECT_EQ(toy_content(killed, "2").entries.size(), 41u) << how;
        EXPECT_EQ(run_one(*engine_, "account/2", "add more"), "42") << how;
        const Outcome refused = engine_->submit_and_wait(one_part("account/1", "add more"));
        ASSERT_FALSE(refused[0].result) << how;
        EXPECT_EQ(refused[0].result.error().fault, Fault::set_aside);
        EXPECT_EQ(refused[0].result.error().retry, Retry::later_may_help);
        EXPECT_EQ(read_file(killed / "accounts/1/mail/new/late"), "text of late") << how;

        // It stays so, and what was owed to it is not forgotten: a rebuilt index gets it.
        open(killed);
        EXPECT_TRUE(report_.was_clean) << how;
        EXPECT_EQ(report_.set_aside, std::vector<std::string>{"account/1"}) << how;
        fs::remove_all(killed / "accounts/1/index");
        fs::remove(killed / "accounts/1/mail/new/late");
        const auto back = readmit("account/1");
        ASSERT_TRUE(back) << back.error().what;
        EXPECT_EQ(toy_content(killed, "1").entries, (Entries{{1, "late"}})) << how;
        EXPECT_EQ(read_file(killed / "accounts/1/mail/new/late"), "text of late") << how;
        EXPECT_EQ(run_one(*engine_, "account/1", "add more"), "2") << how;
        EXPECT_TRUE(engine_->set_aside().empty());
        engine_.reset();
    }
}

TEST_F(CommitSetAside, AMessageThatTheRebuiltIndexHasAlreadyIsNotAppliedAgain) {
    open(root());
    deliver("account/1", "old");
    open(root());
    deliver("account/1", "first");
    deliver("account/1", "moved");
    EXPECT_EQ(run_one(*engine_, "account/1", "move moved cur"), "moved");
    const fs::path killed = left_by_a_kill();
    spoil(killed / "accounts/1/index/data.mdb", "overwritten");
    open(killed);
    fs::remove_all(killed / "accounts/1/index");
    ASSERT_TRUE(readmit("account/1"));
    EXPECT_TRUE(toy_content(killed, "1").entries.empty());  // the rebuild's business
    EXPECT_TRUE(fs::exists(killed / "accounts/1/mail/new/first"));
    EXPECT_TRUE(fs::exists(killed / "accounts/1/mail/cur/moved"));
    EXPECT_NE(log_.find("no such token"), std::string::npos) << log_;
    engine_.reset();
}

TEST_F(CommitSetAside, AnIndexFoundDamagedAtWorkStopsNobody) {
    open(root());
    deliver("account/1", "a");
    deliver("account/2", "b");
    open(root());
    spoil(root() / "accounts/1/index/data.mdb", "overwritten");
    EXPECT_EQ(run_one(*engine_, "account/1", "add b").substr(0, 6), "error:");
    EXPECT_EQ(run_one(*engine_, "account/2", "add c"), "2");
    EXPECT_EQ(told_, std::vector<std::string>{"account/1"});
    EXPECT_EQ(engine_->status().set_aside, 1u);
    std::promise<Result<void>> synced;
    engine_->checkpoint([&](Result<void> done) { synced.set_value(std::move(done)); });
    EXPECT_TRUE(synced.get_future().get());
}

TEST_F(CommitSetAside, SomebodysWordTakesAnEnvironmentOutAndItsReadmissionBringsItBackWhole) {
    open(root());
    deliver("account/1", "a");
    std::promise<Result<void>> out;
    engine_->set_aside("account/1", transient_error("it killed deliver twice"),
                       [&](Result<void> done) { out.set_value(std::move(done)); });
    ASSERT_TRUE(out.get_future().get());
    EXPECT_EQ(run_one(*engine_, "account/1", "add b").substr(0, 6), "error:");
    ASSERT_EQ(engine_->set_aside().size(), 1u);
    EXPECT_EQ(engine_->set_aside()[0].why.what, "it killed deliver twice");
    const fs::path killed = left_by_a_kill();
    open(killed);
    ASSERT_TRUE(readmit("account/1"));
    EXPECT_EQ(run_one(*engine_, "account/1", "add b"), "2");
    engine_.reset();
}

TEST_F(CommitSetAside, WhatMayBeLostBeginsAnewAndRefusesNobodysMail) {
    ledger_.when_damaged = OnDamage::begin_anew;
    open(root());
    EXPECT_EQ(run_one(*engine_, "ledger/1", "add a"), "1");
    open(root());
    spoil(root() / "accounts/1/index/data.mdb", "overwritten");
    run_one(*engine_, "ledger/1", "add b");
    EXPECT_EQ(run_one(*engine_, "ledger/1", "add c"), "1");
    EXPECT_TRUE(engine_->set_aside().empty());
    EXPECT_NE(log_.find("begins anew"), std::string::npos) << log_;
    open(root());
    EXPECT_EQ(run_one(*engine_, "ledger/1", "add d"), "2");
    const fs::path killed = left_by_a_kill();
    spoil(killed / "accounts/1/index/data.mdb", "overwritten");
    open(killed);
    EXPECT_TRUE(report_.set_aside.empty());
    EXPECT_EQ(run_one(*engine_, "ledger/1", "add e"), "1");
    engine_.reset();
}

TEST_F(CommitSetAside, AnIndexThatCannotCommitComesBackByItselfWithTheChange) {
    open(root());
    EXPECT_EQ(run_one(*engine_, "account/1", "add a"), "1");
    EXPECT_EQ(run_one(*engine_, "account/2", "add a"), "1");
    // No file may grow beyond this: the journal is preallocated (and smaller), the index has to grow.
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    ::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit tight { 5u << 20, before.rlim_max };
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
    int filled = 0;
    for (int i = 0; i < 20 && told_.empty(); ++i) {
        const auto text = run_one(*engine_, "account/1", "fill " + std::to_string(3'500'000 + i));
        filled += text == "filled" ? 1 : 0;
    }
    EXPECT_GT(filled, 0);
    EXPECT_EQ(told_, std::vector<std::string>{"account/1"});
    EXPECT_EQ(run_one(*engine_, "account/2", "add b"), "2");
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    const fs::path killed = left_by_a_kill();
    ASSERT_TRUE(readmit("account/1"));
    EXPECT_EQ(run_one(*engine_, "account/1", "add b"), "2");
    EXPECT_EQ(toy_content(root(), "1").entries.size(), 3u);  // a, b and the filling
    // The same after a kill while it was out: the start brings it back.
    open(killed);
    EXPECT_TRUE(engine_->set_aside().empty());
    EXPECT_EQ(toy_content(killed, "1").entries.size(), 2u);
    EXPECT_EQ(run_one(*engine_, "account/1", "add b"), "2");
    engine_.reset();
}

TEST_F(CommitSetAside, DamageInTheMiddleOfTheJournalStopsTheStartUntilTheOperatorAcceptsIt) {
    open(root());
    for (int i = 0; i < 6; ++i) deliver("account/1", "a" + std::to_string(i));
    const fs::path killed = left_by_a_kill();
    const fs::path segment = killed / "journal/segment-0";
    std::string bytes = read_file(segment);
    const std::size_t at = bytes.find("text of a3");
    ASSERT_NE(at, std::string::npos);
    bytes[at] ^= 1;
    write_file(segment, bytes);
    const auto refused = try_open(killed);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::damaged);
    for (const char* word : {"segment-0", "offset", "account/1", "verify --repair"})
        EXPECT_NE(refused.error().what.find(word), std::string::npos) << refused.error().what;
    engine_.reset();
    EXPECT_EQ(read_file(segment), bytes);
    const auto state = inspect_journal(killed);
    ASSERT_TRUE(state);
    ASSERT_EQ(state->damage.size(), 1u);
    EXPECT_EQ(state->environments, std::vector<std::string>{"account/1"});
    ASSERT_TRUE(accept_damage(killed, *state));
    open(killed);
    std::set<std::string> tokens;
    for (const auto& [number, token] : toy_content(killed, "1").entries) tokens.insert(token);
    EXPECT_EQ(tokens, (std::set<std::string>{"a0", "a1", "a2", "a4", "a5"}));
    std::size_t kept = 0;
    for (const auto& entry : fs::recursive_directory_iterator(killed / "journal"))
        kept += entry.path().filename() == "segment-0" && read_file(entry.path()) == bytes ? 1 : 0;
    EXPECT_GE(kept, 1u);
    open(killed);
    EXPECT_TRUE(report_.was_clean);
    engine_.reset();
}

TEST_F(CommitSetAside, WithoutAControlBlockAFolderWithAccountsIsNoNewInstallation) {
    open(root());
    deliver("account/1", "a");
    const fs::path killed = left_by_a_kill();
    fs::remove_all(killed / "journal");
    const auto refused = try_open(killed);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("control is missing"), std::string::npos) << refused.error().what;
    engine_.reset();
    const auto state = inspect_journal(killed);
    ASSERT_TRUE(state);
    ASSERT_EQ(state->damage.size(), 1u);
    ASSERT_TRUE(accept_damage(killed, *state));
    open(killed);
    EXPECT_EQ(toy_content(killed, "1").entries.size(), 1u);
    engine_.reset();
}

// A second file system below accounts/, and one that cannot be relied on.
class TwoFileSystems : public FileLayer {
public:
    int device_of(const fs::path& path, std::uint64_t& device) override {
        const int rc = FileLayer::device_of(path, device);
        if (path.string().find("accounts") != std::string::npos) device += 1000;
        return rc;
    }
    int kind_of_file_system(int fd, std::int64_t& kind) override {
        const int rc = FileLayer::kind_of_file_system(fd, kind);
        if (is_network && place_of(fd).find("accounts") != std::string::npos) kind = 0x6969;
        return rc;
    }
    int sync_file_system(int fd) override {
        synced.insert(place_of(fd));
        return 0;
    }
    static std::string place_of(int fd) { return fs::read_symlink("/proc/self/fd/" + std::to_string(fd)); }

    bool is_network = false;
    std::set<std::string> synced;
};

TEST_F(CommitSetAside, EveryFileSystemIsSyncedAndOneThatCannotBeIsRefused) {
    TwoFileSystems files;
    fs::create_directories(root() / "accounts");
    open(root(), &files);
    deliver("account/1", "a");
    engine_.reset();
    EXPECT_EQ(files.synced.size(), 2u);
    EXPECT_TRUE(files.synced.contains(root().string()));
    files.is_network = true;
    const auto refused = try_open(root(), &files);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("nfs"), std::string::npos) << refused.error().what;
    engine_.reset();
}

}  // namespace
}  // namespace mailstead::commit
