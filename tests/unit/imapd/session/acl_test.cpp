// Mailboxes of joe@example.org in the hands of ann@example.org (RFC 4314).
#include <gtest/gtest.h>

#include "imapd/session/place.h"
#include "tests/unit/imapd/session/test_server.h"

namespace mailstead::imapd {
namespace {

const std::string kJoe = "joe@example.org";
const std::string kAnn = "ann@example.org";
const std::string kTeam = "\"Other Users/joe@example.org/Team\"";
const std::string kTask = "\"Other Users/joe@example.org/Team/Task\"";
const std::string kLetters = "lrswipkxtea";  // all

struct Answer {
    std::vector<std::string> untagged;
    std::string tagged;  // without the tag

    bool is(std::string_view condition) const { return tagged.starts_with(condition); }
    std::string all() const {
        std::string text;
        for (const std::string& line : untagged) text += line + '\n';
        return text + tagged;
    }
};

Answer ask(TestServer& server, TestClient& client, const std::string& command) {
    client.send("t " + command + "\r\n");
    Answer answer;
    std::string line;
    while (server.read_line(client, line)) {
        if (line.starts_with("t ")) {
            answer.tagged = line.substr(2);
            return answer;
        }
        if (line.starts_with("+ ")) {
            answer.tagged = line;
            return answer;
        }
        answer.untagged.push_back(line);
    }
    answer.tagged = "(closed)";
    return answer;
}

// Joe has Team and Team/Task with two messages in it, Ann has one message in her INBOX.
class Sharing : public testing::Test {
protected:
    Sharing() : ann_account(server.backend.add_account(kAnn)) {
        server.backend.account.must<store::MailboxMade>(store::CreateMailbox{store::name("Team/Task")});
        server.backend.account.deliver(store::make_message("one"), "Team/Task");
        server.backend.account.deliver(store::make_message("two"), "Team/Task");
        ann_account.deliver(store::make_message("hers"));
    }

    Answer ask(TestClient& client, const std::string& command) { return imapd::ask(server, client, command); }

    // As SETACL would, on both mailboxes.
    void grant(std::string_view rights, std::string_view mailbox = "", AccountId who = AccountId(8),
               bool negative = false) {
        for (const char* each : {"Team", "Team/Task"}) {
            if (!mailbox.empty() && mailbox != each) continue;
            store::SetAcl change{store::name(each), who, negative, store::SetAcl::How::replace,
                                 store::Rights::parse(rights).value()};
            apply(store::kAccount, change);
        }
    }
    void apply(AccountId owner, store::Action action) { server.backend.commit(owner, std::move(action)); }

    TestClient& ann() {
        if (ann_ == nullptr) ann_ = &server.connect(StartAt::login, kAnn);
        return *ann_;
    }
    TestClient& joe() {
        if (joe_ == nullptr) joe_ = &server.connect(StartAt::login, kJoe);
        return *joe_;
    }

    std::size_t messages_in(store::TestAccount& account, std::string_view mailbox) {
        return account.info(mailbox).messages;
    }
    store::MessageInfo message(store::TestAccount& account, std::string_view mailbox, std::uint32_t uid) {
        return account.snapshot().message(account.id_of(mailbox), Uid(uid)).value().value();
    }

