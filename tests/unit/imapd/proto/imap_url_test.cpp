#include "imapd/proto/imap_url.h"

#include <gtest/gtest.h>

namespace mailstead::imapd::proto {
namespace {

MailboxName name(std::string_view utf8) {
    return MailboxName::parse(utf8).value();
}

TEST(ImapUrl, NamesMessagesAndPartsOfThem_Rfc5092_11) {
    struct Case {
        std::string_view url;
        std::string_view mailbox;
        std::uint32_t uidvalidity;
        std::uint32_t uid;
        std::string_view section;
    };
    const Case cases[] = {
        {"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", "Drafts", 385759045, 20, "HEADER"},
        {"/Drafts;UIDVALIDITY=385759045/;UID=20/;Section=1.MIME", "Drafts", 385759045, 20, "1.MIME"},
        {"/inbox/;uid=7", "INBOX", 0, 7, ""},
        {"/a%20b/%E5%8F%B0/;UID=1", "a b/台", 0, 1, ""},
        {"/a/./b/../c/;UID=1", "a/c", 0, 1, ""},
        {"/..;UIDVALIDITY=5/;UID=1", "", 5, 1, "-"},
        {"/x/;UID=1/;SECTION=1.2.HEADER.FIELDS%20(From%20To)", "x", 0, 1, "1.2.HEADER.FIELDS (From To)"},
        {";UID=9/;SECTION=TEXT", "Work/Old", 0, 9, "TEXT"},
        {"New/;UID=9", "Work/New", 0, 9, ""},
        {"../Top/;UID=9", "Top", 0, 9, ""},
    };
    for (const Case& c : cases) {
        const auto url = parse_imap_url(c.url, name("Work/Old"));
        if (c.section == "-") {
            EXPECT_FALSE(url) << c.url;
            continue;
        }
        ASSERT_TRUE(url) << c.url << ": " << url.error().what;
        EXPECT_EQ(url->mailbox.utf8(), c.mailbox) << c.url;
        EXPECT_EQ(url->uidvalidity.value_or(0), c.uidvalidity) << c.url;
        EXPECT_EQ(url->uid, c.uid) << c.url;
        std::string section;
        write_section(section, url->section);
        EXPECT_EQ(section, c.section) << c.url;
        EXPECT_FALSE(url->server) << c.url;
    }
}

TEST(ImapUrl, SaysWhichServerAndUser) {
    const auto url = parse_imap_url("IMAP://joe%40x.org;AUTH=*@Mail.example.org:993/INBOX/;UID=1", {});
    ASSERT_TRUE(url);
    ASSERT_TRUE(url->server);
    EXPECT_EQ(url->server->user, "joe@x.org");
    EXPECT_EQ(url->server->host, "Mail.example.org");
    EXPECT_EQ(url->server->port, 993);
    const auto bare = parse_imap_url("//[::1]/INBOX/;UID=1", {});
    ASSERT_TRUE(bare);
    EXPECT_EQ(bare->server->host, "[::1]");
    EXPECT_FALSE(bare->server->user);
}

TEST(ImapUrl, TakesPartials_Rfc5550) {
    const auto range = parse_imap_url("/x/;UID=1/;SECTION=1/;PARTIAL=10.20", {});
    ASSERT_TRUE(range);
    EXPECT_EQ(range->partial, (Partial{10, 20}));
    const auto rest = parse_imap_url("/x/;UID=1/;PARTIAL=10", {});
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->partial, (Partial{10, UINT64_MAX}));
}

TEST(ImapUrl, RefusesWhatNamesNoMessage) {
    for (const std::string_view url : {"",
                                       "/",
                                       "/INBOX",
                                       "/INBOX/;UID=",
                                       "/INBOX/;UID=0",
                                       "/INBOX/;UID=1x",
                                       "/INBOX;UID=1",
                                       "/;UID=1",
                                       ";UID=1",
                                       "/INBOX/;UID=1/;SECTION=",
                                       "/INBOX/;UID=1/;SECTION=nonsense",
                                       "/INBOX/;UID=1/;PARTIAL=",
                                       "/INBOX/;UID=1/;PARTIAL=1.0",
                                       "/INBOX;UIDVALIDITY=0/;UID=1",
                                       "/INBOX?SUBJECT%20x",
                                       "/a%/;UID=1",
                                       "/a%0/;UID=1",
                                       "/a%00b/;UID=1",
                                       "http://x/INBOX/;UID=1",
                                       "imap:/INBOX/;UID=1",
                                       "imap://x",
                                       "imap://@/INBOX/;UID=1",
                                       "imap://x:99999/INBOX/;UID=1",
                                       "/INBOX/;UID=1;URLAUTH=anonymous",
                                       "/INBOX/;UID=1/;SECTION=1.MIME/x"}) {
        EXPECT_FALSE(parse_imap_url(url, {})) << url;
    }
    EXPECT_FALSE(parse_imap_url("/" + std::string(kMaxUrl, 'a') + "/;UID=1", {}));
}

}  // namespace
}  // namespace mailstead::imapd::proto
