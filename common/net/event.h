// How one task wakes another on the same thread.
#pragma once

#include <memory>

#include <boost/asio/io_context.hpp>

#include "common/net/io_result.h"
#include "common/net/task.h"

namespace mailstead::net {

// A flag that can be waited for. One waiter at a time. Thread: that of the io_context.
class Event {
public:
    explicit Event(boost::asio::io_context& context);
    ~Event();
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    // Sets the flag and wakes the waiter.
    void notify();
    // Until the flag is set, and clears it; at once if it is set. Fails with `timed_out` or `cancelled`.
    Task<IoResult<void>> wait(Timeout timeout);

private:
    struct State;
    std::shared_ptr<State> state_;
};

// Sleeps; fails with `cancelled` when the task is asked to stop.
Task<IoResult<void>> sleep_for(Timeout duration);

}  // namespace mailstead::net
