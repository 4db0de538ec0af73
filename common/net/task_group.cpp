#include "common/net/task_group.h"

#include <list>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/net/parking.h"

namespace mailstead::net {

namespace asio = boost::asio;

struct TaskGroup::State {
    State(asio::io_context& where, std::function<void(std::exception_ptr)> hook)
        : context(where), on_exception(std::move(hook)) {}

    void finish(std::list<asio::cancellation_signal>::iterator task, const std::exception_ptr& exception) {
        signals.erase(task);
        if (exception && on_exception) on_exception(exception);
        if (signals.empty()) idle.release(true);
    }
    void emit(asio::cancellation_type type) {
        level = type;
        // Completions are posted, so no task goes on inside this loop and the list holds still.
        for (asio::cancellation_signal& signal : signals) signal.emit(type);
    }
    static void ignore(State*, asio::cancellation_type) {}
    // The frame at the bottom of every task.
    static Task<void> run(std::shared_ptr<State> state, std::list<asio::cancellation_signal>::iterator signal,
                          Task<void> task) {
        co_await asio::this_coro::throw_if_cancelled(false);
        // Everything may cancel: total is request_stop, terminal is abort.
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        if (state->level != asio::cancellation_type::none) signal->emit(state->level);
        const auto executor = co_await asio::this_coro::executor;
        co_await asio::post(executor, asio::use_awaitable);
        co_await std::move(task);
    }

    asio::io_context& context;
    std::function<void(std::exception_ptr)> on_exception;
    std::list<asio::cancellation_signal> signals;
    asio::cancellation_type level = asio::cancellation_type::none;
    Parking<bool> idle;
};

TaskGroup::TaskGroup(asio::io_context& context, std::function<void(std::exception_ptr)> on_exception)
    : state_(std::make_shared<State>(context, std::move(on_exception))) {}

TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(Task<void> task) {
    State& state = *state_;
    const auto signal = state.signals.emplace(state.signals.end());
    asio::co_spawn(state.context, State::run(state_, signal, std::move(task)),
                   asio::bind_cancellation_slot(
                       signal->slot(), [owner = state_, signal](const std::exception_ptr& exception) {
                           owner->finish(signal, exception);
                       }));
}

void TaskGroup::request_stop() {
    state_->emit(asio::cancellation_type::total);
}

void TaskGroup::abort() {
    state_->emit(asio::cancellation_type::terminal);
}

Task<void> TaskGroup::wait() {
    const std::shared_ptr<State> state = state_;
    while (!state->signals.empty()) {
        co_await state->idle.park(state.get(), &State::ignore);
    }
}

std::size_t TaskGroup::size() const {
    return state_->signals.size();
}

asio::io_context& TaskGroup::context() const {
    return state_->context;
}

Task<bool> stop_requested() {
    const auto state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace mailstead::net
