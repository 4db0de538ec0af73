#include "imapd/commands/read_ahead.h"

#include <gtest/gtest.h>

#include "tests/unit/store/test_account.h"

namespace mailstead::imapd::commands {
namespace {

class ReadAheadWindow : public ::testing::Test {
protected:
    Window bring(std::uint32_t from, std::uint32_t to, std::uint64_t each) {
        return bring_in(account.reader().open(store::kAccount).value(), account.id_of("INBOX"),
                        store::UidSet({store::UidRange{from, to}}), each);
    }
    store::TestAccount account;
};

TEST_F(ReadAheadWindow, IsBoundedInMessages) {
    for (int n = 0; n < 100; ++n) account.deliver(store::make_message("n" + std::to_string(n)));
    const Window first = bring(1, 100, 1'000'000);
    EXPECT_EQ(first.files, kWindowMessages);
    EXPECT_EQ(first.until, kWindowMessages);
    const Window rest = bring(first.until + 1, 100, 1'000'000);
    EXPECT_EQ(rest.files, 100 - kWindowMessages);
    EXPECT_EQ(rest.until, 100u);
}

TEST_F(ReadAheadWindow, IsBoundedInBytesAndMovesOn) {
    const std::string large = store::make_message("large", "", std::string(1'500'000, 'x') + "\r\n");
    for (int n = 0; n < 5; ++n) account.deliver(large);
    const Window whole = bring(1, 5, 10'000'000);
    EXPECT_EQ(whole.files, 3u);
    EXPECT_EQ(whole.until, 3u);
    EXPECT_LT(whole.bytes, kWindowBytes + large.size());
    // Only the headers are wanted.
    const Window headers = bring(1, 5, 1000);
    EXPECT_EQ(headers.files, 5u);
    EXPECT_EQ(headers.bytes, 5000u);
}

TEST_F(ReadAheadWindow, OfMessagesThatAreGoneIsBehindThem) {
    account.deliver(store::make_message("one"));
    const Window window = bring(500, 501, 1000);
    EXPECT_EQ(window.files, 0u);
    EXPECT_EQ(window.until, 501u);
}

}  // namespace
}  // namespace mailstead::imapd::commands