    TestServer server;
    store::TestAccount& ann_account;
    TestClient* ann_ = nullptr;
    TestClient* joe_ = nullptr;
};

// ---- which right each command needs (RFC 4314, 4)

struct Row {
    const char* command;
    const char* needs;     // each of them
    const char* selected;  // "" for none, "*" for Team/Task, else what Ann selects before
};
const std::vector<Row> kMatrix = {
    {"SELECT %task", "r", ""},
    {"EXAMINE %task", "r", ""},
    {"STATUS %task (MESSAGES UNSEEN)", "r", ""},
    {"GETQUOTAROOT %task", "r", ""},
    {"CREATE \"Other Users/joe@example.org/Team/New\"", "k", ""},
    {"DELETE %task", "x", ""},
    {"RENAME %task \"Other Users/joe@example.org/Team/Done\"", "kx", ""},
    {"SETACL %task anyone lr", "a", ""},
    {"SETACL %task -joe@example.org lr", "a", ""},
    {"DELETEACL %task anyone", "a", ""},
    {"GETACL %task", "a", ""},
    {"LISTRIGHTS %task ann@example.org", "a", ""},
    {"MYRIGHTS %task", "", ""},
    {"SUBSCRIBE %task", "", ""},
    {"UNSUBSCRIBE %task", "", ""},
    {"APPEND %task {3+}\r\na:b", "i", ""},
    {"COPY 1 %task", "i", "INBOX"},
    {"MOVE 1 %task", "i", "INBOX"},
    {"COPY 1 INBOX", "", "*"},
    {"MOVE 1 INBOX", "te", "*"},
    {"EXPUNGE", "e", "*"},
    {"UID EXPUNGE 1", "e", "*"},
    {"CLOSE", "", "*"},
    {"FETCH 1 (BODY[])", "", "*"},
    {"SEARCH ALL", "", "*"},
    {"STORE 1 +FLAGS (\\Seen)", "s", "*"},
    {"STORE 1 -FLAGS (\\Deleted)", "t", "*"},
    {"STORE 1 +FLAGS (\\Flagged)", "w", "*"},
    {"STORE 1 +FLAGS (\\Answered \\Draft)", "w", "*"},
    {"STORE 1 +FLAGS ($Work)", "w", "*"},
    {"STORE 1 FLAGS (\\Deleted)", "t", "*"},
    {"GETMETADATA %task /shared/comment", "", ""},
    {"SETMETADATA %task (/shared/comment \"x\")", "w", ""},
    {"REPLACE 1 %task {3+}\r\na:b", "ite", "*"},
    {"UID REPLACE 1 INBOX {3+}\r\na:b", "te", "*"},
    {"REPLACE 1 %task {3+}\r\na:b", "i", "INBOX"},
};

std::string filled(std::string command) {
    for (std::size_t at = command.find("%task"); at != std::string::npos; at = command.find("%task", at))
        command.replace(at, 5, kTask);
    return command;
}

class RightsMatrix : public testing::TestWithParam<std::size_t> {};

Answer ask_with(const Row& row, const std::string& rights) {
    const bool in_task = std::string_view(row.selected) == "*";
    TestServer server;
    server.backend.add_account(kAnn).deliver(store::make_message("hers"));
    server.backend.account.must<store::MailboxMade>(store::CreateMailbox{store::name("Team/Task")});
    server.backend.account.deliver(store::make_message("one"), "Team/Task",
                                   store::flags_of(store::SystemFlag::deleted));
    for (const char* mailbox : {"Team", "Team/Task"}) {
        server.backend.commit(store::kAccount, store::SetAcl{store::name(mailbox), AccountId(8), false,
                                                             store::SetAcl::How::replace,
                                                             store::Rights::parse(rights).value()});
    }
    TestClient& client = server.connect(StartAt::login, kAnn);
    if (row.selected[0] != '\0') {
        const Answer selected =
            ask(server, client, "SELECT " + (in_task ? kTask : std::string(row.selected)));
        EXPECT_TRUE(selected.is("OK")) << selected.tagged;
    }
    return ask(server, client, filled(row.command));
}

TEST_P(RightsMatrix, EachMissingRightRefusesWhatNeedsItAndNothingElseIsNeeded_Rfc4314_4) {
    const Row& row = kMatrix[GetParam()];
    for (const char missing : std::string_view(row.needs)) {
        std::string rights = kLetters;
        std::erase(rights, missing);
        const Answer answer = ask_with(row, rights);
        EXPECT_TRUE(answer.is("NO [NOPERM]"))
            << row.command << " without " << missing << ": " << answer.tagged;
    }
    const std::string just_enough = std::string("lr") + row.needs;
    const Answer answer = ask_with(row, just_enough);
    EXPECT_TRUE(answer.is("OK") || answer.is("NO [CANNOT]"))
        << row.command << " with " << just_enough << ": " << answer.tagged;
}
INSTANTIATE_TEST_SUITE_P(Commands, RightsMatrix, testing::Range(std::size_t{0}, kMatrix.size()));

// ---- what nobody may learn (RFC 4314, 6)

TEST_F(Sharing, MailboxThatMayNotBeListedAnswersAsOneThatDoesNotExist_Rfc4314_6) {
    grant("l", "Team");
    for (const char* command :
         {"SELECT %", "EXAMINE %", "STATUS % (MESSAGES)", "DELETE %", "RENAME % Mine", "SETACL % anyone r",
          "DELETEACL % anyone", "GETACL %", "LISTRIGHTS % anyone", "MYRIGHTS %", "APPEND % {3+}\r\na:b",
          "GETQUOTAROOT %", "GETMETADATA % /shared/comment", "SETMETADATA % (/shared/comment NIL)",
          "CREATE %", "SUBSCRIBE %", "LIST \"\" %", "LSUB \"\" %"}) {
        std::vector<std::string> answers;
        for (const char* each :
             {"Other Users/joe@example.org/Team/Task", "Other Users/joe@example.org/Team/Nope",
              "Other Users/joe@example.org/Sent", "Other Users/nobody@example.org/Task"}) {
            const std::string name = each;
            std::string line = command;
            line.replace(line.find('%'), 1, '"' + name + '"');
            Answer answer = ask(ann(), line);
            std::string text = answer.all();
            for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name))
                text.replace(at, name.size(), "X");
            answers.push_back(text);
            if (std::string_view(command).starts_with("SUBSCRIBE")) ask(ann(), "UNSUBSCRIBE \"" + name + '"');
        }
        for (const std::string& answer : answers) EXPECT_EQ(answer, answers.front()) << command;
    }
}

