#include "common/fulltext/account_indexer.h"

#include <gtest/gtest.h>

#include "common/mime/charset.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::fulltext {
namespace {

using store::kAccount;
using store::make_message;

class Indexing : public ::testing::Test {
protected:
    std::filesystem::path directory() const { return index_directory(account.root(), kAccount); }

    AccountIndexer indexer(IndexerOptions options = {}) {
        return AccountIndexer(account.root(), account.reader(), kAccount, options);
    }
    void index_all(IndexerOptions options = {}) {
        AccountIndexer worker = indexer(options);
        for (int n = 0; n < 10'000; ++n) {
            if (worker.step().value() == AccountIndexer::Progress::nothing_left) return;
        }
        FAIL() << "it never ends";
    }
    void deliver(int count, std::string_view body) {
        for (int n = 0; n < count; ++n) account.deliver(make_message("one", "", std::string(body) + "\r\n"));
    }
    std::optional<Answer> ask(std::string_view pattern) {
        const auto identity = identity_of(account.snapshot()).value();
        auto reader = TextIndexReader::open(directory(), identity);
        if (!reader) return std::nullopt;
        return reader->find(mime::fold_for_search(pattern), Scope::whole).value();
    }
    std::uint64_t documents() {
        return TextIndexWriter::open(directory(), identity_of(account.snapshot()).value())
            .value()
            .documents();
    }

    store::TestAccount account;
};

TEST_F(Indexing, FollowsDeliveries) {
    account.must<store::Done>(store::CreateAccount());
    index_all();
    EXPECT_FALSE(ask("one")) << "an account without messages has no index";
    deliver(3, "alpha");
    index_all();
    EXPECT_EQ(ask("lph")->certain.count(), 3u);
    EXPECT_EQ(ask("lph")->high, 3u);
    deliver(2, "beta");
    EXPECT_EQ(indexer().behind().value(), 2u);
    index_all();
    EXPECT_EQ(indexer().behind().value(), 0u);
    EXPECT_EQ(ask("lph")->certain.count(), 3u);
    EXPECT_EQ(ask("beta")->certain.count(), 2u);
}

TEST_F(Indexing, GoesInStepsOfAnySize) {
    deliver(25, "alpha");
    index_all({.messages_per_step = 2, .octets_per_step = 1'000'000, .pending = 10, .listed = 7});
    EXPECT_EQ(ask("alpha")->certain.count(), 25u);
    EXPECT_EQ(ask("alpha")->high, 25u);
}

// The process dies between two commits: what the index says of itself stays true, and it goes on from there.
TEST_F(Indexing, GoesOnAfterACrash) {
    deliver(10, "alpha");
    const IndexerOptions options{.messages_per_step = 3, .octets_per_step = 1'000'000, .pending = 1'000'000};
    {
        AccountIndexer worker = indexer(options);
        ASSERT_TRUE(worker.step());
        ASSERT_TRUE(worker.commit());
        ASSERT_TRUE(worker.step());
    }
    EXPECT_EQ(ask("alpha")->high, 3u);
    EXPECT_EQ(ask("alpha")->certain.count(), 3u);
    index_all(options);
    EXPECT_EQ(ask("alpha")->high, 10u);
    EXPECT_EQ(ask("alpha")->certain.count(), 10u);
}

TEST_F(Indexing, CopiesAndMovesAreTheSameMessage) {
    deliver(4, "alpha");
    const auto inbox = account.id_of("INBOX");
    store::Copy copy{inbox, store::UidSet::of({1, 2}), {store::name("Archive")}, false};
    account.must<store::Copied>(copy);
    copy.uids = store::UidSet::of({3});
    copy.move = true;
    account.must<store::Copied>(copy);
    index_all();
    EXPECT_EQ(ask("alpha")->certain.count(), 4u);
    EXPECT_EQ(documents(), 4u);
}

// Between the list of what is to be done and the message itself.
TEST_F(Indexing, FindsAMessageThatMovedMeanwhile) {
    deliver(6, "alpha");
    AccountIndexer worker = indexer({.messages_per_step = 2});
    ASSERT_TRUE(worker.step());
    store::Copy move{account.id_of("INBOX"), store::UidSet::of({3, 5}), {store::name("Archive")}, true};
    account.must<store::Copied>(move);
    account.follow();
    account.must<store::Expunged>(store::Expunge{account.id_of("INBOX"), store::UidSet::of({4}), false});
    account.follow();
    while (worker.step().value() == AccountIndexer::Progress::more_to_do) continue;
    const auto answer = ask("alpha");
    EXPECT_EQ(answer->high, 6u);
    EXPECT_EQ(answer->certain.count(), 5u);
    EXPECT_FALSE(answer->possible.contains(4));
}

TEST_F(Indexing, TakesOutWhatWasExpunged) {
    deliver(5, "alpha");
    index_all();
    account.must<store::Expunged>(store::Expunge{account.id_of("INBOX"), store::UidSet::of({2, 3}), false});
    account.follow();
    index_all();
    EXPECT_EQ(documents(), 3u);
    EXPECT_EQ(ask("alpha")->certain.count(), 3u);
    EXPECT_FALSE(ask("alpha")->possible.contains(2));
}

TEST_F(Indexing, MakesALostIndexAgain) {
    deliver(5, "alpha");
    index_all();
    std::filesystem::remove_all(directory());
    EXPECT_FALSE(ask("alpha"));
    index_all();
    EXPECT_EQ(ask("alpha")->certain.count(), 5u);
}

// The account came back from a copy that is older than its index: ids will be given to other messages.
TEST_F(Indexing, BeginsAnewWhenItKnowsMessagesThatNeverWere) {
    deliver(2, "alpha");
    {
        auto index = TextIndexWriter::open(directory(), identity_of(account.snapshot()).value()).value();
        MessageWords words;
        words.add_text("stranger", true);
        ASSERT_TRUE(index.add(3, words));
        ASSERT_TRUE(index.commit(3));
    }
    index_all();
    deliver(1, "gamma");
    index_all();
    EXPECT_EQ(ask("stranger")->possible.count(), 0u);
    EXPECT_TRUE(ask("gamma")->certain.contains(3));
    EXPECT_EQ(ask("alpha")->certain.count(), 2u);
}

TEST_F(Indexing, AMissingFileIsLeftToTheSearch) {
    deliver(2, "alpha");
    std::filesystem::remove(account.mail() / account.files().front());
    index_all();
    EXPECT_EQ(ask("alpha")->certain.count(), 1u);
    EXPECT_EQ(ask("alpha")->possible.count(), 2u);
}

}  // namespace
}  // namespace mailstead::fulltext
