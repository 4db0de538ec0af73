#include "common/net/task_group.h"

#include "common/net/deadline.h"
#include "common/net/event.h"
#include "support.h"

namespace mailstead::net::test {
namespace {

TEST(TaskGroup, StartsTasksAfterSpawnReturns) {
    Loop loop;
    bool started = false;
    const auto task = [](bool& flag) -> Task<void> {
        flag = true;
        co_return;
    };
    const auto outer = [](TaskGroup& group, bool& flag, Task<void> inner) -> Task<void> {
        group.spawn(std::move(inner));
        EXPECT_FALSE(flag);
        co_return;
    };
    loop.tasks.spawn(outer(loop.tasks, started, task(started)));
    loop.run();
    EXPECT_TRUE(started);
}

TEST(TaskGroup, WaitReturnsWhenTheLastTaskEnds) {
    Loop loop;
    TaskGroup group(loop.context);
    Event go(loop.context);
    bool waited = false;
    const auto worker = [](Event& event) -> Task<void> {
        const auto ready = co_await event.wait(kLong);
        EXPECT_TRUE(ready);
    };
    const auto waiter = [](TaskGroup& whose, bool& flag) -> Task<void> {
        co_await whose.wait();
        flag = true;
    };
    group.spawn(worker(go));
    loop.tasks.spawn(waiter(group, waited));
    loop.context.poll();
    EXPECT_FALSE(waited);
    go.notify();
    loop.run();
    EXPECT_TRUE(waited);
}

TEST(TaskGroup, TasksSpawnedAfterAStopHearOfItAtOnce) {
    Loop loop;
    TaskGroup group(loop.context);
    group.request_stop();
    IoFailure failure = IoFailure::system;
    const auto task = [](IoFailure& into) -> Task<void> {
        const auto slept = co_await sleep_for(kLong);
        if (!slept) into = slept.error().kind;
        const bool stopping = co_await stop_requested();
        EXPECT_TRUE(stopping);
    };
    group.spawn(task(failure));
    loop.tasks.spawn(group.wait());
    loop.run();
    EXPECT_EQ(failure, IoFailure::cancelled);
}

TEST(TaskGroup, TellsOfExceptions) {
    boost::asio::io_context context;
    std::string what;
    TaskGroup group(context, [&what](const std::exception_ptr& e) {
        try {
            std::rethrow_exception(e);
        } catch (const std::exception& exception) {
            what = exception.what();
        }
    });
    const auto task = []() -> Task<void> {
        throw std::runtime_error("a bug");
        co_return;
    };
    group.spawn(task());
    context.run();
    EXPECT_EQ(what, "a bug");
    EXPECT_EQ(group.size(), 0U);
}

TEST(Event, RemembersANoticeAndTimesOutWithoutOne) {
    Loop loop;
    Event event(loop.context);
    event.notify();
    const auto task = [](Event& e) -> Task<void> {
        const auto first = co_await e.wait(kLong);
        EXPECT_TRUE(first);
        const auto second = co_await e.wait(kShort);
        EXPECT_EQ(second.error().kind, IoFailure::timed_out);
    };
    loop.tasks.spawn(task(event));
    loop.run();
}

TEST(Event, StopEndsTheWait) {
    Loop loop;
    Event event(loop.context);
    IoFailure failure = IoFailure::system;
    const auto task = [](Event& e, IoFailure& into) -> Task<void> {
        const auto waited = co_await e.wait(kLong);
        if (!waited) into = waited.error().kind;
    };
    loop.tasks.spawn(task(event, failure));
    loop.context.poll();
    loop.tasks.request_stop();
    loop.run();
    EXPECT_EQ(failure, IoFailure::cancelled);
}

struct Recorder : Deadline {
    Recorder(std::vector<int>& log, int number) : Deadline(&on_expire), log_(log), number_(number) {}
    static void on_expire(Deadline& d) {
        auto& self = static_cast<Recorder&>(d);
        self.log_.push_back(self.number_);
    }
    std::vector<int>& log_;
    int number_;
};

TEST(Deadline, FiresInOrderOfTimeAndNotAfterDisarming) {
    boost::asio::io_context context;
    std::vector<int> fired;
    const auto start = Deadline::Clock::now();
    Recorder late(fired, 3);
    Recorder early(fired, 1);
    Recorder never(fired, 99);
    Recorder middle(fired, 2);
    late.arm(context, start + 12ms);
    never.arm(context, start + 6ms);
    middle.arm(context, start + 8ms);
    early.arm(context, start + 4ms);
    never.disarm();
    context.run_for(5s);
    EXPECT_EQ(fired, (std::vector<int>{1, 2, 3}));
}

}  // namespace
}  // namespace mailstead::net::test