TEST_F(Sharing, AccountThatSharesNothingWithTheUserIsNotEvenOpened) {
    Answer answer = ask(ann(), "SELECT \"Other Users/joe@example.org/INBOX\"");
    EXPECT_TRUE(answer.is("NO [NONEXISTENT]")) << answer.tagged;
    EXPECT_EQ(server.backend.opened.count(store::kAccount), 0u);
}

// ---- access lists

TEST_F(Sharing, GrantsComeAndGo) {
    EXPECT_TRUE(ask(joe(), "SETACL Team " + kAnn + " lrc").is("OK"));
    EXPECT_TRUE(ask(joe(), "SETACL Team " + kAnn + " +sd").is("OK"));
    EXPECT_TRUE(ask(joe(), "SETACL Team anyone l").is("OK"));
    EXPECT_TRUE(ask(joe(), "SETACL Team -" + kAnn + " x").is("OK"));
    EXPECT_EQ(ask(joe(), "GETACL Team").untagged.at(0),
              "* ACL \"Team\" \"joe@example.org\" lrswipkxtecda anyone l \"ann@example.org\" lrskxtecd "
              "\"-ann@example.org\" xc");
    EXPECT_EQ(ask(ann(), "MYRIGHTS " + kTeam).untagged.at(0), "* MYRIGHTS " + kTeam + " lrsktecd");
    EXPECT_TRUE(ask(joe(), "SETACL Team " + kAnn + " -lrscd").is("OK"));
    EXPECT_TRUE(ask(joe(), "DELETEACL Team -" + kAnn).is("OK"));
    EXPECT_EQ(ask(joe(), "GETACL Team").untagged.at(0),
              "* ACL \"Team\" \"joe@example.org\" lrswipkxtecda anyone l");
    EXPECT_EQ(ask(ann(), "MYRIGHTS " + kTeam).untagged.at(0), "* MYRIGHTS " + kTeam + " l");
    EXPECT_EQ(ask(joe(), "MYRIGHTS Team").untagged.at(0), "* MYRIGHTS \"Team\" lrswipkxtecda");
}

TEST_F(Sharing, MalformedRightsAndIdentifiersAreRefused) {
    EXPECT_TRUE(ask(joe(), "SETACL Team " + kAnn + " lrQ").is("BAD"));
    EXPECT_TRUE(ask(joe(), "SETACL Team " + kAnn + " lrq").is("BAD"));
    EXPECT_TRUE(ask(joe(), "SETACL Team " + kAnn + " l7").is("BAD"));
    EXPECT_TRUE(ask(joe(), "SETACL Team \"\" l").is("BAD"));
    EXPECT_TRUE(ask(joe(), "SETACL Team - l").is("BAD"));
    EXPECT_TRUE(ask(joe(), "SETACL Team nobody@example.org l").is("NO"));
    EXPECT_TRUE(ask(joe(), "SETACL Nope anyone l").is("NO [NONEXISTENT]"));
    EXPECT_TRUE(ask(joe(), "SETACL Team " + kAnn).is("BAD"));
}

