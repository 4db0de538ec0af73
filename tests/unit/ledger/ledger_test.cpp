// The ledger through the commit engine that writes it, and the reader that the admin CLI uses.
#include "common/ledger/ledger.h"

#include <optional>

#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "tests/unit/kv/temporary_folder.h"

namespace mailstead::ledger {
namespace {

using mailstead::testing::TemporaryFolder;
using Lines = std::vector<ipc::LedgerLine>;

constexpr Time kStart{Milliseconds(1'700'000'000'000)};

ipc::LedgerLine line(std::string_view id, std::string_view stage, Time time = kStart) {
    ipc::LedgerLine made;
    made.trace_id = id;
    made.time = time;
    made.stage = stage;
    return made;
}

class Ledger : public ::testing::Test {
protected:
    void open(Limits limits) {
        engine_.reset();
        participant_.emplace(limits);
        commit::EngineOptions options;
        options.root = root();
        options.segment_size = 4u << 20;
        options.reserved_space = 0;
        engine_.emplace(options);
        engine_->add("ledger", *participant_);
        ASSERT_TRUE(engine_->start());
    }
    void SetUp() override {
        for (const char* folder : {"ledger", "journal", "spool"})
            std::filesystem::create_directories(root() / folder);
        open({});
    }

    std::optional<Error> submit(commit::Part part) {
        commit::Transaction transaction;
        transaction.parts.push_back(std::move(part));
        const commit::Outcome outcome = engine_->submit_and_wait(std::move(transaction));
        return outcome.at(0).result ? std::nullopt : std::optional(outcome.at(0).result.error());
    }
    void write(const Lines& lines) { ASSERT_FALSE(submit(part(lines))); }

    Reader reader() const { return Reader::open(root()).value(); }
    // The stages of one message, as `accepted filed`.
    std::string stages(std::string_view id) const {
        std::string text;
        for (const auto& found : reader().find(id).value()) text += (text.empty() ? "" : " ") + found.stage;
        return text;
    }
    // All ids, from the newest back.
    std::string ids(std::size_t at_most = 1'000'000) const {
        std::string text;
        std::size_t count = 0;
        EXPECT_TRUE(reader().newest_first([&](const ipc::LedgerLine& each) {
            text += (text.empty() ? "" : " ") + each.trace_id;
            return ++count < at_most;
        }));
        return text;
    }
    std::size_t index_size() const {
        const auto env = kv::Env::open(root() / "ledger", kv::EnvOptions{}).value();
        const auto by_id = env->open_database("by-id").value();
        return static_cast<std::size_t>(env->read().value().count(by_id).value());
    }
    std::filesystem::path root() const { return folder_.path() / "data"; }

    TemporaryFolder folder_;
    std::optional<LedgerParticipant> participant_;
    std::optional<commit::Engine> engine_;
};

TEST_F(Ledger, GivesBackEveryFieldInTheOrderOfWriting) {
    ipc::LedgerLine first = line("k3v9", "accepted");
    first.fields = {{"from", "<you@example.org>"}, {"helo", ""}, {"from", "twice"}};
    write({first, line("k3v9", "queued", kStart + Seconds(1))});
    write({line("k3v9", "sent", kStart + Seconds(2))});

    const auto found = reader().find("k3v9");
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 3u);
    EXPECT_EQ(found->at(0).time, kStart);
    EXPECT_EQ(found->at(0).fields, first.fields);
    EXPECT_EQ(found->at(1).time, kStart + Seconds(1));
    EXPECT_EQ(stages("k3v9"), "accepted queued sent");
}

TEST_F(Ledger, KeepsMessagesApartWhoseIdsBeginAlike) {
    write({line("a", "one"), line("ab", "two"), line("a", "three"), line("b", "four")});
    EXPECT_EQ(stages("a"), "one three");
    EXPECT_EQ(stages("ab"), "two");
    EXPECT_EQ(stages("abc"), "");
    EXPECT_EQ(stages(""), "");
}

TEST_F(Ledger, FindsAnIdOfAnyLengthByAllOfIt) {
    const std::string longest(64, 'x');
    write({line(longest, "one")});
    EXPECT_EQ(stages(longest), "one");
    EXPECT_EQ(stages(longest.substr(1)), "");
}

TEST_F(Ledger, WalksBackwardsAsFarAsTheVisitorWants) {
    write({line("a", "x"), line("b", "x")});
    write({line("c", "x")});
    EXPECT_EQ(ids(), "c b a");
    EXPECT_EQ(ids(2), "c b");
}

TEST_F(Ledger, KeepsTheOrderAcrossAStop) {
    write({line("a", "first")});
    open({});
    write({line("a", "second")});
    EXPECT_EQ(stages("a"), "first second");
}

TEST_F(Ledger, OldLinesGoWhenNewOnesCome) {
    open({.age = std::chrono::hours(1), .lines = 1'000});
    write({line("old", "x"), line("young", "x", kStart + std::chrono::minutes(1))});
    write({line("now", "x", kStart + std::chrono::hours(1))});
    EXPECT_EQ(ids(), "now young old") << "an hour old is not over an hour old";
    write({line("later", "x", kStart + std::chrono::hours(1) + Milliseconds(1))});
    EXPECT_EQ(ids(), "later now young");
    EXPECT_EQ(stages("old"), "");
    EXPECT_EQ(index_size(), 3u);
}

TEST_F(Ledger, HoldsNoMoreLinesThanItsBound) {
    open({.age = std::chrono::days(60), .lines = 4});
    for (const char* id : {"a", "b", "c", "d"}) write({line(id, "x")});
    EXPECT_EQ(ids(), "d c b a");
    write({line("e", "x"), line("f", "x")});
    EXPECT_EQ(ids(), "f e d c");
    EXPECT_EQ(index_size(), 4u);
}

TEST_F(Ledger, ComesDownToALoweredBoundStepByStep) {
    Lines many;
    for (int i = 0; i < 20; ++i) many.push_back(line(std::to_string(i), "x"));
    write(many);
    open({.age = std::chrono::days(60), .lines = 5});
    write({line("a", "x")});
    EXPECT_EQ(index_size(), 18u) << "one came, three went: no commit pauses for a clean-up";
    for (int i = 0; i < 10; ++i) write({line("b", "x")});
    EXPECT_EQ(index_size(), 5u);
    EXPECT_EQ(ids(), "b b b b b");
}

TEST_F(Ledger, RefusesWhatIsNoLineAndKeepsNothingOfIt) {
    ByteWriter out;
    out.varint(2);
    out.string(line("good", "x").encode());
    out.string("garbage");
    const auto refused = submit(commit::Part{std::string(kEnvironment), out.take(), {}});
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->retry, Retry::is_useless);
    EXPECT_EQ(ids(), "");
    EXPECT_EQ(index_size(), 0u);
}

TEST_F(Ledger, AnEmptyPartMakesTheLedgerAndNothingElse) {
    write({});
    EXPECT_EQ(ids(), "");
}

}  // namespace
}  // namespace mailstead::ledger
