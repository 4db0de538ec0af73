// Where one coroutine waits for a moment, or for what comes before it.
#pragma once

#include <chrono>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/net/task.h"

namespace mailstead::deliver {

// For one wait. Thread: the executor's.
class Wait {
public:
    explicit Wait(boost::asio::any_io_executor executor) : timer_(std::move(executor)) {}

    // Until end() was called, at most so long. A task that is aborted waits no longer.
    net::Task<void> at_most(std::chrono::milliseconds duration) {
        if (ended_) co_return;
        timer_.expires_after(duration);
        co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    void end() {
        ended_ = true;
        timer_.cancel();
    }
    boost::asio::any_io_executor executor() { return timer_.get_executor(); }

private:
    boost::asio::steady_timer timer_;
    bool ended_ = false;
};

}  // namespace mailstead::deliver
