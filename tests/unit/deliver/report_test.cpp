// What senders are told, and where the report goes.
#include "deliver/report/report.h"

#include "tests/unit/deliver/world.h"

namespace mailstead::deliver {
namespace {

using namespace testing;
using smtp::DsnAction;

constexpr smtp::EnhancedCode kNoSuchUser{5, 1, 1};

class DeliverReport : public ::testing::Test {
protected:
    queue::QueueEntry entry(std::string_view from) {
        queue::QueueEntry made;
        made.trace_id = "k3v9";
        made.envelope.reverse_path = Address::parse(from).value();
        made.envelope.envid = "QQ314159";
        made.received = kNow;
        made.expires = kNow + std::chrono::days(5);
        made.recipients = {{remote("c@remote.test"), {}}, {remote("d@remote.test"), {}}};
        made.recipients[0].recipient.orcpt = "rfc822;alias@example.org";
        return made;
    }
    // The transaction of a report about the first recipient, committed.
    std::size_t report(const queue::QueueEntry& about, DsnAction action = DsnAction::failed,
                       std::string_view original = kOriginal) {
        std::vector<queue::Progress> progress(2);
        progress[0].last_host = "mx.remote.test [192.0.2.9]";
        progress[0].last_reply = "550 5.1.1 nobody here";
        commit::Transaction transaction;
        const auto added = world_.reporter().add(transaction, about, {{0, action, kNoSuchUser}}, progress,
                                                 original, kNow + Seconds(60));
        EXPECT_TRUE(added);
        const std::size_t parts = transaction.parts.size();
        if (parts == 0) return 0;
        for (const auto& outcome : world_.engine().submit_and_wait(std::move(transaction)))
            EXPECT_TRUE(outcome.result) << outcome.result.error().what;
        return parts;
    }
    std::string only_mail_of(AccountId account) {
        const auto mail = world_.mail_of(account);
        EXPECT_EQ(mail.size(), 1u);
        return mail.empty() ? "" : mail.front();
    }
    static bool has(std::string_view text, std::string_view piece) { return text.find(piece) != text.npos; }