TEST_F(Sharing, OwnerCannotLockHimselfOut) {
    EXPECT_TRUE(ask(joe(), "SETACL Team " + kJoe + " l").is("NO [CANNOT]"));
    EXPECT_TRUE(ask(joe(), "SETACL Team -" + kJoe + " l").is("NO [CANNOT]"));
    EXPECT_TRUE(ask(joe(), "DELETEACL Team " + kJoe).is("NO [CANNOT]"));
    EXPECT_TRUE(ask(joe(), "SETACL Team " + kJoe + " lrswipkxtea").is("OK"));
    EXPECT_TRUE(ask(joe(), "SETACL Team -anyone lrswipkxtea").is("OK"));
    EXPECT_EQ(ask(joe(), "MYRIGHTS Team").untagged.at(0), "* MYRIGHTS \"Team\" lrswipkxtecda");
    EXPECT_EQ(ask(joe(), "LISTRIGHTS Team " + kJoe).untagged.at(0),
              "* LISTRIGHTS \"Team\" \"joe@example.org\" lrswipkxtecda");
    EXPECT_EQ(ask(joe(), "LISTRIGHTS Team " + kAnn).untagged.at(0),
              "* LISTRIGHTS \"Team\" \"ann@example.org\" \"\" l r s w i p k x t e c d a");
}

TEST_F(Sharing, MailboxMadeBelowASharedOneIsSharedAsWell) {
    grant("lrk", "Team");
    EXPECT_TRUE(ask(ann(), "CREATE \"Other Users/joe@example.org/Team/New/Deep\"").is("OK"));
    EXPECT_EQ(ask(ann(), "MYRIGHTS \"Other Users/joe@example.org/Team/New/Deep\"").untagged.at(0),
              "* MYRIGHTS \"Other Users/joe@example.org/Team/New/Deep\" lrkc");
    EXPECT_TRUE(ask(ann(), "CREATE \"Other Users/joe@example.org/Top\"").is("NO [NOPERM]"));
    EXPECT_TRUE(ask(ann(), "CREATE \"Other Users\"").is("NO [CANNOT]"));
}

// ---- LIST

TEST_F(Sharing, ListShowsWhatMayBeLookedUpAndNothingElse) {
    grant("lr", "Team/Task");
    const std::string all = ask(ann(), "LIST \"\" *").all();
    EXPECT_NE(all.find("* LIST (\\HasNoChildren) \"/\" " + kTask), std::string::npos) << all;
    EXPECT_EQ(all.find("Team\"\n"), std::string::npos) << all;
    EXPECT_EQ(all.find("Other Users\"\n"), std::string::npos) << all;
    const Answer levels = ask(ann(), "LIST \"\" \"%\"");
    EXPECT_NE(levels.all().find("* LIST (\\NonExistent \\Noselect \\HasChildren) \"/\" \"Other Users\"\n"),
              std::string::npos)
        << levels.all();
    EXPECT_EQ(ask(ann(), "LIST \"\" \"Other Users/%\"").untagged,
              std::vector<std::string>{
                  "* LIST (\\NonExistent \\Noselect \\HasChildren) \"/\" \"Other Users/joe@example.org\""});
    EXPECT_EQ(
        ask(ann(), "LIST \"\" \"Other Users/*\" RETURN (MYRIGHTS STATUS (MESSAGES))").untagged,
        (std::vector<std::string>{"* LIST (\\HasNoChildren) \"/\" " + kTask, "* MYRIGHTS " + kTask + " lr",
                                  "* STATUS " + kTask + " (MESSAGES 2)"}));
    grant("l", "Team/Task");
    EXPECT_EQ(
        ask(ann(), "LIST \"\" \"Other Users/*\" RETURN (MYRIGHTS STATUS (MESSAGES))").untagged,
        (std::vector<std::string>{"* LIST (\\HasNoChildren) \"/\" " + kTask, "* MYRIGHTS " + kTask + " l"}));
    grant("r", "Team/Task");
    EXPECT_EQ(ask(ann(), "LIST \"\" \"Other Users/*\"").untagged, std::vector<std::string>());
}

