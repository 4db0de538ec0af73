#include "common/mime/date_time.h"

#include <gtest/gtest.h>

namespace mailstead::mime {
namespace {

std::string normal(std::string_view value) {
    const auto parsed = parse_message_date(value);
    return parsed ? write_message_date(*parsed) : "(none)";
}

TEST(MessageDate, ReadsWhatIsRightAndWhatIsNearlyRight) {
    struct Case {
        std::string_view value, expected;
    };
    for (const Case& c : {
             Case{"Fri, 21 Nov 1997 09:55:06 -0600", "Fri, 21 Nov 1997 09:55:06 -0600"},
             {"Tue, 1 Jul 2003 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200"},
             {"1 Jul 2003 10:52 GMT", "Tue, 1 Jul 2003 10:52:00 +0000"},
             {"21 Nov 97 09:55:06 EST", "Fri, 21 Nov 1997 09:55:06 -0500"},
             {"21 Nov 03 09:55:06 PDT", "Fri, 21 Nov 2003 09:55:06 -0700"},
             {"21 Nov 103 09:55:06 Z", "Fri, 21 Nov 2003 09:55:06 +0000"},
             {"Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)",
              "Thu, 13 Feb 1969 23:32:00 -0330"},
             {"Wed Jul  1 02:23:25 1996", "Mon, 1 Jul 1996 02:23:25 +0000"},
             {"Wed Jul 17 02:23:25 PDT 1996", "Wed, 17 Jul 1996 02:23:25 -0700"},
             {"17-Jul-1996 02:44:25 -0700", "Wed, 17 Jul 1996 02:44:25 -0700"},
             {"Monday, 1 July 1996 02:23:25 GMT+0200", "Mon, 1 Jul 1996 02:23:25 +0200"},
             {"1996-07-01 02:23:25 +00:30", "Mon, 1 Jul 1996 02:23:25 +0030"},
             {"1 Jul 1996 25:00:00 +0000", "Mon, 1 Jul 1996 00:00:00 +0000"},
             {"1 Jul 1996", "Mon, 1 Jul 1996 00:00:00 +0000"},
             {"1 Jul 1996 10:00:00 +9999", "Mon, 1 Jul 1996 10:00:00 +0000"},
             {"31 Dec 1998 23:59:60 +0000", "Fri, 1 Jan 1999 00:00:00 +0000"},
             {"31 Feb 1998 10:00:00 +0000", "(none)"},
             {"1 Jul 1899 10:00:00 +0000", "(none)"},
             {"yesterday", "(none)"},
             {"", "(none)"},
         }) {
        EXPECT_EQ(normal(c.value), c.expected) << c.value;
    }
}

TEST(MessageDate, KeepsTheLocalDay) {
    using namespace std::chrono;
    const auto parsed = parse_message_date("31 Dec 2000 16:01:33 -0800");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->local_date(), year(2000) / 12 / 31);
    EXPECT_EQ(parsed->utc, sys_days(year(2001) / 1 / 1) + hours(0) + minutes(1) + seconds(33));
}

TEST(ImapDateTime, GoesBothWays) {
    for (const char* text : {"17-Jul-1996 02:44:25 -0700", " 1-Jan-2024 23:59:59 +1400"}) {
        const auto parsed = parse_imap_date_time(text);
        ASSERT_TRUE(parsed) << text;
        EXPECT_EQ(write_imap_date_time(*parsed), text);
    }
    EXPECT_EQ(parse_imap_date_time("1-Jan-2024 00:00:00 +0000")->utc,
              std::chrono::sys_days(std::chrono::year(2024) / 1 / 1));
}

TEST(ImapDateTime, RefusesWhatIsWrong) {
    for (const char* text :
         {"", "17-Jul-1996", "17-Jul-1996 02:44:25", "17-Jul-1996 2:44:25 -0700",
          "17-Xxx-1996 02:44:25 -0700", "32-Jul-1996 02:44:25 -0700", "17-Jul-96 02:44:25 -0700",
          "17-Jul-1996 24:44:25 -0700", "17-Jul-1996 02:44:25 0700", "17-Jul-1996 02:44:25 -07:00"}) {
        EXPECT_FALSE(parse_imap_date_time(text)) << text;
    }
}

TEST(ImapDate, GoesBothWays) {
    EXPECT_EQ(write_imap_date(*parse_imap_date("1-Feb-1994")), "1-Feb-1994");
    EXPECT_EQ(write_imap_date(*parse_imap_date("\"01-feb-1994\"")), "1-Feb-1994");
    for (const char* text : {"", "1-Feb", "29-Feb-1995", "001-Feb-1994", "1-February-1994", "1-2-1994"}) {
        EXPECT_FALSE(parse_imap_date(text)) << text;
    }
}

}  // namespace
}  // namespace mailstead::mime
