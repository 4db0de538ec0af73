#include "common/runtime/fair_pool.h"

#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/unit/net/support.h"

namespace mailstead::runtime {
namespace {

using namespace std::chrono_literals;
using Rank = FairPool::Rank;

// A pool with one thread that is kept busy until go(), and the order in which it then does what waits.
class FairPoolTest : public ::testing::Test {
protected:
    struct Job final : FairPool::Job {
        Job(FairPoolTest& whose, std::string what) : test(whose), name(std::move(what)) {}
        void run() noexcept override {
            if (name == "gate") {
                test.entered_.set_value();
                test.opened_.get_future().wait();
                return;
            }
            test.note(name);
        }
        void drop() noexcept override { test.note("-" + name); }
        FairPoolTest& test;
        std::string name;
    };

    void start(FairPool::Options options) {
        options.threads = 1;
        pool_ = std::make_unique<FairPool>(options);
        ASSERT_NE(submit("gate", "gate", "gate"), 0u);
        entered_.get_future().wait();
    }
    FairPool::Ticket submit(const std::string& network, const std::string& address, const std::string& name,
                            Rank rank = Rank::fresh) {
        std::unique_ptr<FairPool::Job> job = std::make_unique<Job>(*this, name);
        const FairPool::Ticket ticket = pool_->submit({network, address, rank}, job);
        EXPECT_EQ(job == nullptr, ticket != 0) << "a job that is refused is left with the caller";
        return ticket;
    }
    void note(const std::string& what) {
        const std::lock_guard lock(mutex_);
        done_ += done_.empty() ? what : " " + what;
        ++notes_;
        if (notes_ == wanted_) all_.set_value();
    }
    // Waits until so many have been done or dropped.
    std::string go(std::size_t count) {
        bool there = false;
        {
            const std::lock_guard lock(mutex_);
            wanted_ = count;
            there = notes_ >= count;
        }
        opened_.set_value();
        if (!there) all_.get_future().wait();
        const std::lock_guard lock(mutex_);
        return done_;
    }