TEST_F(Sharing, SpecialUsesOfTheOwnerAreNotShown) {
    apply(store::kAccount, store::SetAcl{store::name("Sent"), store::kAnyone, false,
                                         store::SetAcl::How::replace, store::Rights::all()});
    EXPECT_EQ(
        ask(ann(), "LIST \"\" \"Other Users/*\"").untagged,
        std::vector<std::string>{"* LIST (\\HasNoChildren) \"/\" \"Other Users/joe@example.org/Sent\""});
    EXPECT_EQ(ask(ann(), "LIST (SPECIAL-USE) \"\" \"Other Users/*\"").untagged, std::vector<std::string>());
}

TEST_F(Sharing, SharedMailboxesCanBeSubscribed) {
    grant("lr");
    EXPECT_TRUE(ask(ann(), "SUBSCRIBE " + kTask).is("OK"));
    EXPECT_EQ(ask(ann(), "LSUB \"\" \"Other Users/*\"").untagged,
              std::vector<std::string>{"* LSUB (\\HasNoChildren) \"/\" " + kTask});
    grant("");
    EXPECT_EQ(ask(ann(), "LIST (SUBSCRIBED) \"\" \"Other Users/*\"").untagged,
              std::vector<std::string>{"* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \"/\" " + kTask});
}

// ---- a selected mailbox of somebody else

TEST_F(Sharing, SelectTellsWhatMayBeChanged_Rfc4314_5) {
    grant("lrs");
    Answer answer = ask(ann(), "SELECT " + kTask);
    EXPECT_TRUE(answer.is("OK [READ-WRITE]"));
    EXPECT_NE(answer.all().find("[PERMANENTFLAGS (\\Seen)]"), std::string::npos) << answer.all();
    grant("lrwt");
    answer = ask(ann(), "NOOP");
    EXPECT_NE(answer.all().find("[PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Draft \\*)]"),
              std::string::npos)
        << answer.all();
    grant("lr");
    answer = ask(ann(), "SELECT " + kTask);
    EXPECT_TRUE(answer.is("OK [READ-ONLY]"));
    EXPECT_NE(answer.all().find("[PERMANENTFLAGS ()]"), std::string::npos) << answer.all();
    grant("lri");
    EXPECT_TRUE(ask(ann(), "SELECT " + kTask).is("OK [READ-WRITE]"));
    EXPECT_TRUE(ask(ann(), "EXAMINE " + kTask).is("OK [READ-ONLY]"));
}

TEST_F(Sharing, FetchOfABodyMarksNothingWithoutTheRight_Rfc4314_4) {
    grant("lrw");
    ask(ann(), "SELECT " + kTask);
    EXPECT_TRUE(ask(ann(), "FETCH 1 (BODY[])").is("OK"));
    EXPECT_TRUE(message(server.backend.account, "Team/Task", 1).flags.system.empty());
    grant("lrs");
    EXPECT_TRUE(ask(ann(), "FETCH 1 (BODY[])").is("OK"));
    EXPECT_TRUE(message(server.backend.account, "Team/Task", 1).flags.system.has(store::SystemFlag::seen));
}

TEST_F(Sharing, StoreLeavesAloneWhatItMayNotChange_Rfc4314_4) {
    const MailboxId task = server.backend.account.id_of("Team/Task");
    apply(store::kAccount, store::StoreFlags{task,
                                             store::UidSet::of({1}),
                                             store::StoreFlags::How::add,
                                             store::flags_of(store::SystemFlag::deleted, {"$Joe"}),
                                             std::nullopt,
                                             {}});
    grant("lrs");
    ask(ann(), "SELECT " + kTask);
    EXPECT_TRUE(ask(ann(), "STORE 1 FLAGS (\\Seen \\Flagged)").is("OK"));
    store::Flags flags = message(server.backend.account, "Team/Task", 1).flags;
    EXPECT_EQ(flags.system, store::SystemFlag::deleted | store::SystemFlag::seen);
    EXPECT_FALSE(flags.keywords.empty());
    grant("lrw");
    EXPECT_TRUE(ask(ann(), "STORE 1 FLAGS (\\Answered)").is("OK"));
    flags = message(server.backend.account, "Team/Task", 1).flags;
    EXPECT_EQ(flags.system,
              store::SystemFlag::deleted | store::SystemFlag::seen | store::SystemFlag::answered);
    EXPECT_TRUE(flags.keywords.empty());
}

