#include "common/net/listener_set.h"

#include <algorithm>

namespace mailstead::net {

void ListenerSet::start() {
    for (const auto& listener : listeners_) listener->start();
}

void ListenerSet::request_stop() {
    for (const auto& listener : listeners_) listener->stop_accepting();
    for (const auto& listener : listeners_) listener->request_stop();
}

bool ListenerSet::wait_idle(std::chrono::milliseconds at_most) {
    const auto end = std::chrono::steady_clock::now() + at_most;
    return std::ranges::all_of(listeners_, [&](const auto& listener) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        return listener->wait_idle(std::max(left, std::chrono::milliseconds(0)));
    });
}

void ListenerSet::abort() {
    for (const auto& listener : listeners_) listener->abort();
}

}  // namespace mailstead::net
