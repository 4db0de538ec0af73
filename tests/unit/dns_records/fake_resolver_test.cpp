#include "common/dns/fake_resolver.h"

#include <gtest/gtest.h>

namespace mailstead::dns {
namespace {

TEST(FakeResolver, AnswersFromItsZone) {
    const auto resolver = FakeResolver::parse(R"(
        ; comment
        Example.ORG. MX 10 Mail.Example.org.
        mail.example.org A 192.0.2.1
        alias.example.org CNAME mail.example.org
        loop.example.org CNAME loop.example.org
        *.wild.example.org TXT "any" "thing\"\065"
        dead.example.org FAIL
        half.example.org FAIL AAAA
        half.example.org A 192.0.2.2
        _25._tcp.mail.example.org TLSA 3 1 1 00ff
        _imaps._tcp.example.org SRV 0 1 993 mail.example.org
        _imap._tcp.example.org SRV 0 0 0 .)");
    ASSERT_TRUE(resolver);
    EXPECT_EQ(resolver->answer_as<Mx>({"example.org", RecordType::mx}).records,
              (std::vector<Mx>{{10, "mail.example.org"}}));
    EXPECT_TRUE(resolver->answer({"alias.example.org", RecordType::a}).found());
    EXPECT_EQ(resolver->answer_as<Target>({"alias.example.org", RecordType::cname}).records[0].name,
              "mail.example.org");
    EXPECT_TRUE(resolver->answer({"loop.example.org", RecordType::a}).failed());
    EXPECT_EQ(resolver->answer_as<Txt>({"a.wild.example.org", RecordType::txt}).records[0].text,
              "anything\"A");
    EXPECT_TRUE(resolver->answer({"dead.example.org", RecordType::mx}).failed());
    EXPECT_TRUE(resolver->answer({"half.example.org", RecordType::aaaa}).failed());
    EXPECT_TRUE(resolver->answer({"half.example.org", RecordType::a}).found());
    EXPECT_EQ(resolver->answer_as<Tlsa>({"_25._tcp.mail.example.org", RecordType::tlsa}).records[0].data,
              std::string("\0\xff", 2));
    EXPECT_EQ(resolver->answer_as<Srv>({"_imap._tcp.example.org", RecordType::srv}).records[0].target, "");
    EXPECT_EQ(resolver->asked().size(), 10U);
}

TEST(FakeResolver, TellsNoNameFromNoRecord) {
    const auto resolver = FakeResolver::parse("a.b.example.org A 192.0.2.1");
    ASSERT_TRUE(resolver);
    EXPECT_EQ(resolver->answer({"x.example.org", RecordType::a}).outcome, Outcome::no_such_name);
    EXPECT_EQ(resolver->answer({"a.b.example.org", RecordType::mx}).outcome, Outcome::no_such_record);
    EXPECT_EQ(resolver->answer({"b.example.org", RecordType::a}).outcome, Outcome::no_such_record);
}

TEST(FakeResolver, AuthenticatesBelowAName) {
    auto resolver =
        FakeResolver::parse("mail.signed.example A 192.0.2.1\nunsigned.example A 192.0.2.1").value();
    resolver.authenticate("signed.example");
    EXPECT_TRUE(resolver.answer({"mail.signed.example", RecordType::a}).authenticated);
    EXPECT_TRUE(resolver.answer({"none.signed.example", RecordType::a}).authenticated);
    EXPECT_FALSE(resolver.answer({"unsigned.example", RecordType::a}).authenticated);
}

TEST(FakeResolver, RefusesWhatItCannotRead) {
    for (const char* line :
         {"a.example WAT x", "a.example A 1.2.3", "a.example AAAA 192.0.2.1", "a.example MX mail",
          "a.example TXT \"open", "a.example SRV 1 2 x", "a.example TLSA 3 1 1 xyz"}) {
        EXPECT_FALSE(FakeResolver::parse(line)) << line;
    }
}

}  // namespace
}  // namespace mailstead::dns
