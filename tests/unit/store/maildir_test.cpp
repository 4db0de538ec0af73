#include "common/store/maildir.h"

#include <gtest/gtest.h>

namespace mailstead::store::maildir {
namespace {

TEST(MaildirFolders, AreReversible) {
    struct Case {
        const char* name;
        const char* folder;
    };
    for (const Case& c :
         {Case{"INBOX", ""}, Case{"Sent", ".Sent"}, Case{"Work/2026", ".Work.2026"},
          Case{"a.b/c", ".a%2Eb.c"}, Case{"100%", ".100%25"}, Case{"INBOX/Lists", ".INBOX.Lists"},
          Case{"%2E", ".%252E"}, Case{"Entw\xC3\xBCrfe", ".Entw\xC3\xBCrfe"}, Case{"~x", ".~x"},
          Case{".hidden", ".%2Ehidden"}}) {
        const MailboxName mailbox = MailboxName::parse(c.name).value();
        EXPECT_EQ(folder_of(mailbox), c.folder);
        EXPECT_EQ(mailbox_of(c.folder), mailbox) << c.folder;
        if (*c.folder != '\0') {
            EXPECT_EQ(mailbox_of(folder_with_number(c.folder, 12)), mailbox);
        }
    }
    for (const char* none : {"Sent", ".", "..", ".a..b", ".x%", ".x%2", ".x%zz", ".INBOX", ".a%2Fb%00"})
        EXPECT_FALSE(mailbox_of(none)) << none;
}

TEST(MaildirNames, TellWhatTheIndexKnows) {
    const FileName name{3,    42,
                        9,    1'700'000'000,
                        1234, Place((SystemFlag::seen | SystemFlag::flagged | SystemFlag::draft).bits())};
    EXPECT_EQ(file_name(AccountId(7), name), "1700000000.A7B3U42M9.mailstead,S=1234:2,DFS");
    FileName fresh = name;
    fresh.place = Place(Place::kNew);
    EXPECT_EQ(file_path(AccountId(7), ".Work", fresh),
              "accounts/7/mail/.Work/new/1700000000.A7B3U42M9.mailstead,S=1234");
    for (const FileName& each : {name, fresh}) {
        const auto parsed = parse_name(file_name(AccountId(7), each));
        ASSERT_TRUE(parsed);
        EXPECT_EQ(parsed->account, AccountId(7));
        EXPECT_EQ(file_name(parsed->account, parsed->name), file_name(AccountId(7), each));
    }
}

TEST(MaildirNames, OfOthersAreForeign) {
    for (const char* foreign :
         {"1700000000.M123P45.host,S=1:2,S", "1700000000.A7B3U42M9.mailstead", "x.A7B3U42M9.mailstead,S=1",
          "1700000000.A7B3U42.mailstead,S=1", "1700000000.A7B3U42M9.mailstead,S=1,W=2",
          "1700000000.A99999999999B3U42M9.mailstead,S=1", "", "."}) {
        EXPECT_FALSE(parse_name(foreign)) << foreign;
    }
    EXPECT_EQ(flags_of("1700000000.M1P2.host,S=1:2,FRSTD"), SystemFlags::from_bits(SystemFlags::kAll));
    EXPECT_EQ(flags_of("1700000000.M1P2.host:2,Sab"), SystemFlags(SystemFlag::seen));
    EXPECT_TRUE(flags_of("SSS").empty());
    EXPECT_EQ(date_of("1700000000.M1P2.host"), 1'700'000'000);
    EXPECT_FALSE(date_of("cur"));
    EXPECT_FALSE(date_of("99999999999999.x"));
}

}  // namespace
}  // namespace mailstead::store::maildir
