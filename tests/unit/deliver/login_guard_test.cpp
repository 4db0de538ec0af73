#include "deliver/auth/login_guard.h"

#include <vector>

#include <gtest/gtest.h>

namespace mailstead::deliver {
namespace {

using namespace std::chrono_literals;
using Rank = runtime::FairPool::Rank;

LoginOrigin from(std::string_view ip) {
    return origin_of(net::parse_ip(ip).value());
}

class LoginGuardTest : public ::testing::Test {
protected:
    // How long an attempt that begins now waits; -1: it is refused as busy.
    std::int64_t wait(std::string_view ip, const std::string& login) {
        const auto turn = guard_.admit(from(ip), login, at_);
        if (!turn) return -1;
        guard_.left(*turn);
        last_rank_ = turn->rank;
        return turn->wait.count();
    }
    void fail(std::string_view ip, const std::string& login, int times = 1) {
        for (int i = 0; i < times; ++i) guard_.failed(from(ip), login, at_);
    }

    LoginGuard guard_;
    LoginGuard::Clock::time_point at_ = LoginGuard::Clock::time_point(100h);
    Rank last_rank_ = Rank::fresh;
};

TEST_F(LoginGuardTest, WaitsOfOnePairGrowFromAQuarterSecondToTen) {
    std::vector<std::int64_t> seen;
    for (int i = 0; i < 12; ++i) {
        seen.push_back(wait("192.0.2.1", "you"));
        at_ += std::chrono::milliseconds(seen.back());
        fail("192.0.2.1", "you");
    }
    EXPECT_EQ(seen,
              (std::vector<std::int64_t>{0, 0, 0, 0, 250, 500, 1'000, 2'000, 4'000, 8'000, 10'000, 10'000}));
    EXPECT_EQ(last_rank_, Rank::suspect);
}

TEST_F(LoginGuardTest, AttemptsThatComeTogetherGoOneAfterAnother) {
    fail("192.0.2.1", "you", 6);  // one second apart by now
    EXPECT_EQ(wait("192.0.2.1", "YOU"), 1'000) << "the same login";
    EXPECT_EQ(wait("192.0.2.1", "you"), 2'000);
    EXPECT_EQ(wait("192.0.2.1", "you"), 3'000);
}

TEST_F(LoginGuardTest, WhoeverWouldWaitTooLongIsRefusedAtOnceAndPaysNothingForIt) {
    fail("192.0.2.1", "you", 12);  // ten seconds apart
    EXPECT_EQ(wait("192.0.2.1", "you"), 10'000);
    EXPECT_EQ(wait("192.0.2.1", "you"), -1);
    EXPECT_EQ(wait("192.0.2.1", "you"), -1);
    at_ += 10s;
    EXPECT_EQ(wait("192.0.2.1", "you"), 10'000);
}

TEST_F(LoginGuardTest, FailuresAreForgivenByTheMinute) {
    fail("192.0.2.1", "you", 6);
    at_ += 2min;
    EXPECT_EQ(wait("192.0.2.1", "you"), 0) << "four are left; the turn was long ago";
    EXPECT_EQ(wait("192.0.2.1", "you"), 250);
    at_ += 1min;
    EXPECT_EQ(wait("192.0.2.1", "you"), 0);
    EXPECT_EQ(wait("192.0.2.1", "you"), 0);
    fail("192.0.2.1", "you", 1'000);
    at_ += 8min;
    EXPECT_EQ(wait("192.0.2.1", "you"), 0);
    EXPECT_EQ(last_rank_, Rank::fresh) << "a long attack is forgiven as soon as a short one";
}

TEST_F(LoginGuardTest, ASuccessEndsTheWaitsOfItsPairAlone) {
    fail("192.0.2.1", "you", 5);
    fail("192.0.2.1", "other", 5);
    guard_.succeeded(from("192.0.2.1"), "you", at_);
    EXPECT_EQ(wait("192.0.2.1", "you"), 0);
    EXPECT_GT(wait("192.0.2.1", "other"), 0) << "an account of one's own is no way to clear one's name";
}

TEST_F(LoginGuardTest, OneAddressThatTriesManyLoginsWaits) {
    for (int i = 0; i < 9; ++i) fail("192.0.2.1", "user" + std::to_string(i));
    EXPECT_EQ(wait("192.0.2.1", "another"), 250);
    EXPECT_EQ(wait("192.0.2.2", "another"), 0);
    for (int i = 0; i < 9; ++i) fail("2001:db8:1:1::" + std::to_string(i), "user" + std::to_string(i));
    EXPECT_EQ(wait("2001:db8:1:1:ffff::", "another"), 250) << "a /64 is one customer";
    EXPECT_EQ(wait("2001:db8:1:2::", "another"), 0);
}

TEST_F(LoginGuardTest, ACrowdedNetworkCostsItsOthersHalfASecondAtMost) {
    for (int i = 1; i <= 200; ++i) fail("192.0.2." + std::to_string(i), "user" + std::to_string(i));
    EXPECT_EQ(wait("192.0.2.250", "another"), 500);
    EXPECT_EQ(wait("192.0.2.250", "another"), 500) << "together, not one after another";
    EXPECT_EQ(last_rank_, Rank::fresh);
    EXPECT_EQ(wait("192.0.3.1", "another"), 0);
    for (int i = 1; i <= 200; ++i)
        fail("2001:db8:7:" + std::to_string(i) + "::1", "user" + std::to_string(i));
    EXPECT_EQ(wait("2001:db8:7:ffff::1", "another"), 500);
    EXPECT_EQ(wait("2001:db8:8::1", "another"), 0);
}

TEST_F(LoginGuardTest, AnAttackOnALoginFromEverywhereCostsItsOwnerOneSecondAndNothingWhereHeIsKnown) {
    guard_.succeeded(from("203.0.113.9"), "you", at_);
    for (int i = 0; i < 5'000; ++i)
        fail("10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".1", "you");
    EXPECT_EQ(wait("198.51.100.1", "you"), 1'000) << "on the way, from where he never was";
    EXPECT_EQ(wait("198.51.100.1", "you"), 1'000);
    EXPECT_EQ(last_rank_, Rank::fresh);
    EXPECT_EQ(wait("203.0.113.9", "you"), 0);
    EXPECT_EQ(last_rank_, Rank::known);
    EXPECT_EQ(wait("203.0.113.9", "other"), 0);
    EXPECT_EQ(last_rank_, Rank::fresh) << "known for one login, not for all";
}

TEST_F(LoginGuardTest, ADeviceThatLoggedInLatelyIsNeverKeptOutByItsNeighbours) {
    guard_.succeeded(from("192.0.2.1"), "you", at_);
    for (int i = 0; i < 50; ++i) fail("192.0.2.1", "other" + std::to_string(i));
    EXPECT_EQ(wait("192.0.2.1", "you"), 0) << "behind the same address as an attacker";
    fail("192.0.2.1", "you", 50);
    EXPECT_LE(wait("192.0.2.1", "you"), 1'000) << "even on the same login";
    at_ += std::chrono::hours(31 * 24);
    fail("192.0.2.1", "you", 50);
    EXPECT_GT(wait("192.0.2.1", "you"), 1'000) << "lately, that is";
}

TEST_F(LoginGuardTest, ATelephoneWithAnOldPasswordSlowsDownNobodyElse) {
    guard_.succeeded(from("192.0.2.1"), "you", at_);
    fail("192.0.2.1", "you", 100);
    EXPECT_EQ(wait("192.0.2.1", "other"), 0);
    EXPECT_EQ(wait("198.51.100.1", "you"), 0);
}

TEST_F(LoginGuardTest, SuspectsMayHaveSixteenAttemptsUnderWay) {
    fail("192.0.2.1", "you", 4);
    at_ += 10s;
    std::vector<LoginGuard::Turn> turns;
    for (int i = 0; i < 16; ++i) {
        turns.push_back(guard_.admit(from("192.0.2.1"), "you", at_).value());
        at_ += 250ms;
    }
    EXPECT_FALSE(guard_.admit(from("192.0.2.1"), "you", at_));
    guard_.left(turns.front());
    EXPECT_TRUE(guard_.admit(from("192.0.2.1"), "you", at_));
}

TEST_F(LoginGuardTest, RemembersABoundedNumberOfFailures) {
    fail("192.0.2.1", "old", 5);
    at_ += 1s;
    EXPECT_GT(wait("192.0.2.1", "old"), -1);
    for (int i = 0; i < 40'000; ++i)
        fail("10." + std::to_string(i >> 16) + "." + std::to_string((i >> 8) & 255) + "." +
                 std::to_string(i & 255),
             "");
    EXPECT_EQ(wait("192.0.2.1", "old"), 0) << "the oldest made room";
    EXPECT_EQ(wait("192.0.2.1", "old"), 0);
}

}  // namespace
}  // namespace mailstead::deliver