    static constexpr std::string_view kOriginal =
        "From: alice@example.org\r\nMessage-ID: <orig@example.org>\r\nSubject: hi\r\n\r\nsecret body\r\n";
    World world_;
    AccountId alice_ = world_.add_account("alice@example.org");
};

TEST_F(DeliverReport, ASenderHereFindsItInTheMailbox) {
    EXPECT_EQ(report(entry("alice@example.org")), 1u);
    const std::string text = only_mail_of(alice_);
    EXPECT_TRUE(text.starts_with("Return-Path: <>\r\n")) << "RFC 3461, 6.1: nobody is told of a report";
    EXPECT_TRUE(has(text, "MAILER-DAEMON@mx.example.org"));
    EXPECT_TRUE(has(text, "\r\nTo: alice@example.org\r\n") || has(text, "\r\nTo: <alice@example.org>\r\n"));
    EXPECT_TRUE(has(text, "report-type=delivery-status"));
    EXPECT_TRUE(has(text, "Reporting-MTA: dns; mx.example.org\r\n"));
    EXPECT_TRUE(has(text, "Original-Envelope-Id: QQ314159\r\n"));
    EXPECT_TRUE(has(text, "Original-Recipient: rfc822; alias@example.org\r\n") ||
                has(text, "Original-Recipient: rfc822;alias@example.org\r\n"));
    EXPECT_TRUE(has(text, "Final-Recipient: rfc822; c@remote.test\r\n"));
    EXPECT_TRUE(has(text, "Action: failed\r\n"));
    EXPECT_TRUE(has(text, "Status: 5.1.1\r\n"));
    EXPECT_TRUE(has(text, "Remote-MTA: dns; mx.remote.test\r\n")) << "its name, without the address";
    EXPECT_TRUE(has(text, "550 5.1.1 nobody here"));
    EXPECT_TRUE(has(text, "<orig@example.org>"));
    EXPECT_FALSE(has(text, "d@remote.test")) << "nothing happened to the other recipient";
    EXPECT_FALSE(has(text, "secret body")) << "only the header goes back unless RET=FULL";
    EXPECT_TRUE(world_.queued().empty());
}

TEST_F(DeliverReport, RetFullReturnsTheMessage_Rfc3461_4_3) {
    auto about = entry("alice@example.org");
    about.envelope.ret = ipc::ReturnContent::full;
    report(about);
    EXPECT_TRUE(has(only_mail_of(alice_), "secret body"));
}

TEST_F(DeliverReport, ALateMessageSaysHowLongItWillBeTried) {
    report(entry("alice@example.org"), DsnAction::delayed);
    const std::string text = only_mail_of(alice_);
    EXPECT_TRUE(has(text, "Action: delayed\r\n"));
    EXPECT_TRUE(has(text, "Will-Retry-Until: "));
    EXPECT_TRUE(has(text, "Status: 4.1.1\r\n")) << "the class is that of something that may still succeed";
}

TEST_F(DeliverReport, ASenderElsewhereGetsItThroughTheQueue) {
    EXPECT_EQ(report(entry("you@elsewhere.test")), 1u);
    const auto queued = world_.queued();
    ASSERT_EQ(queued.size(), 1u);
    EXPECT_TRUE(queued[0].is_report());
    ASSERT_EQ(queued[0].recipients.size(), 1u);
    EXPECT_EQ(queued[0].recipients[0].recipient.address.to_string(), "you@elsewhere.test");
    EXPECT_EQ(queued[0].recipients[0].recipient.notify, ipc::kNotifyNever);
    EXPECT_EQ(queued[0].trace_id, "k3v9");
    const std::string text = World::bytes_of(world_.root() / queue::spool_path(queued[0].id));
    EXPECT_EQ(text.size(), queued[0].size);
    EXPECT_TRUE(has(text, "Final-Recipient: rfc822; c@remote.test\r\n"));
}

TEST_F(DeliverReport, AFullMailboxTakesItAllTheSame) {
    const AccountId full = world_.add_account("full@example.org", 10);
    world_.deliver(message_to({local(full, "full@example.org")}), mail("refused, but sets the limit"));
    report(entry("full@example.org"));
    EXPECT_TRUE(has(only_mail_of(full), "Action: failed\r\n"));
}

TEST_F(DeliverReport, AFullQueueTakesItAllTheSame) {
    world_.make_intake({.messages = 1});
    ASSERT_EQ(world_.deliver(message_to({remote("c@remote.test")}), mail("x")).outcome,
              ipc::DeliverAnswer::Outcome::accepted);
    EXPECT_EQ(report(entry("you@elsewhere.test")), 1u);
    EXPECT_EQ(world_.queued().size(), 2u);
}

TEST_F(DeliverReport, ASenderOfOursWhoIsGoneGetsNone) {
    EXPECT_EQ(report(entry("gone@example.org")), 0u);
}

TEST_F(DeliverReport, TwoReportsAreToldApart) {
    report(entry("you@elsewhere.test"));
    report(entry("you@elsewhere.test"));
    const auto queued = world_.queued();
    ASSERT_EQ(queued.size(), 2u);
    const auto id_of = [this](const queue::QueueEntry& each) {
        const std::string text = World::bytes_of(world_.root() / queue::spool_path(each.id));
        const std::size_t at = text.find("\r\nMessage-ID: ");
        return text.substr(at, text.find("\r\n", at + 2) - at);
    };
    EXPECT_NE(id_of(queued[0]), id_of(queued[1]));
    EXPECT_TRUE(id_of(queued[0]).ends_with("@mx.example.org>"));
}

TEST_F(DeliverReport, NotifyDecidesWhoHearsOfWhat_Rfc3461_4_1) {
    struct Case {
        const char* name;
        ipc::NotifyFlags notify;
        bool failed, delayed, delivered;
    };
    const Case cases[] = {
        {"absent", 0, true, true, false},
        {"never", ipc::kNotifyNever, false, false, false},
        {"failure", ipc::kNotifyFailure, true, false, false},
        {"delay", ipc::kNotifyDelay, false, true, false},
        {"success", ipc::kNotifySuccess, false, false, true},
        {"all", ipc::kNotifySuccess | ipc::kNotifyFailure | ipc::kNotifyDelay, true, true, true},
    };
    for (const Case& each : cases) {
        auto about = entry("alice@example.org");
        about.recipients[1].recipient.notify = each.notify;
        const auto wanted = [&](DsnAction action) { return is_wanted(about, {1, action, {}}); };
        EXPECT_EQ(wanted(DsnAction::failed), each.failed) << each.name;
        EXPECT_EQ(wanted(DsnAction::delayed), each.delayed) << each.name;
        EXPECT_EQ(wanted(DsnAction::delivered), each.delivered) << each.name;
        EXPECT_EQ(wanted(DsnAction::relayed), each.delivered) << each.name;
        about.envelope.reverse_path.reset();
        EXPECT_FALSE(wanted(DsnAction::failed)) << each.name << ": RFC 5321, 4.5.5";
        EXPECT_FALSE(wanted(DsnAction::delivered)) << each.name;
    }
}

}  // namespace
}  // namespace mailstead::deliver
