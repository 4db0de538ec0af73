#include "deliver/relay/route.h"

#include <gtest/gtest.h>

namespace mailstead::deliver {
namespace {

const Domain kDomain = Domain::parse("remote.test").value();

Route route(dns::Answer<dns::Mx> answer, std::string own = "mail.example.org") {
    return route_by_mx(kDomain, answer, own, [](std::vector<std::string>&) {});
}

std::vector<std::string> names(const Route& route) {
    const auto* hosts = std::get_if<MxHosts>(&route);
    return hosts ? hosts->names : std::vector<std::string>{};
}

TEST(Route, HostsComeInOrderOfPreference_Rfc5321_5_1) {
    EXPECT_EQ(names(route(dns::Answer<dns::Mx>::of({{20, "b.test"}, {10, "a.test"}, {20, "c.test"}}))),
              (std::vector<std::string>{"a.test", "b.test", "c.test"}));
}

TEST(Route, WithoutMxTheDomainItselfIsTheHost) {
    EXPECT_EQ(names(route(dns::Answer<dns::Mx>::no_record())), (std::vector<std::string>{"remote.test"}));
}

TEST(Route, ANullMxRefusesForGood_Rfc7505) {
    const Route refused = route(dns::Answer<dns::Mx>::of({{0, ""}}));
    const auto* none = std::get_if<NoRoute>(&refused);
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->permanent);
    EXPECT_EQ(none->status, (smtp::EnhancedCode{5, 1, 10}));
}

TEST(Route, ADomainThatDoesNotExistFailsForGoodAndADeadServerDoesNot) {
    const Route unknown = route(dns::Answer<dns::Mx>::no_name());
    EXPECT_TRUE(std::get<NoRoute>(unknown).permanent);
    const Route silent = route(dns::Answer<dns::Mx>::failure("timeout"));
    EXPECT_FALSE(std::get<NoRoute>(silent).permanent);
}

TEST(Route, HostsNotBetterThanOurselvesAreLeftOut) {
    EXPECT_EQ(
        names(route(dns::Answer<dns::Mx>::of({{10, "a.test"}, {20, "mail.example.org"}, {30, "c.test"}}))),
        (std::vector<std::string>{"a.test"}));
    const Route loop = route(dns::Answer<dns::Mx>::of({{10, "MAIL.example.org"}, {30, "c.test"}}));
    EXPECT_EQ(std::get<NoRoute>(loop).status, (smtp::EnhancedCode{5, 4, 6}));
}

TEST(Route, NamesThatAreNoHostsAreLeftOut) {
    EXPECT_EQ(names(route(dns::Answer<dns::Mx>::of({{10, "bad name"}, {20, "good.test"}}))),
              (std::vector<std::string>{"good.test"}));
    EXPECT_TRUE(std::get<NoRoute>(route(dns::Answer<dns::Mx>::of({{10, "bad name"}, {10, "-x"}}))).permanent);
}

}  // namespace
}  // namespace mailstead::deliver
