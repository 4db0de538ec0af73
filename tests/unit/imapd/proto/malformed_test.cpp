// Each command with something wrong: always refused, never by taking much memory or time.
#include <gtest/gtest.h>

#include "imapd/proto/command.h"

namespace mailstead::imapd::proto {
namespace {

struct Shape {
    std::string_view command;  // well-formed
};
constexpr std::string_view kWellFormed[] = {
    "AUTHENTICATE PLAIN AGEAYg==",
    "LOGIN joe pw",
    "ENABLE CONDSTORE",
    "SELECT x (QRESYNC (1 2 3:4 (5 6)))",
    "EXAMINE x (CONDSTORE)",
    "CREATE x (USE (\\Sent))",
    "DELETE x",
    "RENAME x y",
    "SUBSCRIBE x",
    "UNSUBSCRIBE x",
    "LIST (SUBSCRIBED) \"\" (a %) RETURN (CHILDREN STATUS (MESSAGES))",
    "LSUB \"\" *",
    "STATUS x (MESSAGES)",
    "APPEND x (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {3}\r\n",
    "GETQUOTA \"\"",
    "GETQUOTAROOT x",
    "SETACL x {3+}\r\nann +lr",
    "LISTRIGHTS x \"ann\"",
    "UID EXPUNGE 1:2",
    "SEARCH RETURN (MIN) CHARSET UTF-8 OR (SEEN NOT DRAFT) HEADER x y",
    "FETCH 1:* (FLAGS BODY.PEEK[1.HEADER.FIELDS (a b)]<0.5>) (CHANGEDSINCE 1)",
    "STORE 1 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Seen x)",
    "COPY 1:2 x",
    "MOVE 1:2 x",
    "ID (\"a\" \"b\")",
    "COMPRESS DEFLATE",
    "NOTIFY SET STATUS (selected (MessageNew (UID BODY[1]) MessageExpunge)) (subtree (a b) (MailboxName))",
    "UIDBATCHES 500 1:2",
};

bool accepted(std::string_view command) {
    return parse_command("a " + std::string(command), {}).has_value();
}

TEST(ImapMalformed, TheTableIsWellFormed) {
    for (const std::string_view command : kWellFormed) EXPECT_TRUE(accepted(command)) << command;
}

TEST(ImapMalformed, EveryPrefixIsTakenOrRefusedWithoutHarm) {
    for (const std::string_view command : kWellFormed) {
        for (std::size_t length = 0; length < command.size(); ++length)
            (void)accepted(command.substr(0, length));
        const std::size_t name = command.find(' ', command.starts_with("UID ") ? 4 : 0);
        EXPECT_FALSE(accepted(command.substr(0, name))) << "without arguments: " << command;
        EXPECT_FALSE(accepted(std::string(command.substr(0, name)) + " "))
            << "with an empty argument: " << command;
    }
}

TEST(ImapMalformed, DoubledSpacesAndTrailingGarbageAreRefused) {
    for (const std::string_view command : kWellFormed) {
        std::string doubled(command);
        doubled.insert(doubled.find(' '), " ");
        EXPECT_FALSE(accepted(doubled)) << doubled;
        EXPECT_FALSE(accepted(std::string(command) + "(")) << command;
    }
    EXPECT_TRUE(accepted("NOOP  "));
    EXPECT_FALSE(accepted("NOOP x"));
}

TEST(ImapMalformed, EveryByteReplacedIsSurvived) {
    for (const std::string_view command : kWellFormed) {
        for (std::size_t at = 0; at < command.size(); ++at) {
            for (const char c : {'\0', '\r', '\n', '(', ')', '{', '"', '\\', '\x7F', '\xFF', ' ', '*'}) {
                std::string changed(command);
                changed[at] = c;
                (void)accepted(changed);
            }
        }
    }
}

TEST(ImapMalformed, NestingTenThousandDeep) {
    const std::string deep(10'000, '(');
    for (const std::string_view start : {"SEARCH ", "FETCH 1 ", "LIST ", "LIST \"\" ", "STATUS x ", "ID ",
                                         "STORE 1 FLAGS ", "CREATE x ", "SELECT x ", "APPEND x "}) {
        EXPECT_FALSE(accepted(std::string(start) + deep)) << start;
    }
}

TEST(ImapMalformed, OversizedPieces) {
    const std::string big(60'000, 'x');
    EXPECT_FALSE(accepted("SELECT " + big));
    EXPECT_FALSE(accepted("FETCH 1 BODY[" + big + "]"));
    EXPECT_FALSE(parse_command(big + " NOOP", {}));
    std::string parts = "1";
    for (int i = 0; i < 10'000; ++i) parts += ".1";
    EXPECT_FALSE(accepted("FETCH 1 BODY[" + parts + "]"));
    std::string set = "1";
    for (int i = 0; i < 60'000; ++i) set += ",1";
    EXPECT_FALSE(accepted("FETCH " + set + " FLAGS"));
    std::string flags = "x0";
    for (int i = 1; i < 1000; ++i) flags += " x" + std::to_string(i);
    EXPECT_FALSE(accepted("STORE 1 FLAGS (" + flags + ")"));
}

TEST(ImapMalformed, LiteralsThatLie) {
    EXPECT_FALSE(accepted("LOGIN {9}\r\nx y"));
    EXPECT_FALSE(accepted("LOGIN {9223372036854775807}\r\nx y"));
    EXPECT_FALSE(accepted("LOGIN {3}\nx y"));
    EXPECT_FALSE(accepted(std::string_view("LOGIN {2}\r\nx\0 y", 15)));
    EXPECT_FALSE(accepted("LOGIN ~{1}\r\nx y"));
}

}  // namespace
}  // namespace mailstead::imapd::proto