    std::promise<void> entered_;
    std::promise<void> opened_;
    std::promise<void> all_;
    std::mutex mutex_;
    std::string done_;
    std::size_t notes_ = 0;
    std::size_t wanted_ = 0;
    std::unique_ptr<FairPool> pool_;
};

TEST_F(FairPoolTest, NetworksTakeTurnsAndAddressesWithinThem) {
    start({});
    for (const char* name : {"a1", "a2", "a3"}) submit("net-1", "a", name);
    for (const char* name : {"b1", "b2"}) submit("net-1", "b", name);
    submit("net-2", "c", "c1");
    submit("net-2", "c", "c2");
    EXPECT_EQ(go(7), "a1 c1 b1 c2 a2 b2 a3");
}

TEST_F(FairPoolTest, SixtyFourAddressesOfOneNetworkAreNotSixtyFour) {
    start({});
    for (int i = 0; i < 64; ++i) submit("flood", std::to_string(i), "x");
    submit("home", "me", "me");
    EXPECT_TRUE(go(65).starts_with("x me x")) << done_;
}

TEST_F(FairPoolTest, BetterRanksGoFirstAndTheOthersAreNotStarved) {
    start({});
    for (int i = 0; i < 40; ++i) submit("k", "k", "k", Rank::known);
    for (int i = 0; i < 40; ++i) submit("f", "f", "f", Rank::fresh);
    for (int i = 0; i < 40; ++i) submit("s", "s", "s", Rank::suspect);
    std::string expected;
    for (const char* others : {"f f f s ", "f f f f s "}) {  // the gate was the first of the fresh
        for (int i = 0; i < 16; ++i) expected += "k ";
        expected += others;
    }
    EXPECT_TRUE(go(120).starts_with(expected)) << done_;
}

TEST_F(FairPoolTest, WhatIsCancelledIsDroppedAtOnceAndNeverRun) {
    start({});
    submit("n", "a", "a");
    const auto ticket = submit("n", "b", "b");
    submit("n", "c", "c");
    pool_->cancel(ticket);
    pool_->cancel(ticket);
    pool_->cancel(0);
    EXPECT_EQ(pool_->queued(), 2u);
    EXPECT_EQ(go(3), "-b a c");
}

TEST_F(FairPoolTest, QueuesAreBoundedByAddressAndByNetwork) {
    start({.per_address = 2, .per_network = 3});
    EXPECT_NE(submit("n", "a", "a1"), 0u);
    EXPECT_NE(submit("n", "a", "a2"), 0u);
    EXPECT_EQ(submit("n", "a", "a3"), 0u);
    EXPECT_NE(submit("n", "b", "b1"), 0u);
    EXPECT_EQ(submit("n", "c", "c1"), 0u);
    EXPECT_NE(submit("m", "c", "c1"), 0u);
    EXPECT_EQ(go(4), "a1 c1 b1 a2");
}

TEST_F(FairPoolTest, WhenAllAreTooManyTheLargestNetworkMakesRoom) {
    start({.queue = 4});
    for (const char* name : {"x1", "x2", "x3", "x4"}) submit("flood", "x", name);
    EXPECT_NE(submit("home", "me", "me"), 0u);
    EXPECT_NE(submit("work", "you", "you"), 0u);
    EXPECT_EQ(submit("flood", "y", "y"), 0u) << "not for itself";
    EXPECT_NE(submit("third", "z", "z"), 0u);
    EXPECT_EQ(submit("fourth", "w", "w"), 0u) << "nobody has more than his share";
    EXPECT_EQ(go(7), "-x4 -x3 -x2 x1 me you z");
}

TEST_F(FairPoolTest, AWorseRankMakesRoomForABetter) {
    start({.queue = 2});
    submit("a", "a", "a", Rank::suspect);
    submit("b", "b", "b", Rank::fresh);
    EXPECT_NE(submit("c", "c", "c", Rank::fresh), 0u);
    EXPECT_EQ(submit("d", "d", "d", Rank::suspect), 0u);
    EXPECT_NE(submit("e", "e", "e", Rank::known), 0u);
    EXPECT_EQ(go(4), "-a -b e c");
}

TEST_F(FairPoolTest, WhatHasWaitedForTooLongIsDropped) {
    constexpr auto kPatience = 500ms;
    start({.patience = kPatience});
    submit("n", "a", "a");
    submit("n", "b", "b");
    std::this_thread::sleep_until(std::chrono::steady_clock::now() + kPatience + 1ms);
    EXPECT_EQ(go(2), "-a -b");
}

TEST_F(FairPoolTest, TheEndDropsWhatWaits) {
    start({});
    submit("n", "a", "a");
    std::promise<void> ending;
    std::thread end([&] {
        ending.set_value();
        pool_.reset();
    });
    ending.get_future().wait();
    EXPECT_EQ(go(1), "-a");
    end.join();
}

// Two threads, and the job of one network must not have both.
TEST(FairPool, OneNetworkDoesNotHaveAllThreads) {
    FairPool::Options options;
    options.threads = 2;
    options.running_per_network = 1;
    FairPool pool(options);
    struct Job final : FairPool::Job {
        Job(std::promise<void>& mine, std::shared_future<void> until) : begun(mine), end(std::move(until)) {}
        void run() noexcept override {
            begun.set_value();
            end.wait();
        }
        void drop() noexcept override {}
        std::promise<void>& begun;
        std::shared_future<void> end;
    };
    std::promise<void> first;
    std::promise<void> second;
    std::promise<void> other;
    std::promise<void> end;
    const std::shared_future<void> ended = end.get_future().share();
    const auto submit = [&](const char* network, std::promise<void>& begun) {
        std::unique_ptr<FairPool::Job> job = std::make_unique<Job>(begun, ended);
        ASSERT_NE(pool.submit({network, "a"}, job), 0u);
    };
    submit("flood", first);
    first.get_future().wait();
    submit("flood", second);
    submit("home", other);
    other.get_future().wait();
    EXPECT_EQ(pool.queued(), 1u) << "the second of the flood";
    end.set_value();
    second.get_future().wait();
}

TEST(FairPool, RunsElsewhereAndReturnsHereUnlessItIsGivenUp) {
    net::test::Loop loop;
    FairPool pool({.threads = 1});
    const auto task = [](FairPool& where) -> net::Task<void> {
        const auto here = std::this_thread::get_id();
        const FairPool::Customer customer{"n", "a"};
        FairPool::Ticket ticket = 0;
        auto work = [] { return std::this_thread::get_id(); };
        const auto there = co_await offload_fairly(where, customer, ticket, work);
        EXPECT_TRUE(there);
        EXPECT_NE(*there, here);
        EXPECT_EQ(std::this_thread::get_id(), here);
        EXPECT_NE(ticket, 0u);
    };
    loop.tasks.spawn(task(pool));
    loop.run();
}

}  // namespace
}  // namespace mailstead::runtime
