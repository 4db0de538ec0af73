// All listeners of a daemon, which start and end together.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "common/net/listener.h"

namespace mailstead::net {

// Any thread outside the pool.
class ListenerSet {
public:
    void add(std::unique_ptr<Listener> listener) { listeners_.push_back(std::move(listener)); }

    void start();
    // Closes all sockets first, so that no client that one listener sent away comes back through another;
    // then asks all sessions to end.
    void request_stop();
    // Blocks until no session is left or the time, all listeners together, is over; whether none is left.
    bool wait_idle(std::chrono::milliseconds at_most);
    void abort();

private:
    std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace mailstead::net
