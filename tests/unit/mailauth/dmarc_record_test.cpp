#include "common/mailauth/dmarc.h"
#include "tests/unit/mailauth/zone.h"

namespace mailstead::mailauth {
namespace {

TEST(DmarcRecord, ReadsItsTags) {
    const auto record = parse_dmarc_record(
        "v=DMARC1 ; p=reject; sp=quarantine; np=none; adkim=s; aspf=r; psd=n; t=y; fo=1:d; "
        "rua=mailto:a@x.example, https://y.example/; ruf=mailto:b@x.example; pct=50; zz=1");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->policy, DmarcPolicy::reject);
    EXPECT_EQ(record->subdomain_policy, DmarcPolicy::quarantine);
    EXPECT_EQ(record->nonexistent_policy, DmarcPolicy::none);
    EXPECT_EQ(record->dkim, Alignment::strict);
    EXPECT_EQ(record->spf, Alignment::relaxed);
    EXPECT_EQ(record->public_suffix, PublicSuffix::no);
    EXPECT_TRUE(record->testing);
    EXPECT_EQ(record->aggregate_reports,
              (std::vector<std::string>{"mailto:a@x.example", "https://y.example/"}));
    EXPECT_EQ(record->failure_reports, std::vector<std::string>{"mailto:b@x.example"});
    EXPECT_EQ(record->failure_options, "1:d");
}

TEST(DmarcRecord, Defaults) {
    const auto record = parse_dmarc_record("v=DMARC1");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->policy, DmarcPolicy::none);
    EXPECT_FALSE(record->subdomain_policy);
    EXPECT_EQ(record->dkim, Alignment::relaxed);
    EXPECT_EQ(record->public_suffix, PublicSuffix::unknown);
    EXPECT_FALSE(record->testing);
}

TEST(DmarcRecord, VersionComesFirstAndExactly) {
    for (const char* text : {"v=DMARC1", "v=DMARC1;", "v = DMARC1 ; p=none", " v=DMARC1;p=none"}) {
        EXPECT_TRUE(is_dmarc_record(text)) << text;
    }
    for (const char* text :
         {"", "p=none; v=DMARC1", "v=DMARC", "v=DMARC10", "v=dmarc1; p=none", "v=spf1 -all", "V=DMARC1"}) {
        EXPECT_FALSE(is_dmarc_record(text)) << text;
        EXPECT_FALSE(parse_dmarc_record(text)) << text;
    }
}

TEST(DmarcRecord, WrongPolicyCountsAsNoneIfReportsAreWanted_Rfc9989_4_10_1) {
    EXPECT_FALSE(parse_dmarc_record("v=DMARC1; p=drop"));
    EXPECT_FALSE(parse_dmarc_record("v=DMARC1; p=reject; sp=drop"));
    EXPECT_FALSE(parse_dmarc_record("v=DMARC1; p=reject; np=drop; rua=nothing"));
    const auto record = parse_dmarc_record("v=DMARC1; p=reject; sp=drop; rua=mailto:a@b.example");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->policy, DmarcPolicy::none);
    EXPECT_FALSE(record->subdomain_policy);
}

TEST(DmarcRecord, OtherMistakesAreSkipped) {
    const auto record =
        parse_dmarc_record("v=DMARC1; adkim=x; =; ; junk; psd=maybe; t=1; p=quarantine; p=none");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->policy, DmarcPolicy::quarantine);
    EXPECT_EQ(record->dkim, Alignment::relaxed);
}

TEST(DmarcTreeWalk, AsksAtMostEightTimes_Rfc9989_4_10) {
    EXPECT_EQ(tree_walk("a.mail.example.com"),
              (std::vector<std::string>{"a.mail.example.com", "mail.example.com", "example.com", "com"}));
    EXPECT_EQ(tree_walk("com"), std::vector<std::string>{"com"});
    EXPECT_EQ(tree_walk("a.b.c.d.e.f.g.h.i.j.mail.example.com"),
              (std::vector<std::string>{"a.b.c.d.e.f.g.h.i.j.mail.example.com", "g.h.i.j.mail.example.com",
                                        "h.i.j.mail.example.com", "i.j.mail.example.com",
                                        "j.mail.example.com", "mail.example.com", "example.com", "com"}));
    // Seven labels go one by one, eight lose their first as well.
    EXPECT_EQ(tree_walk("1.2.3.4.5.6.com").size(), 7U);
    EXPECT_EQ(tree_walk("1.2.3.4.5.6.7.com").size(), 8U);
    EXPECT_EQ(tree_walk("1.2.3.4.5.6.7.com")[1], "2.3.4.5.6.7.com");
    EXPECT_EQ(tree_walk("1.2.3.4.5.6.7.8.com")[1], "3.4.5.6.7.8.com");
}

std::vector<std::string> domains(const Authors& authors) {
    std::vector<std::string> out;
    for (const Domain& domain : authors.domains) out.push_back(domain.ascii());
    return out;
}

TEST(DmarcAuthors, AreAllDomainsInFrom) {
    const std::string_view one[] = {" Ann <ann@Example.ORG>"};
    EXPECT_EQ(domains(read_authors(one)), std::vector<std::string>{"example.org"});
    EXPECT_TRUE(read_authors(one).complete);
    const std::string_view several[] = {"a@x.example, \"b@y.example\" <c@z.example>, d@x.example"};
    EXPECT_EQ(domains(read_authors(several)), (std::vector<std::string>{"x.example", "z.example"}));
    const std::string_view group[] = {"team: a@x.example, b@y.example;"};
    EXPECT_EQ(domains(read_authors(group)), (std::vector<std::string>{"x.example", "y.example"}));
    const std::string_view unicode[] = {
        "a@b\xc3\xbc"
        "cher.example"};
    EXPECT_EQ(domains(read_authors(unicode)), std::vector<std::string>{"xn--bcher-kva.example"});
}

TEST(DmarcAuthors, SayWhenSomeCouldNotBeRead) {
    const std::string_view two[] = {"a@x.example", "b@y.example"};
    EXPECT_FALSE(read_authors(two).complete);
    EXPECT_EQ(read_authors(two).domains.size(), 2U);
    const std::string_view literal[] = {"a@[192.0.2.1]"};
    EXPECT_FALSE(read_authors(literal).complete);
    EXPECT_TRUE(read_authors(literal).domains.empty());
    EXPECT_FALSE(read_authors({}).complete);
}

}  // namespace
}  // namespace mailstead::mailauth
