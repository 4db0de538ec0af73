// A place where one coroutine waits for a value.
#pragma once

#include <optional>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/net/task.h"

namespace mailstead::net {

// Thread: one. The object must live until park() has returned. For use by net, ipc and dns.
template <class T>
class Parking {
public:
    Parking() = default;
    Parking(const Parking&) = delete;
    Parking& operator=(const Parking&) = delete;

    bool occupied() const { return handler_.has_value(); }

    // Waits for release(). When the task is asked to stop (`total`) or aborted (`terminal`), `on_cancel` is
    // called, which releases if that is to end the wait.
    template <class Owner>
    Task<T> park(Owner* owner, void (*on_cancel)(Owner*, boost::asio::cancellation_type)) {
        co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(T)>(
            [](auto handler, Parking* self, Owner* whose, auto cancelled) {
                auto slot = boost::asio::get_associated_cancellation_slot(handler);
                self->handler_.emplace(std::move(handler));
                if (slot.is_connected())
                    slot.assign(
                        [whose, cancelled](boost::asio::cancellation_type type) { cancelled(whose, type); });
            },
            boost::asio::use_awaitable, this, owner, on_cancel);
    }

    // The waiting coroutine goes on with `value`, after this call. Nobody waiting: nothing happens.
    void release(T value) {
        if (!handler_) return;
        Handler handler = std::move(*handler_);
        handler_.reset();
        // Until the posted call runs, a cancellation must not find its way here.
        boost::asio::get_associated_cancellation_slot(handler).clear();
        auto executor = boost::asio::get_associated_executor(handler);
        boost::asio::post(executor, [resume = std::move(handler), result = std::move(value)]() mutable {
            std::move(resume)(std::move(result));
        });
    }

private:
    using Handler = typename boost::asio::async_result<boost::asio::use_awaitable_t<>, void(T)>::handler_type;
    std::optional<Handler> handler_;
};

}  // namespace mailstead::net
