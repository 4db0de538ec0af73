#include <gtest/gtest.h>

#include "tests/unit/imapd/pop3/fake_session.h"

namespace mailstead::imapd::pop3 {
namespace {

constexpr Milliseconds kTenMinutes{600'000};

class Pop3Core : public testing::Test {
protected:
    void log_in() {
        session.say("USER joe");
        ASSERT_EQ(session.say("PASS secret"), "+OK 3 messages (79 octets)\r\n");
    }
    Profile profile{"pop.example.org", {}, {}};
    World world;
    FakeSession session{profile, world, true};
};

struct Case {
    const char* name;
    std::vector<std::string> before;
    std::string line;
    std::string answer;
};
void PrintTo(const Case& c, std::ostream* out) {
    *out << c.name;
}

class Pop3Answers : public testing::TestWithParam<Case> {};
TEST_P(Pop3Answers, AsTheRfcsSay) {
    const Profile profile{"pop.example.org", {}, {}};
    World world;
    FakeSession session(profile, world, true);
    EXPECT_EQ(session.take(), "+OK pop.example.org POP3 ready\r\n");
    for (const std::string& line : GetParam().before) session.say(line);
    EXPECT_EQ(session.say(GetParam().line), GetParam().answer);
}

const std::vector<std::string> kIn = {"USER joe", "PASS secret"};
std::vector<std::string> in(std::vector<std::string> more) {
    std::vector<std::string> all = kIn;
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

const Case kCases[] = {
    {"Stat", kIn, "STAT", "+OK 3 79\r\n"},
    {"StatWithoutDeleted", in({"DELE 1"}), "stat", "+OK 2 56\r\n"},
    {"ListOne", kIn, "LIST 2", "+OK 2 29\r\n"},
    {"ListAll", kIn, "LIST", "+OK Here they are\r\n1 23\r\n2 29\r\n3 27\r\n.\r\n"},
    {"ListWithoutDeleted", in({"DELE 2"}), "LIST", "+OK Here they are\r\n1 23\r\n3 27\r\n.\r\n"},
    {"ListNone", kIn, "LIST 4", "-ERR No such message\r\n"},
    {"ListZero", kIn, "LIST 0", "-ERR No such message\r\n"},
    {"ListTooLarge", kIn, "LIST 99999999999999999999", "-ERR No such message\r\n"},
    {"ListDeleted", in({"DELE 2"}), "LIST 2", "-ERR That message is deleted\r\n"},
    {"UidlOne", kIn, "UIDL 3", "+OK 3 9.3\r\n"},
    {"UidlAll", kIn, "UIDL", "+OK Here they are\r\n1 9.1\r\n2 9.2\r\n3 9.3\r\n.\r\n"},
    {"Retr", kIn, "RETR 1", "+OK 23 octets\r\nSubject: one\r\n\r\nFirst\r\n.\r\n"},
    {"RetrStuffsDots", kIn, "RETR 2", "+OK 29 octets\r\nSubject: two\r\n\r\n..dots\r\nLast\r\n.\r\n"},
    {"RetrDeleted", in({"DELE 2"}), "RETR 2", "-ERR That message is deleted\r\n"},
    {"RetrWithoutNumber", kIn, "RETR", "-ERR No such message\r\n"},
    {"Top", kIn, "TOP 3 2", "+OK The beginning\r\nSubject: three\r\n\r\n1\r\n2\r\n.\r\n"},
    {"TopHeaderAlone", kIn, "TOP 3 0", "+OK The beginning\r\nSubject: three\r\n\r\n.\r\n"},
    {"TopMoreThanThereIs", kIn, "TOP 3 99",
     "+OK The beginning\r\nSubject: three\r\n\r\n1\r\n2\r\n3\r\n.\r\n"},
    {"TopWithoutLines", kIn, "TOP 3", "-ERR TOP message lines\r\n"},
    {"TopNegative", kIn, "TOP 3 -1", "-ERR TOP message lines\r\n"},
    {"DeleTwice", in({"DELE 2"}), "DELE 2", "-ERR That message is deleted\r\n"},
    {"RsetBringsBack", in({"DELE 1", "DELE 2", "RSET"}), "STAT", "+OK 3 79\r\n"},
    {"Noop", kIn, "NOOP", "+OK Nothing done\r\n"},
    {"LoginFirst", {}, "STAT", "-ERR Log in first\r\n"},
    {"LoginOnce", kIn, "USER joe", "-ERR You are logged in already\r\n"},
    {"PassNeedsUser", {}, "PASS secret", "-ERR Begin with USER\r\n"},
    {"WrongPassword", {"USER joe"}, "PASS wrong", "-ERR [AUTH] Wrong user name or password\r\n"},
    {"WrongPasswordForgetsUser", {"USER joe", "PASS x"}, "PASS secret", "-ERR Begin with USER\r\n"},
    {"PasswordIsTheRestOfTheLine",
     {"USER joe"},
     "PASS secret ",
     "-ERR [AUTH] Wrong user name or password\r\n"},
    {"Unavailable",
     {"USER busy"},
     "PASS x",
     "-ERR [SYS/TEMP] Logins cannot be checked now, try again later\r\n"},
    {"NotAuthorized", {"USER other"}, "PASS x", "-ERR [AUTH] You may not act as somebody else\r\n"},
    {"AuthPlain", {}, "AUTH plain AGpvZQBzZWNyZXQ=", "+OK 3 messages (79 octets)\r\n"},
    {"AuthPlainAsked", {"AUTH PLAIN"}, "AGpvZQBzZWNyZXQ=", "+OK 3 messages (79 octets)\r\n"},
    {"AuthAsks", {}, "AUTH PLAIN", "+ \r\n"},
    {"AuthMalformed", {}, "AUTH PLAIN Zm9v", "-ERR That is not what the mechanism prescribes\r\n"},
    {"AuthNoBase64", {}, "AUTH PLAIN !", "-ERR That is no base64\r\n"},
    {"AuthAnswerNoBase64", {"AUTH PLAIN"}, "!", "-ERR That is no base64\r\n"},
    {"AuthCancelled", {"AUTH PLAIN"}, "*", "-ERR Cancelled\r\n"},
    {"AuthCancelledThenCommands", {"AUTH PLAIN", "*"}, "NOOP", "-ERR Log in first\r\n"},
    {"AuthUnknown", {}, "AUTH GSSAPI", "-ERR No such mechanism\r\n"},
    {"AuthWithout", {}, "AUTH", "-ERR AUTH mechanism [initial-response]\r\n"},
    {"ServersLastWord", {"AUTH SCRAM-SHA-256 Zmlyc3Q="}, "ZmluYWw=", "+ dj1wcm9vZg==\r\n"},
    {"ServersLastWordAnswered",
     {"AUTH SCRAM-SHA-256 Zmlyc3Q=", "ZmluYWw="},
     "",
     "+OK 3 messages (79 octets)\r\n"},
    {"ServersLastWordRefused", {"AUTH SCRAM-SHA-256 Zmlyc3Q=", "ZmluYWw="}, "*", "-ERR Cancelled\r\n"},
    {"NoStlsUnderTls", {}, "STLS", "-ERR TLS is not available here\r\n"},
    {"Utf8", {}, "UTF8", "+OK UTF-8 it is\r\n"},
    {"Utf8BeforeLoginAlone", kIn, "UTF8", "-ERR You are logged in already\r\n"},
    {"LangList",
     {},
     "LANG",
     "+OK Languages\r\nen English\r\ni-default English, as understood anywhere\r\n.\r\n"},
    {"LangPreferred", kIn, "LANG *", "+OK en English it is\r\n"},
    {"LangOther", kIn, "LANG MUL", "-ERR No such language\r\n"},
    {"Unknown", kIn, "XTND", "-ERR Unknown command\r\n"},
    {"Apop", {}, "APOP joe c4c9334bac560ecc979e58001b3e22fb", "-ERR Unknown command\r\n"},
    {"Empty", kIn, "", "-ERR Unknown command\r\n"},
    {"Quit", kIn, "QUIT", "+OK Good bye\r\n"},
    {"QuitBeforeLogin", {}, "QUIT", "+OK Good bye\r\n"},
    {"Capa",
     {},
     "CAPA",
     "+OK Capabilities\r\nTOP\r\nUIDL\r\nUSER\r\nSASL SCRAM-SHA-256 PLAIN\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
     "PIPELINING\r\nEXPIRE NEVER\r\nUTF8 USER\r\nLANG\r\nIMPLEMENTATION Mailstead\r\n.\r\n"},
    {"CapaIsTheSameAfterLogin_Rfc2449_6_3", kIn, "CAPA",
     "+OK Capabilities\r\nTOP\r\nUIDL\r\nUSER\r\nSASL SCRAM-SHA-256 PLAIN\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
     "PIPELINING\r\nEXPIRE NEVER\r\nUTF8 USER\r\nLANG\r\nIMPLEMENTATION Mailstead\r\n.\r\n"},
};
INSTANTIATE_TEST_SUITE_P(Cases, Pop3Answers, testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_F(Pop3Core, RemovesAtQuitAndNotBefore_Rfc1939_6) {
    log_in();
    session.say("DELE 3");
    session.say("DELE 1");
    EXPECT_EQ(world.updates, 0);
    EXPECT_EQ(session.say("QUIT"), "+OK Good bye\r\n");
    EXPECT_EQ(world.removed, (std::vector<std::uint32_t>{1, 3}));
    EXPECT_TRUE(session.closed());
}

TEST_F(Pop3Core, ALostConnectionRemovesNothing) {
    log_in();
    session.say("DELE 1");
    EXPECT_EQ(world.updates, 0);
}

TEST_F(Pop3Core, AFailedUpdateIsSaid) {
    log_in();
    session.say("DELE 1");
    world.trouble = Trouble::temporary;
    EXPECT_EQ(session.say("QUIT"), "-ERR [SYS/TEMP] The deleted messages could not be removed\r\n");
    EXPECT_TRUE(session.closed());
}

TEST_F(Pop3Core, MessagesThatOthersRemovedKeepTheirNumbersEmpty) {
    log_in();
    world.gone = {2};
    EXPECT_EQ(session.say("RETR 2"), "-ERR That message is no more\r\n");
    EXPECT_EQ(session.say("LIST 2"), "-ERR That message is no more\r\n");
    EXPECT_EQ(session.say("LIST"), "+OK Here they are\r\n1 23\r\n3 27\r\n.\r\n");
    EXPECT_EQ(session.say("UIDL 3"), "+OK 3 9.3\r\n");
    EXPECT_EQ(session.say("DELE 2"), "+OK Deleted\r\n");
}

TEST_F(Pop3Core, TroubleHasItsResponseCode_Rfc3206) {
    const std::pair<Trouble, std::string> cases[] = {
        {Trouble::in_use, "-ERR [IN-USE] Too many sessions of this account\r\n"},
        {Trouble::temporary, "-ERR [SYS/TEMP] Not possible now, try again later\r\n"},
        {Trouble::in_repair,
         "-ERR [SYS/TEMP] Your mailbox is being repaired. Nothing is lost; please try again in a minute\r\n"},
        {Trouble::lost, "-ERR [SYS/PERM] The text of this message is lost on the server\r\n"},
        {Trouble::permanent, "-ERR [SYS/PERM] The mailbox is damaged\r\n"}};
    for (const auto& [trouble, answer] : cases) {
        world.trouble = trouble;
        session.say("USER joe");
        EXPECT_EQ(session.say("PASS secret"), answer);
    }
    EXPECT_FALSE(session.core().is_logged_in());
    world.trouble.reset();
    session.take();
    log_in();
    world.trouble = Trouble::temporary;
    EXPECT_EQ(session.say("RETR 1"), "-ERR [SYS/TEMP] Not possible now, try again later\r\n");
}

TEST_F(Pop3Core, PipelinedCommandsAreAnsweredInOrder_Rfc2449_6_6) {
    session.take();
    session.feed("USER joe\r\nPASS secret\r\nSTAT\r\nDELE 1\r\nQUIT\r\n");
    EXPECT_EQ(
        session.take(),
        "+OK Now the password\r\n+OK 3 messages (79 octets)\r\n+OK 3 79\r\n+OK Deleted\r\n+OK Good bye\r\n");
    EXPECT_EQ(world.removed, std::vector<std::uint32_t>{1});
}

TEST_F(Pop3Core, WaitsTenMinutes_Rfc1939_3) {
    EXPECT_GE(std::get<ReadLine>(session.waiting_for()).timeout, kTenMinutes);
    log_in();
    EXPECT_GE(std::get<ReadLine>(session.waiting_for()).timeout, kTenMinutes);
}

TEST_F(Pop3Core, GivesUpOnBadCommands) {
    for (std::uint32_t i = 0; i + 1 < profile.limits.bad_commands; ++i) session.say("FOO");
    EXPECT_FALSE(session.closed());
    session.say("FOO");
    EXPECT_TRUE(session.closed());
}

TEST_F(Pop3Core, GivesUpOnFailedLogins) {
    for (std::uint32_t i = 0; i < profile.limits.failed_logins; ++i) {
        EXPECT_FALSE(session.closed());
        session.say("USER joe");
        session.say("PASS wrong");
    }
    EXPECT_TRUE(session.closed());
}

TEST_F(Pop3Core, GivesUpOnStrangersWhoOnlyChat) {
    for (std::uint32_t i = 0; i < profile.limits.login_commands; ++i) session.say("CAPA");
    EXPECT_FALSE(session.closed());
    session.say("CAPA");
    EXPECT_TRUE(session.closed());
}

TEST_F(Pop3Core, LongLinesAreRefusedAndSkipped) {
    log_in();
    EXPECT_EQ(session.say("RETR " + std::string(profile.limits.line, '1')), "-ERR Line too long\r\n");
    EXPECT_EQ(session.say("NOOP"), "+OK Nothing done\r\n");
}

TEST(Pop3Tls, PasswordsWaitForStls_Rfc2595_2_1) {
    const Profile profile{"pop.example.org", {}, {}};
    World world;
    FakeSession session(profile, world, false);
    session.take();
    EXPECT_EQ(session.say("USER joe"), "-ERR Use STLS first\r\n");
    EXPECT_EQ(session.say("AUTH PLAIN AGpvZQBzZWNyZXQ="), "-ERR Use STLS first\r\n");
    const std::string before = session.say("CAPA");
    EXPECT_NE(before.find("STLS\r\n"), std::string::npos);
    EXPECT_EQ(before.find("USER\r\nSASL"), std::string::npos);
    session.feed("STLS\r\nUSER joe\r\n");  // what is pipelined behind STLS is dropped (RFC 2595, 4)
    EXPECT_EQ(session.take(), "+OK Begin TLS\r\n");
    EXPECT_EQ(world.tls_starts, 1);
    EXPECT_EQ(session.say("PASS secret"), "-ERR Begin with USER\r\n");
    const std::string after = session.say("CAPA");
    EXPECT_EQ(after.find("STLS"), std::string::npos);
    EXPECT_NE(after.find("USER\r\nSASL SCRAM-SHA-256 PLAIN\r\n"), std::string::npos);
}

TEST(Pop3Tls, NotAfterUtf8_Rfc6856_2_1) {
    const Profile profile{"pop.example.org", {}, {}};
    World world;
    FakeSession session(profile, world, false);
    session.take();
    session.say("UTF8");
    EXPECT_EQ(session.say("STLS"), "-ERR Not after UTF8\r\n");
}

TEST(Pop3Hidden, WhatIsHiddenIsNotThere) {
    const Profile profile{"pop.example.org", {"UTF8", "TOP"}, {}};
    World world;
    FakeSession session(profile, world, true);
    session.take();
    EXPECT_EQ(session.say("UTF8"), "-ERR Unknown command\r\n");
    const std::string capabilities = session.say("CAPA");
    EXPECT_EQ(capabilities.find("UTF8"), std::string::npos);
    EXPECT_EQ(capabilities.find("TOP"), std::string::npos);
}

}  // namespace
}  // namespace mailstead::imapd::pop3
