// What NOTIFY watches, without a client.
#include "imapd/session/watch.h"

#include <gtest/gtest.h>

#include "imapd/proto/command.h"
#include "tests/unit/store/test_account.h"

namespace mailstead::imapd {
namespace {

proto::Notify parsed(const std::string& command) {
    auto result = proto::parse_command("a NOTIFY " + command, {});
    EXPECT_TRUE(result) << command;
    return std::get<proto::Notify>(result->arguments);
}

class ImapWatch : public testing::Test {
protected:
    ImapWatch() { account.must<store::Done>(store::CreateAccount()); }

    bool begin(Watch& watch) {
        const store::Snapshot now = account.snapshot();
        const auto begun = watch.begin(OwnView(now));
        return begun && *begun;
    }
    std::string tell(Watch& watch) {
        std::string out;
        const WatchContext context{enabled, capabilities, std::nullopt};
        const store::Snapshot now = account.snapshot();
        const auto told = watch.tell(OwnView(now), context, out);
        EXPECT_TRUE(told && *told);
        return out;
    }
    store::TestAccount account;
    Enabled enabled;
    Capabilities capabilities;
};

TEST_F(ImapWatch, LooksAtTheMailboxesThatChangedAndNoOthers) {
    Watch watch(parsed("SET (personal (MessageNew MessageExpunge))"), 100);
    ASSERT_TRUE(begin(watch));
    account.deliver(store::make_message("one"), "Sent");
    account.deliver(store::make_message("two"), "Junk");
    const MailboxId sent = account.id_of("Sent");
    watch.mark(std::span<const MailboxId>(&sent, 1));
    EXPECT_TRUE(tell(watch).starts_with("* STATUS \"Sent\" (MESSAGES 1 UIDNEXT 2 "));
    EXPECT_FALSE(watch.is_marked());
    watch.mark({});
    EXPECT_TRUE(tell(watch).starts_with("* STATUS \"Junk\" (MESSAGES 1 UIDNEXT 2 "));
    EXPECT_EQ(tell(watch), "");
}

TEST_F(ImapWatch, ManyChangedMailboxesMeanLookingEverywhere) {
    Watch watch(parsed("SET (personal (MessageNew MessageExpunge))"), 1'000);
    ASSERT_TRUE(begin(watch));
    account.deliver(store::make_message("one"), "Sent");
    for (std::uint32_t id = 1'000; id < 1'100; ++id) {
        const MailboxId mailbox(id);
        watch.mark(std::span<const MailboxId>(&mailbox, 1));
    }
    EXPECT_NE(tell(watch).find("\"Sent\""), std::string::npos);
}

TEST_F(ImapWatch, NamesOfMailboxesMatchAsTheFilterSays) {
    for (const char* const name : {"a", "a/b", "a/b/c", "ab"}) {
        store::CreateMailbox create;
        create.name = store::name(name);
        account.must<store::MailboxMade>(create);
    }
    Watch watch(parsed("SET (subtree a/b (MessageNew MessageExpunge)) (mailboxes ab (MessageNew "
                       "MessageExpunge))"),
                100);
    ASSERT_TRUE(begin(watch));
    std::string told;
    for (const char* const name : {"a", "a/b", "a/b/c", "ab"}) {
        account.deliver(store::make_message("x"), name);
        watch.mark({});
        const std::string line = tell(watch);
        told += line.empty() ? "-" : "+";
    }
    EXPECT_EQ(told, "-+++");
}

TEST_F(ImapWatch, TheSelectedMailboxHasItsOwnFilter_Rfc5465_3_1) {
    Watch watch(parsed("SET (selected NONE) (personal (MessageNew MessageExpunge))"), 100);
    ASSERT_TRUE(begin(watch));
    EXPECT_TRUE(watch.selected_events().empty());
    account.deliver(store::make_message("one"));
    watch.mark({});
    std::string out;
    const WatchContext context{enabled, capabilities, account.id_of("INBOX")};
    const store::Snapshot now = account.snapshot();
    ASSERT_TRUE(watch.tell(OwnView(now), context, out));
    EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace mailstead::imapd
