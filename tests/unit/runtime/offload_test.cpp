#include "common/runtime/offload.h"

#include <future>
#include <stdexcept>
#include <thread>

#include "tests/unit/net/support.h"

namespace mailstead::runtime {
namespace {

using namespace net::test;

TEST(Offload, RunsElsewhereAndReturnsHere) {
    Loop loop;
    OffloadPool pool(2, 10);
    const auto task = [](OffloadPool& where) -> net::Task<void> {
        const auto here = std::this_thread::get_id();
        auto work = [] { return std::this_thread::get_id(); };
        const auto there = co_await offload(where, work);
        EXPECT_TRUE(there);
        EXPECT_NE(*there, here);
        EXPECT_EQ(std::this_thread::get_id(), here);
    };
    loop.tasks.spawn(task(pool));
    loop.run();
}

TEST(Offload, KindsOfResults) {
    Loop loop;
    OffloadPool pool(1, 10);
    const auto task = [](OffloadPool& where) -> net::Task<void> {
        int touched = 0;
        auto nothing = [&touched] { touched = 1; };
        const auto done = co_await offload(where, nothing);
        EXPECT_TRUE(done);
        EXPECT_EQ(touched, 1);
        auto fallible = []() -> Result<int> { return permanent_error("no"); };
        const auto failed = co_await offload(where, fallible);
        EXPECT_EQ(failed.error().what, "no");
        EXPECT_EQ(failed.error().retry, Retry::is_useless);
        auto throwing = []() -> int { throw std::runtime_error("a bug"); };
        const auto thrown = co_await offload(where, throwing);
        EXPECT_EQ(thrown.error().what, "a bug");
        auto movable = [pointer = std::make_unique<int>(5)] { return *pointer; };
        const auto moved = co_await offload(where, std::move(movable));
        EXPECT_EQ(*moved, 5);
    };
    loop.tasks.spawn(task(pool));
    loop.run();
}

TEST(Offload, AFullQueueIsATransientError) {
    Loop loop;
    OffloadPool pool(1, 2);
    std::promise<void> gate;
    std::promise<void> entered;
    const std::shared_future<void> opened = gate.get_future().share();
    std::vector<std::string> results;
    const auto task = [](OffloadPool& where, std::shared_future<void> until, std::promise<void>* enter,
                         std::vector<std::string>& log) -> net::Task<void> {
        auto work = [until, enter] {
            if (enter != nullptr) enter->set_value();
            until.wait();
        };
        const auto result = co_await offload(where, work);
        log.push_back(result ? "done" : result.error().what);
    };
    loop.tasks.spawn(task(pool, opened, &entered, results));
    loop.context.poll();
    entered.get_future().wait();  // the only thread is busy: two may wait, the third may not
    for (int i = 0; i < 3; ++i) loop.tasks.spawn(task(pool, opened, nullptr, results));
    loop.context.restart();
    while (results.empty()) loop.context.run_one_for(std::chrono::seconds(1));
    EXPECT_EQ(results, std::vector<std::string>{"too much work is waiting"});
    EXPECT_EQ(pool.queued(), 2U);
    gate.set_value();
    loop.run();
    EXPECT_EQ(results.size(), 4U);
    EXPECT_EQ(results.back(), "done");
}

TEST(Offload, TheDestructorFinishesWhatIsQueued) {
    Loop loop;
    int done = 0;
    std::optional<OffloadPool> pool;
    pool.emplace(1, 100);
    const auto task = [](OffloadPool& where, int& count) -> net::Task<void> {
        auto work = [] {};
        const auto result = co_await offload(where, work);
        if (result) ++count;
    };
    for (int i = 0; i < 20; ++i) loop.tasks.spawn(task(*pool, done));
    loop.context.poll();
    pool.reset();
    loop.run();
    EXPECT_EQ(done, 20);
}

}  // namespace
}  // namespace mailstead::runtime
