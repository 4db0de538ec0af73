// When deliver brings the full-text indexes of accounts after their mailboxes.
#include "deliver/local/text_indexer.h"

#include <gtest/gtest.h>

#include "common/fulltext/account_indexer.h"
#include "common/mime/charset.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;
using store::kAccount;

class FulltextPace : public testing::Test {
protected:
    void deliver(int count) {
        for (int n = 0; n < count; ++n) account_.deliver(store::make_message("one", "", "alpha\r\n"));
    }
    // How many messages the index knows.
    std::uint64_t indexed() {
        const auto identity = fulltext::identity_of(account_.snapshot()).value();
        const auto index =
            fulltext::TextIndexReader::open(fulltext::index_directory(account_.root(), kAccount), identity);
        if (!index) return 0;
        return index->find(mime::fold_for_search("alpha"), fulltext::Scope::whole).value()->certain.count();
    }
    void await(std::uint64_t messages) {
        const auto end = std::chrono::steady_clock::now() + 60s;
        while (indexed() < messages && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        ASSERT_EQ(indexed(), messages);
    }

    store::TestAccount account_;
};

TEST_F(FulltextPace, MessagesFromBeforeTheStartAreIndexed) {
    deliver(3);
    TextIndexer indexer(account_.root(), account_.reader(),
                        {.settle = 1ms, .at_start = 1ms, .longest = 1h, .enough = 3});
    indexer.start();
    await(3);
}

TEST_F(FulltextPace, EnoughMessagesAreIndexedOnceTheAccountIsQuiet) {
    TextIndexer indexer(account_.root(), account_.reader(),
                        {.settle = 1ms, .at_start = 1h, .longest = 1h, .enough = 3});
    indexer.start();
    deliver(3);
    indexer.changed(kAccount);
    await(3);
}

TEST_F(FulltextPace, AFewWaitForCompanyButNotForEver) {
    TextIndexer indexer(account_.root(), account_.reader(),
                        {.settle = 1ms, .at_start = 1h, .longest = 20ms, .enough = 1'000});
    indexer.start();
    deliver(2);
    indexer.changed(kAccount);
    await(2);
}

// An account that is never quiet.
TEST_F(FulltextPace, AnAccountThatKeepsChangingHasItsTurnInTheEnd) {
    TextIndexer indexer(account_.root(), account_.reader(),
                        {.settle = 1h, .at_start = 1h, .longest = 20ms, .enough = 1'000});
    indexer.start();
    deliver(2);
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (indexed() < 2 && std::chrono::steady_clock::now() < end) indexer.changed(kAccount);
    EXPECT_EQ(indexed(), 2u);
}

}  // namespace
}  // namespace mailstead::deliver
