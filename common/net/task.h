// The coroutine type of Mailstead.
#pragma once

#include <chrono>

#include <boost/asio/awaitable.hpp>

namespace mailstead::net {

// Every task runs on the io_context it was spawned on (see TaskGroup) and stays on that thread.
template <class T = void>
using Task = boost::asio::awaitable<T>;

// How long one operation may take. Every operation that waits takes one.
using Timeout = std::chrono::milliseconds;

}  // namespace mailstead::net
