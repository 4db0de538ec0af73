// Runs coroutines in tests.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <sys/socket.h>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "common/net/stream.h"
#include "common/net/task_group.h"

namespace mailstead::net::test {

using namespace std::chrono_literals;

// Long enough for a slow machine; tests that wait this long have failed.
inline constexpr Timeout kLong = 20s;
inline constexpr Timeout kShort = 20ms;

// An io_context with its tasks, run until all of them are over.
struct Loop {
    boost::asio::io_context context{1};
    TaskGroup tasks{context, [](const std::exception_ptr& e) { std::rethrow_exception(e); }};

    // Not until the context is out of work: the timer of a deadline that was met may still be set.
    void run() {
        context.restart();
        const auto give_up = std::chrono::steady_clock::now() + 60s;
        while (tasks.size() != 0 && std::chrono::steady_clock::now() < give_up) context.run_one_for(1s);
        EXPECT_EQ(tasks.size(), 0U) << "a task hangs";
    }
};

struct Pair {
    explicit Pair(boost::asio::io_context& context) {
        int fds[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        a = Stream(context, FileDescriptor(fds[0]));
        b = Stream(context, FileDescriptor(fds[1]));
    }
    Stream a;
    Stream b;
};

}  // namespace mailstead::net::test
