#include "common/mailauth/publish.h"

#include <algorithm>

#include <boost/json.hpp>

#include "common/mailauth/dkim_key.h"
#include "common/mailauth/dmarc.h"
#include "common/mailauth/spf.h"
#include "common/mailauth/spf_record.h"
#include "tests/unit/mailauth/zone.h"

namespace mailstead::mailauth {
namespace {

DomainFacts facts() {
    DomainFacts f;
    f.domain = "example.org";
    f.hostname = "mail.example.org";
    f.addresses = {*dns::IpAddress::parse("192.0.2.1"), *dns::IpAddress::parse("2001:db8::1")};
    f.keys = {{"s2026", "v=DKIM1; k=rsa; p=" + std::string(392, 'A')}};
    f.mta_sts = DomainFacts::MtaSts{MtaStsMode::testing, "20261122"};
    f.report_address = "postmaster@example.org";
    f.serves_web = true;
    return f;
}

std::vector<std::string> values(const std::vector<PublishedRecord>& records, std::string_view name,
                                dns::RecordType type) {
    std::vector<std::string> out;
    for (const auto& record : records) {
        if (record.name == name && record.type == type) out.push_back(value_text(record.value));
    }
    return out;
}

std::string value(const std::vector<PublishedRecord>& records, std::string_view name, dns::RecordType type) {
    const auto all = values(records, name, type);
    return all.size() == 1 ? all[0] : std::to_string(all.size()) + " values";
}

TEST(Publish, ListsWhatADomainNeeds) {
    const auto records = records_to_publish(facts());
    using enum dns::RecordType;
    EXPECT_EQ(value(records, "example.org", mx), "10 mail.example.org");
    EXPECT_EQ(value(records, "mail.example.org", a), "192.0.2.1");
    EXPECT_EQ(value(records, "mail.example.org", aaaa), "2001:db8::1");
    EXPECT_EQ(value(records, "example.org", txt), "v=spf1 mx -all");
    EXPECT_EQ(value(records, "mail.example.org", txt), "v=spf1 a -all");
    EXPECT_EQ(value(records, "s2026._domainkey.example.org", txt), facts().keys[0].record);
    EXPECT_EQ(value(records, "_dmarc.example.org", txt),
              "v=DMARC1; p=reject; rua=mailto:postmaster@example.org");
    EXPECT_EQ(value(records, "_mta-sts.example.org", txt), "v=STSv1; id=20261122;");
    EXPECT_EQ(value(records, "mta-sts.example.org", cname), "mail.example.org");
    EXPECT_EQ(value(records, "_smtp._tls.example.org", txt), "v=TLSRPTv1; rua=mailto:postmaster@example.org");
    EXPECT_EQ(value(records, "_submissions._tcp.example.org", srv), "0 1 465 mail.example.org");
    EXPECT_EQ(value(records, "_imaps._tcp.example.org", srv), "0 1 993 mail.example.org");
    EXPECT_EQ(value(records, "_imap._tcp.example.org", srv), "0 0 0 .");
    EXPECT_EQ(value(records, "_pop3s._tcp.example.org", srv), "0 0 0 .");
    EXPECT_EQ(value(records, "_pop3._tcp.example.org", srv), "0 0 0 .");
    EXPECT_EQ(value(records, "autoconfig.example.org", cname), "mail.example.org");
    for (const auto& record : records) EXPECT_FALSE(record.why.empty()) << record.name;
}

TEST(Publish, Pop3HasItsPlaces_Rfc6186_3_3) {
    using enum dns::RecordType;
    DomainFacts f = facts();
    f.ports.pop3s = 995;
    f.ports.pop3 = 110;
    const auto records = records_to_publish(f);
    EXPECT_EQ(value(records, "_pop3s._tcp.example.org", srv), "0 1 995 mail.example.org");
    EXPECT_EQ(value(records, "_pop3._tcp.example.org", srv), "0 1 110 mail.example.org");
}

TEST(Publish, NeverPrintsPct) {
    for (const auto& record : records_to_publish(facts()))
        EXPECT_EQ(value_text(record.value).find("pct"), std::string::npos);
}

TEST(Publish, LeavesOutWhatIsNotThere) {
    DomainFacts f = facts();
    f.mta_sts.reset();
    f.report_address.clear();
    for (const auto& record : records_to_publish(f)) {
        EXPECT_NE(record.purpose, RecordPurpose::mta_sts);
        EXPECT_NE(record.purpose, RecordPurpose::tls_report);
    }
    EXPECT_EQ(value(records_to_publish(f), "_dmarc.example.org", dns::RecordType::txt), "v=DMARC1; p=reject");
}

TEST(Publish, WithoutAWebServerOfOursRecordsThatNeedOneAreOptionalAndSaySo) {
    DomainFacts f = facts();
    f.serves_web = false;
    int seen = 0;
    for (const auto& record : records_to_publish(f)) {
        using enum RecordPurpose;
        if (record.purpose != mta_sts && record.purpose != mta_sts_host && record.purpose != autoconfig)
            continue;
        ++seen;
        EXPECT_EQ(record.severity, Severity::optional) << record.name;
        EXPECT_TRUE(record.why.find("web server") != std::string::npos ||
                    record.why.find("/.well-known/mta-sts.txt") != std::string::npos)
            << record.why;
    }
    EXPECT_EQ(seen, 4);
}

TEST(Publish, HostNamedLikeTheDomainHasOneSpfRecord) {
    DomainFacts f = facts();
    f.hostname = f.domain;
    EXPECT_EQ(value(records_to_publish(f), "example.org", dns::RecordType::txt), "v=spf1 mx a -all");
}

TEST(Publish, ReportsToAnotherDomainAreAuthorized_Rfc9990_4) {
    DomainFacts f = facts();
    f.report_address = "reports@elsewhere.example";
    EXPECT_EQ(
        value(records_to_publish(f), "example.org._report._dmarc.elsewhere.example", dns::RecordType::txt),
        "v=DMARC1");
}

// What we print must hold when others evaluate it.
TEST(Publish, RecordsPassTheirOwnChecks) {
    dns::FakeResolver resolver;
    for (const auto& record : records_to_publish(facts()))
        resolver.add(record.name, record.type, record.value);
    for (const char* client : {"192.0.2.1", "2001:db8::1", "192.0.2.2"}) {
        for (const char* sender : {"ann@example.org", ""}) {
            SpfInput in;
            in.client = *dns::IpAddress::parse(client);
            in.helo = "mail.example.org";
            if (*sender != '\0') in.mail_from = Address::parse(sender).value();
            SpfEvaluation spf(in);
            drive_with(spf, resolver);
            EXPECT_EQ(spf.result().verdict,
                      std::string_view(client) == "192.0.2.2" ? SpfVerdict::fail : SpfVerdict::pass);
        }
    }
    const auto dmarc = resolver.answer_as<dns::Txt>({"_dmarc.example.org", dns::RecordType::txt});
    const auto record = parse_dmarc_record(dmarc.records.at(0).text);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->policy, DmarcPolicy::reject);
}

TEST(Publish, ZoneFileReadsBackTheSame) {
    const auto records = records_to_publish(facts());
    const std::string zone_text = render_zone(records);
    EXPECT_NE(zone_text.find("example.org. 3600 IN MX 10 mail.example.org.\n"), std::string::npos);
    std::string plain;
    for (std::string_view rest = zone_text; !rest.empty();) {
        const std::size_t end = rest.find('\n');
        std::string line(rest.substr(0, end));
        rest.remove_prefix(end + 1);
        if (const auto ttl = line.find(" 3600 IN "); ttl != line.npos) line.replace(ttl, 9, " ");
        plain += line + "\n";
    }
    const auto resolver = zone(plain);
    for (const auto& record : records) {
        const auto answer = resolver.answer({record.name, record.type});
        EXPECT_NE(std::find(answer.records.begin(), answer.records.end(), record.value), answer.records.end())
            << record.name;
    }
}

TEST(Publish, LongTextIsShownWholeAndSplit) {
    const std::string text = facts().keys[0].record;
    EXPECT_EQ(zone_value(dns::Txt{text}), "\"" + text.substr(0, 255) + "\" \"" + text.substr(255) + "\"");
    EXPECT_EQ(zone_value(dns::Txt{""}), "\"\"");
    EXPECT_EQ(zone_value(dns::Txt{"a\"b\\c\x01"}), "\"a\\\"b\\\\c\\001\"");
    const std::string table = render_table(records_to_publish(facts()));
    EXPECT_NE(table.find(text + "\n"), std::string::npos);
    EXPECT_NE(table.find(zone_value(dns::Txt{text})), std::string::npos);
    EXPECT_LT(table.find("REQUIRED"), table.find("RECOMMENDED"));
    EXPECT_LT(table.find("RECOMMENDED"), table.find("OPTIONAL"));
}

TEST(Publish, JsonHoldsEachRecord) {
    const auto records = records_to_publish(facts());
    const auto parsed = boost::json::parse(render_json(records));
    const auto& list = parsed.at("records").as_array();
    ASSERT_EQ(list.size(), records.size());
    EXPECT_EQ(list[0].at("name").as_string(), "example.org");
    EXPECT_EQ(list[0].at("type").as_string(), "MX");
    EXPECT_EQ(list[0].at("severity").as_string(), "required");
    EXPECT_EQ(list[0].at("zone_value").as_string(), "10 mail.example.org.");
}

}  // namespace
}  // namespace mailstead::mailauth
