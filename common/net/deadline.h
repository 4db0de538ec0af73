// Timeouts that cost nothing while they do not happen.
#pragma once

#include <chrono>
#include <memory>

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/intrusive/set.hpp>

namespace mailstead::net {

class DeadlineQueue;

// A moment at which something is to be given up. Embedded in what waits; arming and disarming allocate
// nothing and make no system call unless the moment is earlier than all others. The price: a timer may stay
// set after its deadlines were met, so that io_context::run() returns later than its tasks end; who runs a
// context for tasks ends it with them. Thread: that of the io_context.
class Deadline
    : public boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
public:
    using Clock = std::chrono::steady_clock;
    using Expire = void (*)(Deadline&);

    explicit Deadline(Expire expire) : expire_(expire) {}
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    // `expire(*this)` is called at `when`, or a little later. Arms anew if armed. Always with the same
    // context.
    void arm(boost::asio::io_context& context, Clock::time_point when);
    void disarm() { unlink(); }
    bool armed() const { return is_linked(); }

    friend bool operator<(const Deadline& a, const Deadline& b) { return a.when_ < b.when_; }

private:
    friend class DeadlineQueue;
    Expire expire_;
    Clock::time_point when_{};
    DeadlineQueue* queue_ = nullptr;
};

}  // namespace mailstead::net