TEST_F(Sharing, AppendKeepsOnlyFlagsThatMayBeSet_Rfc4314_4) {
    grant("lrit");
    EXPECT_TRUE(ask(ann(), "APPEND " + kTask + " (\\Seen \\Deleted $Work) {3+}\r\na:b").is("OK"));
    const store::Flags flags = message(server.backend.account, "Team/Task", 3).flags;
    EXPECT_EQ(flags.system, store::SystemFlags(store::SystemFlag::deleted));
    EXPECT_TRUE(flags.keywords.empty());
}

TEST_F(Sharing, CloseWithoutTheRightExpungesNothing_Rfc4314_4) {
    grant("lrt");
    ask(ann(), "SELECT " + kTask);
    ask(ann(), "STORE 1 +FLAGS (\\Deleted)");
    EXPECT_TRUE(ask(ann(), "CLOSE").is("OK"));
    EXPECT_EQ(messages_in(server.backend.account, "Team/Task"), 2u);
    grant("lrte");
    ask(ann(), "SELECT " + kTask);
    EXPECT_TRUE(ask(ann(), "CLOSE").is("OK"));
    EXPECT_EQ(messages_in(server.backend.account, "Team/Task"), 1u);
}

TEST_F(Sharing, IdleHearsOfChangesInTheOwnersAccount) {
    grant("lr");
    ask(ann(), "SELECT " + kTask);
    EXPECT_TRUE(ask(ann(), "IDLE").is("+"));
    server.backend.account.deliver(store::make_message("three"), "Team/Task");
    server.backend.announce(store::kAccount);
    std::string line;
    ASSERT_TRUE(server.read_line(ann(), line));
    EXPECT_EQ(line, "* 3 EXISTS");
}

TEST_F(Sharing, WithdrawnRightToReadEndsTheSessionAlsoInIdle) {
    grant("lr");
    ask(ann(), "SELECT " + kTask);
    EXPECT_TRUE(ask(ann(), "IDLE").is("+"));
    grant("l");
    std::string line;
    ASSERT_TRUE(server.read_line(ann(), line));
    EXPECT_TRUE(line.starts_with("* BYE")) << line;
    while (server.read_line(ann(), line)) EXPECT_TRUE(line.starts_with("t ")) << line;
    EXPECT_TRUE(ann().is_closed());
}

TEST_F(Sharing, WithdrawnRightCountsWithTheNextCommand) {
    grant("lrswite");
    ask(ann(), "SELECT " + kTask);
    EXPECT_TRUE(ask(ann(), "STORE 1 +FLAGS (\\Flagged)").is("OK"));
    grant("lrs");
    EXPECT_TRUE(ask(ann(), "STORE 1 -FLAGS (\\Flagged)").is("NO [NOPERM]"));
    EXPECT_TRUE(ask(ann(), "EXPUNGE").is("NO [NOPERM]"));
    EXPECT_TRUE(ask(ann(), "APPEND " + kTask + " {3+}\r\na:b").is("NO [NOPERM]"));
}

TEST_F(Sharing, IdentifiersOfOthersMessagesDifferFromOnesOwn_Rfc8474_4) {
    grant("lr");
    const std::string select = ask(ann(), "SELECT " + kTask).all();
    EXPECT_NE(select.find("-7)] Its id"), std::string::npos) << select;
    EXPECT_EQ(ask(ann(), "FETCH 1 (EMAILID)").untagged.at(0), "* 1 FETCH (EMAILID (M1-7))");
    EXPECT_EQ(ask(ann(), "SEARCH EMAILID M1-7").untagged.at(0), "* SEARCH 1");
    EXPECT_EQ(ask(ann(), "SEARCH EMAILID M1").untagged.at(0), "* SEARCH");
    ask(ann(), "SELECT INBOX");
    EXPECT_EQ(ask(ann(), "FETCH 1 (EMAILID)").untagged.at(0), "* 1 FETCH (EMAILID (M1))");
}

