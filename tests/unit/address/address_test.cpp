#include "common/address/address.h"

#include <gtest/gtest.h>

namespace mailstead {
namespace {

TEST(LocalPart, IsHeldDecodedAndQuotedWhereNeeded_Rfc5321_4_1_2) {
    struct Case {
        std::string_view wire;
        std::string_view decoded;
        std::string_view written;
    };
    const Case cases[] = {
        {"user", "user", "user"},
        {"User.Name+tag", "User.Name+tag", "User.Name+tag"},
        {"!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~"},
        {"\"john smith\"", "john smith", "\"john smith\""},
        {"\"user\"", "user", "user"},
        {R"("a\"b\\c")", R"(a"b\c)", R"("a\"b\\c")"},
        {R"("a\b")", "ab", "ab"},
        {"\"a@b\"", "a@b", "\"a@b\""},
        {"\"a..b\"", "a..b", "\"a..b\""},
        {"\"\"", "", "\"\""},
        {"\xC3\xBCser", "\xC3\xBCser", "\xC3\xBCser"},
    };
    for (const Case& c : cases) {
        const auto local = LocalPart::parse(c.wire);
        ASSERT_TRUE(local) << c.wire;
        EXPECT_EQ(local->decoded(), c.decoded);
        EXPECT_EQ(local->wire(), c.written);
        EXPECT_EQ(*LocalPart::parse(local->wire()), *local) << "what is written reads back";
    }
}

TEST(LocalPart, RefusesWhatIsNone) {
    for (const std::string& bad :
         {std::string(), std::string("."), std::string(".a"), std::string("a."), std::string("a..b"),
          std::string("a b"), std::string("a@b"), std::string("(a)"), std::string("a\"b"), std::string("\"a"),
          std::string("\""), std::string("\"a\"b\""), std::string("\"a\\\""), std::string("\"a\x01\""),
          std::string("\"a\\\x7F\""), std::string("\"a\r\nb\""), std::string("\xFF"), std::string(256, 'a'),
          std::string("a\0b", 3)}) {
        EXPECT_FALSE(LocalPart::parse(bad)) << bad;
    }
    EXPECT_TRUE(LocalPart::parse(std::string(255, 'a')));
}

TEST(Address, TheLastAtDivides) {
    const auto address = Address::parse("\"a@b\"@Example.org");
    ASSERT_TRUE(address);
    EXPECT_EQ(address->local().decoded(), "a@b");
    EXPECT_EQ(address->domain().ascii(), "example.org");
    EXPECT_EQ(address->to_string(), "\"a@b\"@example.org");
    for (const std::string_view bad : {"", "@", "a", "a@", "@b.example", "a@b@c.example", "<a@b.example>",
                                       "a @b.example", "a@b..example"}) {
        EXPECT_FALSE(Address::parse(bad)) << bad;
    }
}

TEST(Address, ErrorsPointIntoTheAddress) {
    const auto address = Address::parse("abc@x..example");
    ASSERT_FALSE(address);
    EXPECT_GE(address.error().offset, 4U);
}

TEST(Address, SpellingsForWirePeopleAndLookup) {
    const Address address = *Address::parse(
        "J\xC3\xBCrgen@B\xC3\xBC"
        "cher.example");
    EXPECT_EQ(address.to_string(), "J\xC3\xBCrgen@xn--bcher-kva.example");
    EXPECT_EQ(address.unicode(),
              "J\xC3\xBCrgen@b\xC3\xBC"
              "cher.example");
    EXPECT_EQ(address.key(), "j\xC3\xBCrgen@xn--bcher-kva.example");
    EXPECT_FALSE(address.is_ascii());
    EXPECT_TRUE(Address::parse("you@b\xC3\xBC"
                               "cher.example")
                    ->is_ascii())
        << "the domain has a spelling in ASCII";
    EXPECT_EQ(Address::parse("YOU@example.org")->key(), Address::parse("you@EXAMPLE.ORG")->key());
    EXPECT_NE(*Address::parse("YOU@example.org"), *Address::parse("you@example.org"));
}

TEST(Address, TheNullPathIsEmpty) {
    EXPECT_EQ(to_string(ReversePath()), "");
    EXPECT_EQ(to_string(ReversePath(*Address::parse("a@b.example"))), "a@b.example");
}

}  // namespace
}  // namespace mailstead
