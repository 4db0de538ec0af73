#include "common/mime/address_list.h"

#include <gtest/gtest.h>

namespace mailstead::mime {
namespace {

// `name|route|local|domain` for each mailbox; `{name` and `}` around a group.
std::string written(std::string_view body) {
    std::string out;
    for (const ListedAddress& a : parse_address_list(body)) {
        if (!out.empty()) out += ", ";
        if (a.kind == ListedAddress::Kind::group_start) out += "{" + a.name;
        if (a.kind == ListedAddress::Kind::group_end) out += "}";
        if (a.kind == ListedAddress::Kind::mailbox)
            out += a.name + "|" + a.route + "|" + a.local + "|" + a.domain;
    }
    return out;
}

TEST(AddressList, ReadsWhatIsRightAndWhatIsNearlyRight) {
    struct Case {
        std::string_view name, body, expected;
    };
    for (const Case& c : {
             Case{"bare", "a@b.example", "||a|b.example"},
             {"several", "a@b, c@d ,e@f", "||a|b, ||c|d, ||e|f"},
             {"name", "Ann B. Example <a@b>", "Ann B. Example||a|b"},
             {"quoted name", "\"Ann, \\\"B\\\"\" <a@b>", "Ann, \"B\"||a|b"},
             {"name in pieces", "\"Ann\"  B\r\n C <a@b>", "Ann B C||a|b"},
             {"comment as name", "a@b (Ann (B) C)", "Ann (B) C||a|b"},
             {"comments inside", "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
              "Pete||pete|silly.test"},
             {"quoted local part", "\"john doe\"@b, <\"a\\\"b@c\"@d>", "||john doe|b, ||a\"b@c|d"},
             {"blanks in the address", "john . doe @ b . example", "||john.doe|b.example"},
             {"literal", "a@[192.0.2.1], <b@[IPv6:2001:db8::1]>", "||a|[192.0.2.1], ||b|[IPv6:2001:db8::1]"},
             {"route", "<@a,@b:c@d>", "|@a,@b|c|d"},
             {"group", "Team: a@b, C <c@d>;, e@f", "{Team, ||a|b, C||c|d, }, ||e|f"},
             {"empty group", "undisclosed-recipients:;", "{undisclosed-recipients, }"},
             {"unclosed group", "Team: a@b", "{Team, ||a|b, }"},
             {"empty entries", ", ,a@b,,", "||a|b"},
             {"address as name", "a@b.example <c@d>", "a@b.example||c|d"},
             {"no address", "root", "||root|"},
             {"no address but words", "Undisclosed recipients", "||Undisclosed recipients|"},
             {"empty address", "Ann <>", "Ann|||"},
             {"nothing", "<>, \"\", ()", ""},
             {"unclosed angle", "Ann <a@b, c@d", "Ann||a|b, ||c|d"},
             {"double angle", "<<a@b>>", "||a|b"},
             {"two in one", "<a@b> <c@d>", "||a|b, ||c|d"},
             {"two ats", "a@b@c", "||a|b@c"},
             {"unclosed quote", "\"Ann <a@b>", "||Ann <a@b>|"},
             {"unclosed comment", "a@b (Ann", "Ann||a|b"},
             {"mailing list", "[list] Ann <a@b>", "[list] Ann||a|b"},
             {"8-bit", "J\xC3\xBCrgen <j@x>", "J\xC3\xBCrgen||j|x"},
             {"junk after", "a@b junk, c@d", "||a|b, ||c|d"},
         }) {
        EXPECT_EQ(written(c.body), c.expected) << c.name;
    }
}

TEST(AddressList, DecodesNames) {
    const auto list = parse_address_list("=?utf-8?Q?J=C3=BCr?= =?utf-8?Q?gen?= <j@x>");
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(list[0].decoded_name(), "J\xC3\xBCrgen");
}

TEST(AddressList, ChecksAddresses) {
    const auto address = [](std::string_view body) { return parse_mailboxes(body).at(0).address(); };
    EXPECT_EQ(address("Ann <Ann@Example.ORG>")->to_string(), "Ann@example.org");
    EXPECT_EQ(address("\"a b\"@x.example")->local().decoded(), "a b");
    EXPECT_FALSE(address("a@b@c"));
    EXPECT_FALSE(address("a"));
    EXPECT_FALSE(address("a@"));
}

TEST(AddressList, MailboxesComeWithoutGroups) {
    EXPECT_EQ(parse_mailboxes("G: a@b, c@d;, e@f").size(), 3U);
}

TEST(AddressList, StopsAtTheBound) {
    std::string body;
    for (std::size_t i = 0; i < kMaxListedAddresses + 5; ++i) body += "a@b,";
    EXPECT_EQ(parse_address_list(body).size(), kMaxListedAddresses);
}

TEST(WriteMailbox, QuotesOrEncodesTheName) {
    const Address a = *Address::parse("a@example.org");
    EXPECT_EQ(write_mailbox("", a), "a@example.org");
    EXPECT_EQ(write_mailbox("Ann Example", a), "Ann Example <a@example.org>");
    EXPECT_EQ(write_mailbox("Ann \"B.\"", a), "\"Ann \\\"B.\\\"\" <a@example.org>");
    EXPECT_EQ(write_mailbox("J\xC3\xBCrgen", a), "=?utf-8?Q?J=C3=BCrgen?= <a@example.org>");
    EXPECT_EQ(write_mailbox("a\r\nBcc: x", a), "\"a  Bcc: x\" <a@example.org>");
}

}  // namespace
}  // namespace mailstead::mime
