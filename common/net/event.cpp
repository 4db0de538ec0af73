#include "common/net/event.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

#include "common/net/deadline.h"
#include "common/net/parking.h"

namespace mailstead::net {

namespace asio = boost::asio;

enum class Wake : std::uint8_t { notified, timed_out, cancelled };

struct Event::State {
    struct Timer : Deadline {
        explicit Timer(State* whose) : Deadline(&on_expire), owner(whose) {}
        static void on_expire(Deadline& deadline) {
            static_cast<Timer&>(deadline).owner->parking.release(Wake::timed_out);
        }
        State* owner;
    };

    explicit State(asio::io_context& where) : context(where) {}
    static void on_cancel(State* state, asio::cancellation_type) { state->parking.release(Wake::cancelled); }

    asio::io_context& context;
    Parking<Wake> parking;
    Timer timer{this};
    bool set = false;
};

Event::Event(asio::io_context& context) : state_(std::make_shared<State>(context)) {}

Event::~Event() {
    state_->parking.release(Wake::cancelled);
}

void Event::notify() {
    state_->set = true;
    state_->parking.release(Wake::notified);
}

Task<IoResult<void>> Event::wait(Timeout timeout) {
    const std::shared_ptr<State> state = state_;
    const auto stop = co_await asio::this_coro::cancellation_state;
    if (stop.cancelled() != asio::cancellation_type::none) co_return IoError(IoFailure::cancelled, 0);
    if (!state->set) {
        state->timer.arm(state->context, Deadline::Clock::now() + timeout);
        const Wake wake = co_await state->parking.park(state.get(), &State::on_cancel);
        state->timer.disarm();
        if (wake == Wake::timed_out && !state->set) co_return IoError(IoFailure::timed_out, 0);
        if (wake == Wake::cancelled) co_return IoError(IoFailure::cancelled, 0);
    }
    state->set = false;
    co_return IoResult<void>();
}

Task<IoResult<void>> sleep_for(Timeout duration) {
    const auto stop = co_await asio::this_coro::cancellation_state;
    if (stop.cancelled() != asio::cancellation_type::none) co_return IoError(IoFailure::cancelled, 0);
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, duration);
    const auto result = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (std::get<0>(result)) co_return IoError(IoFailure::cancelled, 0);
    co_return IoResult<void>();
}

}  // namespace mailstead::net
