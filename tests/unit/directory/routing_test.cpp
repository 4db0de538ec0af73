#include "common/directory/routing.h"

#include <map>

#include <gtest/gtest.h>

namespace mailstead::directory {
namespace {

Address address(const std::string& text) {
    return Address::parse(text).value();
}

class FakeTable : public RoutingTable {
public:
    Result<std::optional<DomainRules>> rules(const Domain& domain) const override {
        const auto found = domains.find(domain.ascii());
        if (found == domains.end()) return std::optional<DomainRules>();
        return std::optional(found->second);
    }
    Result<Entry> entry(const std::string& key) const override {
        if (broken) return transient_error("disk gone");
        const auto found = entries.find(key);
        return found == entries.end() ? Entry() : found->second;
    }
    Result<AccountId> first_account(const Domain&) const override { return first; }

    void alias(const std::string& from, const std::vector<std::string>& to) {
        std::vector<Address> targets;
        for (const std::string& target : to) targets.push_back(address(target));
        entries[from] = targets;
    }

    std::map<std::string, DomainRules> domains{{"example.org", {}}, {"other.example", {}}};
    std::map<std::string, Entry> entries{{"you@example.org", AccountId(1)}, {"me@example.org", AccountId(2)}};
    AccountId first{1};
    bool broken = false;
};

// "1+detail,2,someone@else.example", "unknown", "elsewhere", "error"
std::string outcome(const FakeTable& table, const std::string& recipient) {
    const auto resolution = route(table, address(recipient));
    if (!resolution) return "error";
    if (std::holds_alternative<NotOurDomain>(*resolution)) return "elsewhere";
    if (std::holds_alternative<UnknownUser>(*resolution)) return "unknown";
    std::string out;
    for (const LocalTarget& target : std::get<Targets>(*resolution).local) {
        out += (out.empty() ? "" : ",") + std::to_string(target.account.value);
        if (!target.detail.empty()) out += '+' + target.detail;
    }
    for (const Address& target : std::get<Targets>(*resolution).remote)
        out += (out.empty() ? "" : ",") + target.to_string();
    return out;
}

TEST(Routing, FindsAccountsWithAndWithoutDetail) {
    FakeTable table;
    table.entries["c++@example.org"] = AccountId(3);
    struct Case {
        std::string recipient;
        std::string expected;
    };
    const Case cases[] = {
        {"you@example.org", "1"},          {"You@EXAMPLE.org", "1"},
        {"\"you\"@example.org", "1"},      {"you+Lists@example.org", "1+Lists"},
        {"you+a+b@example.org", "1+a+b"},  {"you+@example.org", "1"},
        {"c++@example.org", "3"},          {"+you@example.org", "unknown"},
        {"nobody@example.org", "unknown"}, {"you@other.example", "unknown"},
        {"you@example.net", "elsewhere"},  {"you@sub.example.org", "elsewhere"},
        {"you@[192.0.2.1]", "elsewhere"},
    };
    for (const Case& c : cases) EXPECT_EQ(outcome(table, c.recipient), c.expected) << c.recipient;
}

TEST(Routing, AliasesExpandToAllTheirTargetsOnce) {
    FakeTable table;
    table.alias("sales@example.org", {"you@example.org", "me@example.org", "partner@example.net"});
    table.alias("all@example.org",
                {"sales@example.org", "YOU@example.org", "PARTNER@EXAMPLE.NET", "other@example.net"});
    table.alias("dangling@example.org", {"gone@example.org"});
    table.alias("half@example.org", {"gone@example.org", "me@example.org"});
    table.alias("filed@example.org", {"you+work@example.org"});
    EXPECT_EQ(outcome(table, "sales@example.org"), "1,2,partner@example.net");
    EXPECT_EQ(outcome(table, "all@example.org"), "1,2,partner@example.net,other@example.net");
    EXPECT_EQ(outcome(table, "sales+x@example.org"), "1+x,2+x,partner@example.net");
    EXPECT_EQ(outcome(table, "dangling@example.org"), "unknown");
    EXPECT_EQ(outcome(table, "half@example.org"), "2");
    EXPECT_EQ(outcome(table, "filed@example.org"), "1+work");
    EXPECT_EQ(outcome(table, "filed+x@example.org"), "1+work");
}

TEST(Routing, CirclesEndAndAreAnErrorOnlyWhenTheyLeadToNoOne) {
    FakeTable table;
    table.alias("a@example.org", {"b@example.org"});
    table.alias("b@example.org", {"a@example.org"});
    table.alias("self@example.org", {"self@example.org", "you@example.org"});
    EXPECT_EQ(outcome(table, "a@example.org"), "error");
    EXPECT_EQ(outcome(table, "self@example.org"), "1");
}

TEST(Routing, DepthAndSizeAreBounded) {
    FakeTable table;
    const auto link = [](std::size_t i) { return "a" + std::to_string(i) + "@example.org"; };
    for (std::size_t i = 0; i <= kMaxAliasDepth; ++i) table.alias(link(i), {link(i + 1)});
    table.entries[link(kMaxAliasDepth + 1)] = AccountId(1);
    EXPECT_EQ(outcome(table, link(1)), "1");
    EXPECT_EQ(outcome(table, link(0)), "error");

    std::vector<std::string> targets;
    for (std::size_t i = 0; i < kMaxTargets; ++i) targets.push_back("t" + std::to_string(i) + "@example.net");
    table.alias("most@example.org", targets);
    EXPECT_NE(outcome(table, "most@example.org"), "error");
    targets.push_back("one-more@example.net");
    table.alias("most@example.org", targets);
    EXPECT_EQ(outcome(table, "most@example.org"), "error");
}

TEST(Routing, CatchAllTakesWhatNobodyElseHas) {
    FakeTable table;
    table.domains["example.org"].catch_all = address("me@example.org");
    table.domains["other.example"].catch_all = address("missing@other.example");
    EXPECT_EQ(outcome(table, "nobody@example.org"), "2");
    EXPECT_EQ(outcome(table, "nobody+x@example.org"), "2");
    EXPECT_EQ(outcome(table, "you@example.org"), "1");
    EXPECT_EQ(outcome(table, "nobody@other.example"), "error") << "a catch-all that catches its own target";
    table.domains["other.example"].catch_all = address("away@example.net");
    EXPECT_EQ(outcome(table, "nobody@other.example"), "away@example.net");
}

TEST(Routing, PostmasterIsAlwaysThere_Rfc5321_4_5_1) {
    FakeTable table;
    EXPECT_EQ(outcome(table, "postmaster@example.org"), "1");
    EXPECT_EQ(outcome(table, "PostMaster@other.example"), "1");
    table.alias("postmaster@example.org", {"you@example.org", "me@example.org"});
    EXPECT_EQ(outcome(table, "postmaster@example.org"), "1,2");
    table.first = AccountId();
    EXPECT_EQ(outcome(table, "postmaster@other.example"), "unknown");
    EXPECT_EQ(outcome(table, "postmaster@example.net"), "elsewhere");
}

TEST(Routing, ADomainMayBeAnotherNameForOne) {
    FakeTable table;
    table.domains["alias.example"].alias_of = *Domain::parse("example.org");
    table.domains["lost.example"].alias_of = *Domain::parse("gone.example");
    EXPECT_EQ(outcome(table, "you@alias.example"), "1");
    EXPECT_EQ(outcome(table, "you+x@alias.example"), "1+x");
    EXPECT_EQ(outcome(table, "postmaster@alias.example"), "1");
    EXPECT_EQ(outcome(table, "nobody@alias.example"), "unknown");
    EXPECT_EQ(outcome(table, "you@lost.example"), "unknown");
}

TEST(Routing, ABrokenDirectoryIsNeverAnUnknownUser) {
    FakeTable table;
    table.broken = true;
    EXPECT_EQ(outcome(table, "you@example.org"), "error");
}

}  // namespace
}  // namespace mailstead::directory
