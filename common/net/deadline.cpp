#include "common/net/deadline.h"

#include <boost/asio/steady_timer.hpp>

namespace mailstead::net {

namespace asio = boost::asio;

// All deadlines of one io_context in a tree, and one timer for the earliest. The timer is set anew only when
// an earlier one comes; when it fires for one that was disarmed since, it looks for the next: the usual case,
// an operation that ends before its deadline, touches no timer.
class DeadlineQueue final : public asio::execution_context::service {
public:
    static inline asio::execution_context::id id;

    explicit DeadlineQueue(asio::execution_context& context)
        : asio::execution_context::service(context), timer_(static_cast<asio::io_context&>(context)) {}

    void add(Deadline& deadline) {
        set_.insert(deadline);
        if (deadline.when_ < timer_set_for_) set_timer(deadline.when_);
    }

private:
    using Clock = Deadline::Clock;
    using Set = boost::intrusive::multiset<Deadline, boost::intrusive::constant_time_size<false>>;

    void shutdown() override {
        set_.clear();
        timer_.cancel();
    }

    void set_timer(Clock::time_point when) {
        timer_set_for_ = when;
        timer_.expires_at(when);
        timer_.async_wait([this](const boost::system::error_code& failure) {
            if (!failure) on_timer();
        });
    }

    void on_timer() {
        timer_set_for_ = Clock::time_point::max();
        const Clock::time_point now = Clock::now();
        while (!set_.empty() && set_.begin()->when_ <= now) {
            Deadline& due = *set_.begin();
            due.unlink();
            due.expire_(due);
        }
        if (!set_.empty() && set_.begin()->when_ < timer_set_for_) set_timer(set_.begin()->when_);
    }

    Set set_;
    asio::steady_timer timer_;
    Clock::time_point timer_set_for_ = Clock::time_point::max();
};

void Deadline::arm(asio::io_context& context, Clock::time_point when) {
    unlink();
    when_ = when;
    if (queue_ == nullptr) queue_ = &asio::use_service<DeadlineQueue>(context);
    queue_->add(*this);
}

}  // namespace mailstead::net
