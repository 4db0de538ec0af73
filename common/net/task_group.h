// Owner of spawned coroutines.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "common/net/task.h"

namespace mailstead::net {

// Every coroutine is spawned here, so that somebody can stop it and wait for it. Belongs to the thread of its
// io_context: spawn, request_stop, abort and wait are called there. Must be empty when it is destroyed,
// unless the io_context is destroyed without running again.
class TaskGroup {
public:
    // `on_exception` hears of an exception that left a task (a bug, not a peer's doing); the task is over
    // then.
    explicit TaskGroup(boost::asio::io_context& context,
                       std::function<void(std::exception_ptr)> on_exception = {});
    ~TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    // Starts the task soon (not within this call). After request_stop tasks still start, already asked to
    // stop. Inside a task cancellation never throws; operations return their cancelled results.
    void spawn(Task<void> task);

    // Asks all tasks to end: reads and waits return `cancelled`, writes go on.
    void request_stop();
    // Ends writes as well.
    void abort();
    // Until no task is left.
    Task<void> wait();

    std::size_t size() const;
    boost::asio::io_context& context() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

// For loops in tasks that may not wait on a stream: whether this task was asked to stop.
Task<bool> stop_requested();

}  // namespace mailstead::net
