#include "imapd/proto/command.h"

#include <gtest/gtest.h>

namespace mailstead::imapd::proto {
namespace {

template <class T>
T parsed(std::string_view frame, ParseOptions options = {}) {
    auto command = parse_command(frame, options);
    if (!command) {
        ADD_FAILURE() << frame << ": " << command.error().error.what << " at "
                      << command.error().error.offset;
        return {};
    }
    EXPECT_TRUE(std::holds_alternative<T>(command->arguments)) << frame;
    return std::get<T>(std::move(command->arguments));
}

CommandError refused(std::string_view frame) {
    auto command = parse_command(frame, {});
    EXPECT_FALSE(command) << frame;
    return command ? CommandError{} : std::move(command).error();
}

TEST(ImapCommand, TagAndVerb) {
    const auto command = parse_command("A.1]x noop", {});
    ASSERT_TRUE(command);
    EXPECT_EQ(command->tag, "A.1]x");
    EXPECT_EQ(command->verb, Verb::noop);
    EXPECT_EQ(refused("+ NOOP").tag, "*");
    EXPECT_EQ(refused("a XYZZY").tag, "a");
}

TEST(ImapCommand, LoginTakesAtomsQuotedAndLiterals_Rfc9051_6_2_3) {
    auto login = parsed<Login>("a LOGIN joe@example.org {5}\r\np\"a\\s");
    EXPECT_EQ(login.user, "joe@example.org");
    EXPECT_EQ(login.password.reveal(), "p\"a\\s");
    login = parsed<Login>(R"(a LOGIN "jo\"e" "a\\b ")");
    EXPECT_EQ(login.user, "jo\"e");
    EXPECT_EQ(login.password.reveal(), "a\\b ");
}

TEST(ImapCommand, AuthenticateWithInitialResponse_Rfc4959) {
    EXPECT_EQ(parsed<Authenticate>("a AUTHENTICATE plain").initial, std::nullopt);
    EXPECT_EQ(parsed<Authenticate>("a AUTHENTICATE plain =").initial, "");
    const auto plain = parsed<Authenticate>("a AUTHENTICATE plain AGEAYg==");
    EXPECT_EQ(plain.mechanism, "PLAIN");
    EXPECT_EQ(plain.initial, std::string("\0a\0b", 4));
}

TEST(ImapCommand, SelectWithCondstoreAndQresync_Rfc7162_3_2_5) {
    EXPECT_FALSE(parsed<Select>("a SELECT inBox").read_only);
    EXPECT_TRUE(parsed<Select>("a SELECT inBox").mailbox.is_inbox());
    EXPECT_TRUE(parsed<Select>("a EXAMINE x (CONDSTORE)").condstore);
    const auto q =
        parsed<Select>("a SELECT x (QRESYNC (67890007 90060115194045000 41:211,214:541 (1:3,5 7:9,11)))")
            .qresync;
    ASSERT_TRUE(q);
    EXPECT_EQ(q->uidvalidity, 67890007u);
    EXPECT_EQ(q->mod_seq, 90060115194045000u);
    ASSERT_TRUE(q->known_uids);
    EXPECT_EQ(q->known_uids->resolve(0).size(), 2u);
    ASSERT_TRUE(q->matched);
    EXPECT_TRUE(parsed<Select>("a SELECT x (QRESYNC (1 2))").qresync);
    EXPECT_TRUE(parsed<Select>("a SELECT x (QRESYNC (1 2 (1 2)))").qresync->matched);
    refused("a SELECT x (QRESYNC (1 2 1:*))");
}

TEST(ImapCommand, MailboxNamesInBothSpellings) {
    EXPECT_EQ(parsed<Select>("a SELECT \"Entw&APw-rfe\"").mailbox.utf8(), "Entwürfe");
    EXPECT_EQ(parsed<Select>("a SELECT \"Tom & Jerry\"").mailbox.utf8(), "Tom & Jerry");
    EXPECT_EQ(parsed<Select>("a SELECT \"Entwürfe\"", {true}).mailbox.utf8(), "Entwürfe");
    EXPECT_EQ(parsed<Select>("a SELECT \"a&APw-b\"", {true}).mailbox.utf8(), "a&APw-b");
}

TEST(ImapCommand, ImpossibleMailboxNameIsNo_Rfc5530_3) {
    const auto error = refused("a SELECT \"a//b\"");
    EXPECT_TRUE(error.is_no);
    EXPECT_EQ(error.code, "CANNOT");
}

TEST(ImapCommand, CreateWithSpecialUse_Rfc6154_6) {
    EXPECT_EQ(parsed<Create>("a CREATE x").special_uses.size(), 0u);
    EXPECT_EQ(parsed<Create>("a CREATE x (USE (\\Sent \\Drafts))").special_uses,
              (std::vector<std::string>{"\\Sent", "\\Drafts"}));
}

TEST(ImapCommand, ListExtended_Rfc5258) {
    const auto plain = parsed<List>("a LIST \"\" *");
    EXPECT_FALSE(plain.extended);
    EXPECT_EQ(plain.patterns, std::vector<std::string>{"*"});
    const auto list = parsed<List>(
        "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (INBOX \"a/%\") RETURN (CHILDREN SPECIAL-USE STATUS "
        "(MESSAGES UIDNEXT))");
    EXPECT_TRUE(list.extended && list.subscribed_only && list.recursive_match && list.return_children);
    EXPECT_TRUE(list.return_special_use);
    EXPECT_EQ(list.patterns.size(), 2u);
    ASSERT_TRUE(list.return_status);
    EXPECT_TRUE(list.return_status->messages && list.return_status->uidnext);
    refused("a LIST (RECURSIVEMATCH) \"\" *");
    refused("a LIST (RECURSIVEMATCH REMOTE) \"\" *");
    EXPECT_TRUE(parsed<List>("a LIST () \"\" *").extended);
    EXPECT_EQ(parsed<List>("a LSUB \"\" \"Entw&APw-%\"").patterns.front(), "Entwü%");
}

TEST(ImapCommand, StatusItems) {
    const auto items =
        parsed<Status>(
            "a STATUS x (MESSAGES SIZE DELETED DELETED-STORAGE HIGHESTMODSEQ MAILBOXID APPENDLIMIT)")
            .items;
    EXPECT_TRUE(items.messages && items.size && items.deleted && items.deleted_storage &&
                items.highest_mod_seq && items.mailbox_id && items.append_limit);
    EXPECT_FALSE(items.recent || items.unseen);
    refused("a STATUS x ()");
    refused("a STATUS x (FOO)");
}

TEST(ImapCommand, AppendWithStreamedLiterals_Rfc3502) {
    auto append = parsed<Append>("a APPEND x (\\Seen $Junk) \"17-Jul-1996 02:44:25 -0700\" {310}\r\n");
    ASSERT_EQ(append.messages.size(), 1u);
    EXPECT_TRUE(append.messages[0].flags.has(SystemFlag::seen));
    EXPECT_EQ(append.messages[0].flags.keywords, std::vector<std::string>{"$Junk"});
    EXPECT_EQ(append.messages[0].internal_date->time_since_epoch().count(), 837596665);
    EXPECT_EQ(append.messages[0].literal.size, 310u);
    append = parsed<Append>("a APPEND x {1}\r\n (\\Draft) {2+}\r\n UTF8 (~{3}\r\n)");
    ASSERT_EQ(append.messages.size(), 3u);
    EXPECT_TRUE(append.messages[2].literal.binary);
}

TEST(ImapCommand, KnowsWhichLiteralIsAMessage) {
    EXPECT_TRUE(append_literal_follows("a APPEND x {3}\r\n", {}));
    EXPECT_TRUE(append_literal_follows("a APPEND {1}\r\nx () {3+}\r\n", {}));
    EXPECT_TRUE(append_literal_follows("a append x {3}\r\n \"17-Jul-1996 02:44:25 -0700\" {3}\r\n", {}));
    EXPECT_TRUE(append_literal_follows("a append x UTF8 (~{3}\r\n", {}));
    EXPECT_FALSE(append_literal_follows("a APPEND {3}\r\n", {}));
    EXPECT_FALSE(append_literal_follows("a LOGIN x {3}\r\n", {}));
    EXPECT_FALSE(append_literal_follows("a UID APPEND x {3}\r\n", {}));
    EXPECT_FALSE(append_literal_follows("a APPEND x (\\Seen {3}\r\n", {}));
    EXPECT_TRUE(append_literal_follows("a UID REPLACE 3 x {3}\r\n", {})->replace->uid);
    EXPECT_TRUE(append_literal_follows("a REPLACE * x CATENATE (URL /a/;UID=1 TEXT {3}\r\n", {}));
    EXPECT_TRUE(append_literal_follows("a APPEND x CATENATE (URL {1}\r\ny TEXT {3}\r\n b TEXT {3+}\r\n",
                                       {}) == std::nullopt);
    EXPECT_EQ(
        append_literal_follows("a APPEND x CATENATE (TEXT {3}\r\n UTF8 (~{3+}\r\n", {})->append.literals(),
        2u);
    EXPECT_FALSE(append_literal_follows("a APPEND x CATENATE (URL {3}\r\n", {}));
    EXPECT_FALSE(append_literal_follows("a APPEND x CATENATE (URL {0}\r\n", {}));
    EXPECT_FALSE(append_literal_follows("a REPLACE 1:2 x {3}\r\n", {}));
}

TEST(ImapCommand, FetchModifiers_Rfc7162_3_2_6) {
    EXPECT_EQ(parsed<Fetch>("a FETCH 1 FLAGS (CHANGEDSINCE 0)").changed_since, 0u);
    const auto fetch = parsed<Fetch>("a UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)");
    EXPECT_TRUE(fetch.uid && fetch.vanished);
    refused("a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)");
    refused("a UID FETCH 1 FLAGS (VANISHED)");
}

TEST(ImapCommand, StoreInAllForms) {
    EXPECT_EQ(parsed<Store>("a STORE 1 FLAGS ()").how, Store::How::replace);
    const auto store = parsed<Store>("a UID STORE 1:2 (UNCHANGEDSINCE 5) +FLAGS.SILENT \\Deleted $Junk");
    EXPECT_TRUE(store.uid && store.silent);
    EXPECT_EQ(store.how, Store::How::add);
    EXPECT_EQ(store.unchanged_since, 5u);
    EXPECT_TRUE(store.flags.has(SystemFlag::deleted));
    EXPECT_EQ(parsed<Store>("a STORE 1 -FLAGS (\\Recent \\Foo x X)").flags.keywords,
              std::vector<std::string>{"x"});
}

TEST(ImapCommand, SearchReturnAndCharset) {
    EXPECT_FALSE(parsed<Search>("a SEARCH ALL").result.extended);
    EXPECT_TRUE(parsed<Search>("a SEARCH RETURN () ALL").result.all);
    const auto search = parsed<Search>("a UID SEARCH RETURN (MIN SAVE COUNT) CHARSET utf-8 SUBJECT {2}\r\nü");
    EXPECT_TRUE(search.uid && search.result.min && search.result.save && search.result.count &&
                !search.result.all);
    EXPECT_EQ(search.key.text, "ü");
    const auto error = refused("a SEARCH CHARSET koi8-r ALL");
    EXPECT_TRUE(error.is_no);
    EXPECT_EQ(error.code, "BADCHARSET (UTF-8 US-ASCII)");
}

TEST(ImapCommand, TheOthers) {
    EXPECT_EQ(parsed<Enable>("a ENABLE condstore QResync").capabilities,
              (std::vector<std::string>{"CONDSTORE", "QRESYNC"}));
    EXPECT_EQ(parsed<Rename>("a RENAME x y/z").to.utf8(), "y/z");
    EXPECT_TRUE(parsed<Copy>("a UID MOVE 1:* x").move);
    EXPECT_TRUE(parsed<Expunge>("a UID EXPUNGE 1,3").uids);
    EXPECT_FALSE(parsed<Expunge>("a EXPUNGE").uids);
    EXPECT_TRUE(parsed<IdParameters>("a ID NIL").fields.empty());
    const auto id = parsed<IdParameters>(R"(a ID ("name" "x" "version" NIL))");
    ASSERT_EQ(id.fields.size(), 2u);
    EXPECT_EQ(id.fields[1].second, std::nullopt);
    EXPECT_EQ(parsed<QuotaRoot>("a GETQUOTA \"\"").name, "");
    EXPECT_TRUE(parsed<OneMailbox>("a GETQUOTAROOT inbox").mailbox.is_inbox());
}

TEST(ImapCommand, AccessLists_Rfc4314_7) {
    const auto set = parsed<AclArguments>("a SETACL inbox {4+}\r\n-ann +lr");
    EXPECT_TRUE(set.mailbox.is_inbox());
    EXPECT_EQ(set.identifier, "-ann");
    EXPECT_EQ(set.rights, "+lr");
    EXPECT_EQ(parsed<AclArguments>("a setacl A ann@example.org \"\"").rights, "");
    EXPECT_EQ(parsed<AclArguments>("a DELETEACL A anyone").identifier, "anyone");
    EXPECT_EQ(parsed<AclArguments>("a LISTRIGHTS A \"a b\"").identifier, "a b");
    EXPECT_EQ(parsed<OneMailbox>("a GETACL A").mailbox.utf8(), "A");
    EXPECT_EQ(parsed<OneMailbox>("a MYRIGHTS A").mailbox.utf8(), "A");
    EXPECT_TRUE(parsed<List>("a LIST \"\" * RETURN (MYRIGHTS)").return_my_rights);
}

}  // namespace
}  // namespace mailstead::imapd::proto
