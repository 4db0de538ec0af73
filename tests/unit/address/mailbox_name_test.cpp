#include "common/address/mailbox_name.h"

#include <gtest/gtest.h>

namespace mailstead {
namespace {

std::string parsed(std::string_view text) {
    const auto name = MailboxName::parse(text);
    return name ? name->utf8() : "refused";
}

TEST(MailboxName, InboxInAnyCaseAsFirstLevel_Rfc9051_5_1) {
    EXPECT_EQ(parsed("inbox"), "INBOX");
    EXPECT_EQ(parsed("iNbOx/Work"), "INBOX/Work");
    EXPECT_EQ(parsed("Work/inbox"), "Work/inbox");
    EXPECT_EQ(parsed("inboxes"), "inboxes");
    EXPECT_TRUE(MailboxName::parse("InBox")->is_inbox());
    EXPECT_FALSE(MailboxName::parse("INBOX/a")->is_inbox());
    EXPECT_EQ(MailboxName::inbox(), *MailboxName::parse("inbox"));
}

TEST(MailboxName, RefusesWhatNoFolderCanBe) {
    for (const std::string& bad :
         {std::string(), std::string("/"), std::string("/a"), std::string("a//b"), std::string("a//"),
          std::string("."), std::string(".."), std::string("a/../b"), std::string("a/."), std::string("a\nb"),
          std::string("a\x7F"), std::string("a\0b", 3), std::string("\xFF"), std::string(1001, 'a')}) {
        EXPECT_EQ(parsed(bad), "refused") << bad;
    }
    EXPECT_EQ(parsed("a/"), "a");
    EXPECT_EQ(parsed("..."), "...");
    EXPECT_EQ(parsed(".hidden"), ".hidden");
    EXPECT_EQ(parsed(std::string(1000, 'a')), std::string(1000, 'a'));
}

TEST(MailboxName, LevelsAreBounded) {
    std::string name = "a";
    for (int i = 1; i < 32; ++i) name += "/a";
    EXPECT_EQ(parsed(name), name);
    EXPECT_EQ(parsed(name + "/a"), "refused");
}

TEST(MailboxName, TakesWhatClientsSendAsUtf7) {
    EXPECT_EQ(MailboxName::parse_modified_utf7("Entw&APw-rfe")->utf8(), "Entw\xC3\xBCrfe");
    EXPECT_EQ(MailboxName::parse_modified_utf7("R & D")->utf8(), "R & D") << "a bare & stands for itself";
    EXPECT_EQ(MailboxName::parse_modified_utf7("Entw\xC3\xBCrfe")->utf8(), "Entw\xC3\xBCrfe")
        << "UTF-8 although not announced";
    EXPECT_EQ(MailboxName::parse("Entw\xC3\xBCrfe")->modified_utf7(), "Entw&APw-rfe");
    EXPECT_FALSE(MailboxName::parse_modified_utf7("a//b"));
}

TEST(MailboxName, LevelsParentsAndRenames) {
    const MailboxName name = *MailboxName::parse("a/b/c");
    EXPECT_EQ(name.leaf(), "c");
    EXPECT_EQ(name.parent()->utf8(), "a/b");
    EXPECT_FALSE(MailboxName::parse("a")->parent());
    EXPECT_EQ(name.levels(), (std::vector<std::string_view>{"a", "b", "c"}));
    EXPECT_TRUE(name.is_below(*MailboxName::parse("a")));
    EXPECT_FALSE(name.is_below(name));
    EXPECT_FALSE(MailboxName::parse("ab/c")->is_below(*MailboxName::parse("a")));
    EXPECT_EQ(name.rebased(*MailboxName::parse("a/b"), *MailboxName::parse("x"))->utf8(), "x/c");
    EXPECT_EQ(name.rebased(name, *MailboxName::parse("x"))->utf8(), "x");
    EXPECT_FALSE(MailboxName::parse("a/" + std::string(900, 'b'))
                     ->rebased(*MailboxName::parse("a"), *MailboxName::parse(std::string(200, 'x'))));
}

}  // namespace
}  // namespace mailstead
