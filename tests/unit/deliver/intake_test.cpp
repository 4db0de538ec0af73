// The hand-off from smtpd: all of a message is taken or nothing, and an acceptance is kept.
#include "deliver/intake/intake.h"

#include <limits>
#include <unistd.h>

#include "tests/unit/deliver/world.h"

namespace mailstead::deliver {
namespace {

using namespace testing;
using Outcome = ipc::DeliverAnswer::Outcome;
using Strings = std::vector<std::string>;

class DeliverIntake : public ::testing::Test {
protected:
    void expect_nothing_kept(std::string_view trace_id = "k3v9") {
        EXPECT_EQ(world_.mail_of(alice_), Strings{});
        EXPECT_EQ(world_.mail_of(bob_), Strings{});
        EXPECT_TRUE(world_.queued().empty());
        EXPECT_EQ(world_.stages(trace_id), "");
        EXPECT_EQ(world_.spooled(), 0u);
    }

    World world_;
    AccountId alice_ = world_.add_account("alice@example.org");
    AccountId bob_ = world_.add_account("bob@example.org");
};

TEST_F(DeliverIntake, AMessageForMailboxesHereAndStrangersIsInAllPlacesAtOnce) {
    const std::string bytes = mail("all");
    const auto answer =
        world_.deliver(message_to({local(alice_, "alice@example.org"), remote("c@remote.test"),
                                   local(bob_, "bob@example.org"), remote("d@other.test")}),
                       bytes);
    ASSERT_EQ(answer.outcome, Outcome::accepted) << answer.text;
    EXPECT_EQ(world_.mail_of(alice_), Strings{bytes});
    EXPECT_EQ(world_.mail_of(bob_), Strings{bytes});
    const auto queued = world_.queued();
    ASSERT_EQ(queued.size(), 1u);
    EXPECT_EQ(queued[0].id.value, answer.queue_id);
    ASSERT_EQ(queued[0].recipients.size(), 2u);
    EXPECT_EQ(queued[0].recipients[0].recipient, remote("c@remote.test"));
    EXPECT_EQ(queued[0].recipients[1].recipient, remote("d@other.test"));
    EXPECT_EQ(queued[0].recipients[0].progress.next_attempt, kNow);
    EXPECT_EQ(World::bytes_of(world_.root() / queue::spool_path(queued[0].id)), bytes);
    EXPECT_EQ(world_.stages("k3v9"), "accepted filed queued filed queued");
}

TEST_F(DeliverIntake, ALargeMessageArrivesWhole) {
    const std::string bytes = mail("large") + std::string(commit::kJournaledFileSize, 'x') + "\r\n";
    const auto answer =
        world_.deliver(message_to({local(alice_, "alice@example.org"), remote("c@remote.test")}), bytes);
    ASSERT_EQ(answer.outcome, Outcome::accepted) << answer.text;
    EXPECT_EQ(world_.mail_of(alice_), Strings{bytes});
    EXPECT_EQ(World::bytes_of(world_.root() / queue::spool_path(QueueId(answer.queue_id))), bytes);
}

TEST_F(DeliverIntake, WhatWasAcceptedSurvivesAStop) {
    const std::string bytes = mail("kept");
    ASSERT_EQ(world_.deliver(message_to({local(alice_, "alice@example.org"), remote("c@remote.test")}), bytes)
                  .outcome,
              Outcome::accepted);
    world_.open_engine();
    EXPECT_EQ(world_.mail_of(alice_), Strings{bytes});
    EXPECT_EQ(world_.queued().size(), 1u);
}

TEST_F(DeliverIntake, AnAccountNamedTwiceGetsTheMessageOnce) {
    const std::string bytes = mail("twice");
    const auto answer = world_.deliver(
        message_to({local(alice_, "alice@example.org"), local(alice_, "sales@example.org")}), bytes);
    ASSERT_EQ(answer.outcome, Outcome::accepted) << answer.text;
    EXPECT_EQ(answer.queue_id, 0u);
    EXPECT_EQ(world_.mail_of(alice_), Strings{bytes});
}

TEST_F(DeliverIntake, SpamGoesToTheMailboxForIt) {
    auto message = message_to({local(alice_, "alice@example.org")});
    message.junk = true;
    ASSERT_EQ(world_.deliver(message, mail("spam")).outcome, Outcome::accepted);
    EXPECT_EQ(world_.mail_of(alice_), Strings{});
    EXPECT_EQ(world_.mail_of(alice_, "Junk"), Strings{mail("spam")});
}

TEST_F(DeliverIntake, AFullDiskIsALaterAndLeavesNothing) {
    world_.open_engine(std::numeric_limits<std::uint64_t>::max());
    const auto answer =
        world_.deliver(message_to({local(alice_, "alice@example.org"), remote("c@remote.test")}), mail("no"));
    EXPECT_EQ(answer.outcome, Outcome::transient);
    EXPECT_EQ(answer.text, "4.3.1 The disk is full");
    expect_nothing_kept();
}

TEST_F(DeliverIntake, AnEngineThatStopsTakesNothingMore) {
    world_.engine().stop();
    const auto answer = world_.deliver(message_to({remote("c@remote.test")}), mail("no"));
    EXPECT_EQ(answer.outcome, Outcome::transient);
    EXPECT_TRUE(answer.text.starts_with("4.3.")) << answer.text;
    world_.open_engine();
    expect_nothing_kept();
}

TEST_F(DeliverIntake, AFullQueueRefusesTheMailboxesHereAsWell) {
    world_.make_intake({.messages = 1});
    ASSERT_EQ(world_.deliver(message_to({remote("c@remote.test")}, "first"), mail("1")).outcome,
              Outcome::accepted);
    const auto answer =
        world_.deliver(message_to({local(alice_, "alice@example.org"), remote("c@remote.test")}), mail("2"));
    EXPECT_EQ(answer.outcome, Outcome::transient);
    EXPECT_EQ(answer.text, "4.3.1 The outbound queue is full");
    EXPECT_EQ(world_.mail_of(alice_), Strings{});
    EXPECT_EQ(world_.queued().size(), 1u);
    EXPECT_EQ(world_.stages("k3v9"), "");
}

TEST_F(DeliverIntake, AFullMailboxAloneIsRefusedAtOnce) {
    const AccountId small = world_.add_account("small@example.org", 10);
    const auto answer = world_.deliver(message_to({local(small, "small@example.org")}), mail("too large"));
    EXPECT_EQ(answer.outcome, Outcome::transient);
    EXPECT_EQ(answer.text, "4.2.2 The mailbox is full");
    EXPECT_EQ(world_.mail_of(small), Strings{});
    expect_nothing_kept();
}

TEST_F(DeliverIntake, AFullMailboxHoldsNothingBackFromTheOthers) {
    const AccountId small = world_.add_account("small@example.org", 10);
    const auto answer = world_.deliver(
        message_to({local(alice_, "alice@example.org"), local(small, "small@example.org")}), mail("both"));
    ASSERT_EQ(answer.outcome, Outcome::accepted) << answer.text;
    EXPECT_EQ(world_.mail_of(alice_), Strings{mail("both")});
    EXPECT_EQ(world_.mail_of(small), Strings{});
    const auto queued = world_.queued();
    ASSERT_EQ(queued.size(), 1u) << "it waits";
    ASSERT_EQ(queued[0].recipients.size(), 1u);
    EXPECT_EQ(queued[0].recipients[0].recipient, local(small, "small@example.org"));
}

TEST_F(DeliverIntake, AQuotaCountsFromTheNextMessageOn) {
    const auto one = [this] {
        return world_.deliver(message_to({local(alice_, "alice@example.org")}), mail("x")).outcome;
    };
    EXPECT_EQ(one(), Outcome::accepted);
    ASSERT_TRUE(world_.directory->set_limits(alice_, {mail("x").size() * 2, 0, 0}));
    EXPECT_EQ(one(), Outcome::accepted) << "two fit exactly";
    EXPECT_EQ(one(), Outcome::transient);
    ASSERT_TRUE(world_.directory->set_limits(alice_, {}));
    EXPECT_EQ(one(), Outcome::accepted);
    EXPECT_EQ(world_.mail_of(alice_).size(), 3u);
}

TEST_F(DeliverIntake, TellsWhetherAMessageWouldFit) {
    const AccountId small = world_.add_account("small@example.org", 1'000);
    ASSERT_EQ(world_.deliver(message_to({local(small, "small@example.org")}), mail("x")).outcome,
              Outcome::accepted);
    const auto over = [&](AccountId account, std::uint64_t size) {
        return world_.ask(ipc::QuotaQuestion{account, size}).over;
    };
    EXPECT_FALSE(over(small, 1'000 - mail("x").size()));
    EXPECT_TRUE(over(small, 1'001 - mail("x").size()));
    EXPECT_FALSE(over(alice_, 1u << 30)) << "no quota";
    EXPECT_FALSE(over(AccountId(99), 1)) << "the commit will tell";
}

TEST_F(DeliverIntake, RefusesAFileThatIsNotWhatWasAnnounced) {
    auto message = message_to({local(alice_, "alice@example.org")});
    message.size = mail("x").size() + 1;
    ipc::Descriptors files;
    files.push_back(world_.file_of(mail("x")));
    EXPECT_EQ(world_.ask(message, std::move(files)).outcome, Outcome::transient);

    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe(ends), 0);
    const FileDescriptor writer(ends[1]);
    ipc::Descriptors pipe;
    pipe.push_back(FileDescriptor(ends[0]));
    EXPECT_EQ(world_.ask(message, std::move(pipe)).outcome, Outcome::transient);
    expect_nothing_kept();
}

TEST_F(DeliverIntake, RefusesRequestsThatAreNone) {
    const auto refused = [this](ipc::Message request) {
        return world_.ask(std::move(request)).type == ipc::MessageType::refused;
    };
    const auto whole = message_to({local(alice_, "alice@example.org")});
    EXPECT_TRUE(refused(ipc::make_message(whole))) << "no file";
    EXPECT_TRUE(refused(ipc::make_message(message_to({})))) << "no recipient";
    for (const auto type :
         {ipc::MessageType::deliver_message, ipc::MessageType::apply_change, ipc::MessageType::auth_step,
          ipc::MessageType::ledger_line, ipc::MessageType::quota_question, ipc::MessageType::queue_command,
          ipc::MessageType::account_gone}) {
        EXPECT_TRUE(refused({type, "\xFF", {}})) << static_cast<int>(type);
    }
    EXPECT_TRUE(refused({ipc::MessageType::deliver_answer, "", {}})) << "an answer is no request";
    expect_nothing_kept();
}

TEST_F(DeliverIntake, UsersCannotMakeTheStoresOwnChanges) {
    const auto error = [this](store::Action action) {
        const store::Change change{kNow, std::move(action)};
        return world_.ask(ipc::ApplyChange{alice_, store::encode(change)}).error;
    };
    EXPECT_EQ(error(store::Followed{}), static_cast<std::uint8_t>(store::Fault::invalid));
    EXPECT_EQ(error(store::CreateAccount{}), 0);
}

TEST_F(DeliverIntake, QuotasSetOverImapGoIntoTheDirectory_Rfc9208_4_1_3) {
    const store::Change change{kNow, store::SetQuota{0, 1, 9}};
    EXPECT_EQ(world_.ask(ipc::ApplyChange{alice_, store::encode(change)}).error, 0);
    EXPECT_EQ(world_.directory->find_account(alice_).value()->limits, (directory::Limits{0, 1, 9}));
    EXPECT_EQ(world_.deliver(message_to({local(alice_, "alice@example.org")}), mail("x")).outcome,
              Outcome::accepted);
    EXPECT_EQ(world_.deliver(message_to({local(alice_, "alice@example.org")}), mail("y")).outcome,
              Outcome::transient);
}

TEST_F(DeliverIntake, AnAppendNeedsItsFileAndHeedsTheQuota) {
    ASSERT_TRUE(world_.directory->set_limits(alice_, {mail("x").size(), 0, 0}));
    const auto append = [this](std::uint32_t file) {
        store::NewMessage message;
        message.internal_date = kNow;
        message.size = mail("x").size();
        message.file = file;
        store::Append action;
        action.ignore_quota = true;  // imapd must not be able to ask for that
        action.messages.push_back(std::move(message));
        ipc::Descriptors files;
        files.push_back(world_.file_of(mail("x")));
        const store::Change change{kNow, std::move(action)};
        return world_.ask(ipc::ApplyChange{alice_, store::encode(change)}, std::move(files)).error;
    };
    EXPECT_EQ(append(1), static_cast<std::uint8_t>(store::Fault::invalid));
    EXPECT_EQ(append(0), 0);
    EXPECT_EQ(append(0), static_cast<std::uint8_t>(store::Fault::over_quota));
    EXPECT_EQ(world_.mail_of(alice_), Strings{mail("x")});
}

TEST_F(DeliverIntake, TheMailOfARemovedAccountStaysUntilItsTimeHasCome) {
    for (const AccountId account : {alice_, bob_})
        ASSERT_EQ(world_.deliver(message_to({local(account, "x@example.org")}), mail("x")).outcome,
                  Outcome::accepted);
    ASSERT_TRUE(world_.credentials->set_password(alice_, Secret("pencil")));
    ASSERT_TRUE(world_.directory->remove_account(alice_, std::nullopt));
    world_.ask(ipc::AccountGone{alice_});
    EXPECT_EQ(world_.mail_of(alice_), Strings{mail("x")});
    ASSERT_TRUE(world_.directory->set_deletion(alice_, now() + std::chrono::hours(1)));
    world_.ask(ipc::AccountGone{alice_});
    EXPECT_EQ(world_.mail_of(alice_), Strings{mail("x")});
    EXPECT_TRUE(world_.credentials->find(alice_).value());

    const std::filesystem::path folder = world_.root() / "accounts" / std::to_string(alice_.value);
    ASSERT_TRUE(world_.directory->set_deletion(alice_, now()));
    world_.ask(ipc::AccountGone{alice_});
    EXPECT_FALSE(std::filesystem::exists(folder));
    EXPECT_EQ(world_.mail_of(alice_), Strings{});
    EXPECT_FALSE(world_.credentials->find(alice_).value());
    EXPECT_TRUE(world_.directory->removed_accounts().value().empty());
    EXPECT_EQ(world_.mail_of(bob_).size(), 1u);
    world_.open_engine();
    EXPECT_FALSE(std::filesystem::exists(folder)) << "nothing in the journal brings it back";
}

TEST_F(DeliverIntake, ADeletionThatWasInterruptedIsFinished) {
    ASSERT_EQ(world_.deliver(message_to({local(alice_, "x@example.org")}), mail("x")).outcome,
              Outcome::accepted);
    ASSERT_TRUE(world_.directory->remove_account(alice_, now()));
    ASSERT_TRUE(world_.directory->begin_deletion(alice_, now()).value());
    EXPECT_FALSE(world_.directory->undelete_account(alice_, {})) << "half of its mail may be gone";
    const std::filesystem::path folder = world_.root() / "accounts" / std::to_string(alice_.value);
    std::filesystem::remove_all(folder / "mail");
    world_.ask(ipc::AccountGone{bob_});
    EXPECT_FALSE(std::filesystem::exists(folder));
    EXPECT_TRUE(world_.directory->removed_accounts().value().empty());
}

TEST_F(DeliverIntake, TheAdministratorsWordReachesTheQueue) {
    ASSERT_EQ(world_.deliver(message_to({remote("c@remote.test")}), mail("x")).outcome, Outcome::accepted);
    using Command = ipc::QueueCommand;
    EXPECT_EQ(world_.ask(Command{Command::Op::hold, Command::ToDomain{"remote.test"}}).count, 1u);
    EXPECT_TRUE(world_.queued().at(0).held);
    EXPECT_EQ(world_.ask(Command{Command::Op::remove, Command::All{}}).count, 1u);
    EXPECT_TRUE(world_.queued().empty());
    EXPECT_EQ(world_.spooled(), 0u);
}

TEST_F(DeliverIntake, LedgerLinesOfOtherDaemonsAreKept) {
    ipc::LedgerLine line;
    line.trace_id = "r4";
    line.time = kNow;
    line.stage = "refused";
    EXPECT_EQ(world_.ask(ipc::make_message(line)).type, ipc::MessageType::done);
    EXPECT_EQ(world_.stages("r4"), "refused");
}

TEST_F(DeliverIntake, ALedgerThatCannotBeWrittenIsToldOnce) {
    world_.open_engine(std::numeric_limits<std::uint64_t>::max());
    ipc::LedgerLine line;
    line.trace_id = "r4";
    line.stage = "refused";
    ::testing::internal::CaptureStderr();
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(world_.ask(ipc::make_message(line)).type, ipc::MessageType::done) << "nobody waits for it";
    const std::string log = ::testing::internal::GetCapturedStderr();
    const std::size_t first = log.find("event=ledger.problem why=\"the disk is full\"");
    EXPECT_NE(first, std::string::npos) << log;
    EXPECT_EQ(log.find("event=ledger.problem", first + 1), std::string::npos) << log;
}

TEST_F(DeliverIntake, SuccessIsReportedToThoseWhoAskedForIt_Rfc3461_4_1) {
    auto message = message_to({local(bob_, "bob@example.org"), local(alice_, "alice@example.org")});
    message.envelope.reverse_path = Address::parse("alice@example.org").value();
    message.envelope.recipients[0].notify = ipc::kNotifySuccess;
    ASSERT_EQ(world_.deliver(message, mail("told")).outcome, Outcome::accepted);
    const auto inbox = world_.mail_of(alice_);
    ASSERT_EQ(inbox.size(), 2u);
    EXPECT_EQ(inbox[0], mail("told"));
    EXPECT_NE(inbox[1].find("Final-Recipient: rfc822; bob@example.org\r\nAction: delivered\r\nStatus: 2.0.0"),
              std::string::npos)
        << inbox[1];
    EXPECT_EQ(inbox[1].find("Final-Recipient: rfc822; alice"), std::string::npos);
}

}  // namespace
}  // namespace mailstead::deliver