// ---- COPY and MOVE between accounts

TEST_F(Sharing, CopyIntoAnotherAccountTakesBytesDateAndPermittedFlags) {
    grant("lriw");
    ask(ann(), "SELECT INBOX");
    ask(ann(), "STORE 1 +FLAGS (\\Seen \\Flagged $Work)");
    const Answer answer = ask(ann(), "COPY 1 " + kTask);
    const std::string code = "OK [COPYUID " +
                             std::to_string(server.backend.account.info("Team/Task").uidvalidity.value) +
                             " 1 3] ";
    EXPECT_TRUE(answer.is(code)) << answer.tagged;
    const store::MessageInfo copy = message(server.backend.account, "Team/Task", 3);
    EXPECT_EQ(copy.flags.system, store::SystemFlags(store::SystemFlag::flagged));
    EXPECT_FALSE(copy.flags.keywords.empty());
    EXPECT_EQ(copy.internal_date, message(ann_account, "INBOX", 1).internal_date);
    EXPECT_EQ(server.backend.account.read(server.backend.account.id_of("Team/Task"), Uid(3)),
              store::make_message("hers"));
    EXPECT_EQ(messages_in(ann_account, "INBOX"), 1u);
}

TEST_F(Sharing, MoveOutOfAnotherAccountLeavesNothingBehind) {
    grant("lrte");
    ask(ann(), "SELECT " + kTask);
    const Answer answer = ask(ann(), "MOVE 1:2 INBOX");
    EXPECT_TRUE(answer.is("OK")) << answer.all();
    EXPECT_NE(answer.all().find(" 1:2 2:3] Moved\n* 2 EXPUNGE\n* 1 EXPUNGE\n"), std::string::npos)
        << answer.all();
    EXPECT_EQ(messages_in(server.backend.account, "Team/Task"), 0u);
    EXPECT_EQ(messages_in(ann_account, "INBOX"), 3u);
    EXPECT_EQ(ann_account.read(ann_account.id_of("INBOX"), Uid(3)), store::make_message("two"));
}

TEST_F(Sharing, CopyThatFailsHalfWayLeavesNothing_Rfc9051_6_4_7) {
    grant("lri");
    for (int n = 0; n < 70; ++n) ann_account.deliver(store::make_message("more"));
    store::SetQuota quota;
    quota.messages = 62;
    server.backend.account.must<store::Done>(quota);
    ask(ann(), "SELECT INBOX");
    EXPECT_TRUE(ask(ann(), "COPY 1:* " + kTask).is("NO [OVERQUOTA]"));
    EXPECT_EQ(messages_in(server.backend.account, "Team/Task"), 2u);
    EXPECT_TRUE(ask(ann(), "MOVE 1:* " + kTask).is("NO [OVERQUOTA]"));
    EXPECT_EQ(messages_in(server.backend.account, "Team/Task"), 2u);
    EXPECT_EQ(messages_in(ann_account, "INBOX"), 71u);
    EXPECT_TRUE(ask(ann(), "COPY 1:60 " + kTask).is("OK"));
    EXPECT_EQ(messages_in(server.backend.account, "Team/Task"), 62u);
}

TEST_F(Sharing, MoveWhoseSourceCannotBeEmptiedLosesNothing) {
    grant("lrite");
    ask(ann(), "SELECT " + kTask);
    server.backend.refuse_expunge = true;
    EXPECT_TRUE(ask(ann(), "MOVE 1:2 INBOX").is("NO [UNAVAILABLE]"));
    EXPECT_EQ(messages_in(server.backend.account, "Team/Task"), 2u);
    EXPECT_EQ(messages_in(ann_account, "INBOX"), 3u);
}

TEST_F(Sharing, CopyWithinTheOwnersAccountKeepsOnlyFlagsThatMayBeSet_Rfc4314_4) {
    grant("lrit", "Team");
    grant("lrswt", "Team/Task");
    ask(ann(), "SELECT " + kTask);
    ask(ann(), "STORE 1 +FLAGS (\\Seen \\Deleted $Work)");
    EXPECT_TRUE(ask(ann(), "COPY 1 " + kTeam).is("OK"));
    const store::Flags flags = message(server.backend.account, "Team", 1).flags;
    EXPECT_EQ(flags.system, store::SystemFlags(store::SystemFlag::deleted));
    EXPECT_TRUE(flags.keywords.empty());
}

