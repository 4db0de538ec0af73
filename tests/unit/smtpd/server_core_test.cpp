#include "smtpd/core/server_core.h"

#include <gtest/gtest.h>

#include "tests/unit/smtpd/fake_session.h"

namespace mailstead::smtpd::testing {
namespace {

const std::string kSession =
    "EHLO client.example\r\nMAIL FROM:<x@remote.example> SIZE=100\r\nRCPT TO:<alice@example.org>\r\n"
    "RCPT TO:<nobody@example.org>\r\nRCPT TO:<bob+lists@example.org>\r\nDATA\r\nSubject: "
    "x\r\n\r\n..dot\r\n.\r\n"
    "MAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nBDAT 5\r\na: b\rBDAT 3 LAST\r\n\n\r\nVRFY x\r\nQUIT\r\n";

std::string run(std::string_view first, std::string_view second, World& world) {
    const Profile profile = exchange_profile();
    FakeSession session(profile, world, false);
    session.feed(first);
    session.feed(second);
    return session.take_replies();
}

TEST(SmtpServerCore, SplittingTheInputAnywhereGivesTheSameAnswers) {
    World whole;
    const std::string expected = run(kSession, "", whole);
    ASSERT_EQ(whole.delivered.size(), 2u) << expected;
    EXPECT_EQ(whole.delivered[1].text, "a: b\r\n\r\n");
    for (std::size_t cut = 0; cut <= kSession.size(); ++cut) {
        World world;
        const std::string_view text = kSession;
        EXPECT_EQ(run(text.substr(0, cut), text.substr(cut), world), expected) << cut;
        EXPECT_EQ(world.delivered.size(), 2u);
    }
}

TEST(SmtpServerCore, EveryStepCanFailAndEndsTheSession) {
    const Profile profile = submission_profile();
    const std::string text =
        "EHLO x\r\nAUTH LOGIN\r\nYWxpY2U=\r\nc2VjcmV0\r\nMAIL FROM:<alice@example.org>\r\n"
        "RCPT TO:<x@remote.example>\r\nDATA\r\nx\r\n.\r\nRSET\r\nQUIT\r\n";
    World counting;
    FakeSession whole(profile, counting, true);
    whole.feed(text);
    ASSERT_EQ(counting.delivered.size(), 1u) << whole.take_replies();
    const std::pair<Failure, std::string_view> failures[] = {{Failure::timed_out, "421 4.4.2 "},
                                                             {Failure::disconnected, ""},
                                                             {Failure::shutting_down, "421 4.3.2 "}};
    for (std::size_t step = 0; step < whole.steps(); ++step) {
        for (const auto& [failure, says] : failures) {
            World world;
            FakeSession session(profile, world, true);
            session.fail_at(step, failure);
            session.feed(text);
            EXPECT_TRUE(session.closed()) << step;
            const std::string replies = session.take_replies();
            EXPECT_NE(replies.find(says), std::string::npos) << step << " " << replies;
        }
    }
}

TEST(SmtpServerCore, TimeoutsFollowRfc5321_4_5_3_2) {
    const Profile profile = exchange_profile();
    World world;
    FakeSession session(profile, world, false);
    EXPECT_GE(std::get<ReadLine>(session.waiting_for()).timeout, std::chrono::minutes(5));
    session.feed("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n");
    EXPECT_GE(std::get<ReadBody>(session.waiting_for()).timeout, std::chrono::minutes(3));
}

TEST(SmtpServerCore, MessageIdsAreOfTheSessionAndDiffer) {
    World world;
    run("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n.\r\n",
        "MAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n.\r\n", world);
    ASSERT_EQ(world.delivered.size(), 2u);
    EXPECT_EQ(world.delivered[0].transaction.id, "id-1");
    EXPECT_EQ(world.delivered[1].transaction.id, "id-2");
}

TEST(SmtpServerCore, KeepsDsnParametersForDelivery_Rfc3461) {
    World world;
    run("EHLO x\r\nMAIL FROM:<a@b.example> RET=HDRS ENVID=Q1\r\n"
        "RCPT TO:<alice@example.org> NOTIFY=NEVER ORCPT=rfc822;al@example.org\r\nDATA\r\n.\r\n",
        "", world);
    ASSERT_EQ(world.delivered.size(), 1u);
    const Transaction& transaction = world.delivered[0].transaction;
    EXPECT_EQ(transaction.mail.ret, smtp::DsnReturn::headers);
    EXPECT_EQ(transaction.mail.envid, "Q1");
    EXPECT_TRUE(transaction.recipients[0].rcpt.notify->never());
    EXPECT_EQ(transaction.recipients[0].rcpt.orcpt->address, "al@example.org");
}

TEST(SmtpLineReader, OverlongLinesCostNoMemoryAndEndAtTheirEnd) {
    LineReader reader;
    std::string buffer(10, 'x');
    LineReader::Found found = reader.next(buffer, 8);
    EXPECT_FALSE(found.complete);
    EXPECT_EQ(found.consume, 10u);
    buffer = "yy\r\nNOOP\r\n";
    found = reader.next(buffer, 8);
    EXPECT_TRUE(found.complete);
    EXPECT_EQ(found.line.fault, LineFault::too_long);
    EXPECT_EQ(found.consume, 4u);
    buffer.erase(0, 4);
    found = reader.next(buffer, 8);
    EXPECT_EQ(found.line.text, "NOOP");
}

TEST(SmtpLineReader, TheLimitCountsWithoutTheLineEnding) {
    for (std::size_t cut = 0; cut <= 10; ++cut) {
        LineReader reader;
        const std::string line = "12345678\r\n";
        LineReader::Found found = reader.next(std::string_view(line).substr(0, cut), 8);
        if (!found.complete) {
            ASSERT_EQ(found.consume, 0u);
            found = reader.next(line, 8);
        }
        EXPECT_EQ(found.line.fault, LineFault::none) << cut;
        EXPECT_EQ(found.line.text, "12345678");
    }
    LineReader reader;
    EXPECT_EQ(reader.next("123456789\r\n", 8).line.fault, LineFault::too_long);
}

}  // namespace
}  // namespace mailstead::smtpd::testing
