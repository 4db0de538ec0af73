// One io_context and one thread per core.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace mailstead::net {

// Contexts exist from construction; threads run from start() to join(). All functions may be called from any
// thread outside the pool.
class IoThreads {
public:
    // 0: one per core.
    explicit IoThreads(std::size_t count);
    ~IoThreads();  // stops and joins
    IoThreads(const IoThreads&) = delete;
    IoThreads& operator=(const IoThreads&) = delete;

    std::size_t size() const;
    boost::asio::io_context& context(std::size_t index);
    // The contexts in turn, for spreading work.
    boost::asio::io_context& next_context();

    // SIGPIPE is ignored from here on; the threads block all signals.
    void start();
    // Ends the threads soon, whatever still waits; then join().
    void stop();
    void join();

    // Runs `function(index)` once on each thread; returns without waiting.
    template <class Function>
    void post_all(const Function& function) {
        for (std::size_t i = 0; i < size(); ++i) {
            boost::asio::post(context(i), [function, i] { function(i); });
        }
    }

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace mailstead::net
