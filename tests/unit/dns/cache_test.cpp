#include "common/dns/cache.h"

#include <gtest/gtest.h>

namespace mailstead::dns {
namespace {

using namespace std::chrono_literals;

Question name(int i) {
    return {"n" + std::to_string(i) + ".example", RecordType::a};
}

AnyAnswer some_answer() {
    return AnyAnswer::of({*IpAddress::parse("192.0.2.1")}, Seconds(300));
}

TEST(DnsCache, GivesWhatHoldsStillWithTheTimeLeft) {
    Cache cache(10);
    const Cache::Moment start{1000s};
    cache.put(name(1), some_answer(), start + 300s);
    EXPECT_EQ(cache.find(name(1), start + 100s)->ttl, Seconds(200));
    EXPECT_TRUE(cache.find(name(1), start + 299s));
    EXPECT_FALSE(cache.find(name(1), start + 300s));
    EXPECT_EQ(cache.size(), 0U);
    EXPECT_FALSE(cache.find({"n1.example", RecordType::mx}, start));
}

TEST(DnsCache, DropsTheLeastRecentlyUsed) {
    Cache cache(3);
    const Cache::Moment now{1000s};
    for (int i = 1; i <= 3; ++i) cache.put(name(i), some_answer(), now + 1h);
    EXPECT_TRUE(cache.find(name(1), now));
    cache.put(name(4), some_answer(), now + 1h);
    EXPECT_EQ(cache.size(), 3U);
    EXPECT_TRUE(cache.find(name(1), now));
    EXPECT_FALSE(cache.find(name(2), now));
}

TEST(DnsCache, MayBeSwitchedOff) {
    Cache cache(0);
    cache.put(name(1), some_answer(), Cache::Moment{1h});
    EXPECT_EQ(cache.size(), 0U);
}

}  // namespace
}  // namespace mailstead::dns
