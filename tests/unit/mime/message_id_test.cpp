#include "common/mime/message_id.h"

#include <gtest/gtest.h>

namespace mailstead::mime {
namespace {

using Ids = std::vector<std::string>;

TEST(MessageIds, ReadsLists) {
    EXPECT_EQ(parse_message_ids(" <a@b> <c@d>\r\n\t<e@f>"), (Ids{"a@b", "c@d", "e@f"}));
    EXPECT_EQ(parse_message_ids("<a@b>,<c@d>"), (Ids{"a@b", "c@d"}));
    EXPECT_EQ(parse_message_ids("Your message of Monday <a@b>"), (Ids{"a@b"}));
    EXPECT_EQ(parse_message_ids("<a @\r\n b>"), (Ids{"a@b"}));
    EXPECT_EQ(parse_message_ids("<01KF8JCEOCBS0045PS@\"xxx.yyy.com\">"),
              (Ids{"01KF8JCEOCBS0045PS@xxx.yyy.com"}));
    EXPECT_EQ(parse_message_ids("<\"a>b\"@c>"), (Ids{"a>b@c"}));
    EXPECT_EQ(parse_message_ids("<broken <a@b> <>"), (Ids{"a@b"}));
    EXPECT_EQ(parse_message_ids(" a@b "), (Ids{"a@b"}));
    EXPECT_EQ(parse_message_ids("no id here"), Ids{});
    EXPECT_EQ(parse_message_ids("<unclosed@x"), Ids{});
    EXPECT_EQ(first_message_id("x <> <a@b> <c@d>"), "a@b");
    EXPECT_EQ(first_message_id(""), "");
}

TEST(MessageIds, KeepsTheLastOnes) {
    std::string body;
    for (std::size_t i = 0; i < 5 * kMaxMessageIds; ++i) body += "<" + std::to_string(i) + "@x> ";
    const Ids ids = parse_message_ids(body);
    ASSERT_EQ(ids.size(), kMaxMessageIds);
    EXPECT_EQ(ids.back(), std::to_string(5 * kMaxMessageIds - 1) + "@x");
    EXPECT_TRUE(parse_message_ids("<" + std::string(kMaxMessageIdLength + 1, 'x') + ">").empty());
}

TEST(BaseSubject, FollowsRfc5256_2_1) {
    struct Case {
        std::string_view subject, text;
        bool marked;
    };
    for (const Case& c : {
             Case{"Hello", "Hello", false},
             {"Re: Hello", "Hello", true},
             {"RE:re: Fwd:fw : Hello", "Hello", true},
             {"Re[5]: Hello", "Hello", true},
             {"[list] Re: [list] Hello", "Hello", true},
             {"[list] Hello", "Hello", false},
             {"[only a blob]", "[only a blob]", false},
             {"Re: [a][b]", "[b]", true},
             {"Hello (fwd) (FWD) ", "Hello", true},
             {"[Fwd: Hello]", "Hello", true},
             {"[fwd: Re: [fwd: Hello (fwd)] ]", "Hello", true},
             {"Hello\t\r\n  world", "Hello world", false},
             {"=?utf-8?Q?Re=3A_Gr=C3=BC=C3=9Fe?=",
              "Gr\xC3\xBC\xC3\x9F"
              "e",
              true},
             {"Regarding: x", "Regarding: x", false},
             {"Re", "Re", false},
             {"Re:", "", true},
             {"", "", false},
         }) {
        const BaseSubject base = base_subject(c.subject);
        EXPECT_EQ(base.text, c.text) << c.subject;
        EXPECT_EQ(base.is_reply_or_forward, c.marked) << c.subject;
    }
}

}  // namespace
}  // namespace mailstead::mime