TEST_F(Sharing, QuotaOfTheDestinationsOwnerCounts) {
    grant("lri");
    store::SetQuota quota;
    quota.octets = 1;
    server.backend.account.must<store::Done>(quota);
    EXPECT_TRUE(ask(ann(), "APPEND " + kTask + " {3+}\r\na:b").is("NO [OVERQUOTA]"));
    EXPECT_TRUE(ask(ann(), "APPEND INBOX {3+}\r\na:b").is("OK"));
}

TEST_F(Sharing, RenameStaysWithinAnAccount) {
    grant("lkx");
    EXPECT_TRUE(ask(ann(), "RENAME " + kTask + " Mine").is("NO [CANNOT]"));
    EXPECT_TRUE(ask(ann(), "RENAME Sent \"Other Users/joe@example.org/Team/Sent\"").is("NO [CANNOT]"));
    EXPECT_TRUE(ask(ann(), "RENAME " + kTask + " \"Other Users/joe@example.org/Team/Done\"").is("OK"));
    EXPECT_EQ(ask(ann(), "MYRIGHTS \"Other Users/joe@example.org/Team/Done\"").untagged.at(0),
              "* MYRIGHTS \"Other Users/joe@example.org/Team/Done\" lkxc");
}

// ---- names

TEST(ForeignNames, AddressEndsBehindItsDomain) {
    const auto address = [](std::string_view name) { return split_foreign(store::name(name))->address; };
    const auto mailbox = [](std::string_view name) {
        return split_foreign(store::name(name))->mailbox.value_or(MailboxName::inbox()).utf8();
    };
    EXPECT_EQ(address("Other Users/ann@example.org/A/B"), "ann@example.org");
    EXPECT_EQ(mailbox("Other Users/ann@example.org/A/B"), "A/B");
    EXPECT_EQ(mailbox("Other Users/ann@example.org/inbox"), "INBOX");
    EXPECT_EQ(address("Other Users/a/b@example.org/C"), "a/b@example.org");
    EXPECT_EQ(mailbox("Other Users/a/b@example.org/C"), "C");
    EXPECT_EQ(address("Other Users/\"x@y/z\"@example.org/C"), "\"x@y/z\"@example.org");
    EXPECT_EQ(address("Other Users/jürgen@bücher.example/Å"), "jürgen@bücher.example");
    EXPECT_FALSE(split_foreign(store::name("Other Users/ann@example.org"))->mailbox);
    EXPECT_FALSE(split_foreign(store::name("Other Users")));
    EXPECT_FALSE(split_foreign(store::name("other users/ann@example.org/A")));
    EXPECT_EQ(join_foreign("ann@example.org", store::name("A/B"))->utf8(), "Other Users/ann@example.org/A/B");
}

TEST_F(Sharing, AddressesOutsideAsciiWorkInBothSpellings) {
    store::TestAccount& juergen = server.backend.add_account("jürgen@bücher.example");
    juergen.must<store::MailboxMade>(store::CreateMailbox{store::name("Büro")});
    apply(juergen.id(), store::SetAcl{store::name("Büro"), AccountId(8), false, store::SetAcl::How::replace,
                                      store::Rights::all()});
    EXPECT_EQ(ask(ann(), "LIST \"\" \"Other Users/*\"").untagged.at(0),
              "* LIST (\\HasNoChildren) \"/\" \"Other Users/j&APw-rgen@b&APw-cher.example/B&APw-ro\"");
    EXPECT_TRUE(ask(ann(), "SELECT \"Other Users/j&APw-rgen@b&APw-cher.example/B&APw-ro\"").is("OK"));
    ask(ann(), "ENABLE UTF8=ACCEPT");
    EXPECT_TRUE(ask(ann(), "SELECT \"Other Users/jürgen@bücher.example/Büro\"").is("OK"));
}

}  // namespace
}  // namespace mailstead::imapd
