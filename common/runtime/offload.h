// Work that can block, off the io threads.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/base/exception.h"
#include "common/base/result.h"
#include "common/net/task.h"

namespace mailstead::runtime {

// A bounded pool of threads with a bounded queue. Thread-safe.
class OffloadPool {
public:
    // Something to run. It owns itself once it was submitted.
    struct Job {
        virtual ~Job() = default;
        virtual void run() noexcept = 0;
        std::unique_ptr<Job> next;
    };

    // `threads` 0: one per core. Threads block all signals.
    OffloadPool(std::size_t threads, std::size_t queue_limit);
    // Finishes what is queued, then joins. Destroy before the io_contexts whose tasks use it stop existing.
    ~OffloadPool();
    OffloadPool(const OffloadPool&) = delete;
    OffloadPool& operator=(const OffloadPool&) = delete;

    // False if the queue is full: the job is left with the caller.
    bool submit(std::unique_ptr<Job>& job);
    std::size_t queued() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

namespace detail {

template <class T>
struct OffloadResult {
    using type = Result<T>;
};
template <class T>
struct OffloadResult<Result<T>> {
    using type = Result<T>;
};

template <class Function>
using OffloadOutcome = typename OffloadResult<std::invoke_result_t<Function&>>::type;

template <class Function, class Outcome>
std::optional<Outcome> run_caught(Function& function) noexcept {
    try {
        if constexpr (std::is_void_v<std::invoke_result_t<Function&>>) {
            function();
            return Outcome();
        } else {
            return Outcome(function());
        }
    } catch (...) {
        return Outcome(transient_error(describe(std::current_exception())));
    }
}

template <class Function, class Outcome, class Handler>
class OffloadJob final : public OffloadPool::Job {
public:
    OffloadJob(Function function, Handler handler)
        : function_(std::move(function)),
          handler_(std::move(handler)),
          executor_(boost::asio::get_associated_executor(handler_)) {}
    void run() noexcept override { complete(run_caught<Function, Outcome>(function_)); }
    void complete(std::optional<Outcome> outcome) {
        boost::asio::post(executor_, [handler = std::move(handler_), result = std::move(outcome)]() mutable {
            std::move(handler)(*std::move(result));
        });
    }

private:
    Function function_;
    Handler handler_;
    boost::asio::any_io_executor executor_;
};

}  // namespace detail

// Runs `function` (moved or copied in; a named object, see the house rule on coroutines) on the pool and
// returns its result on the calling task's thread: Result<T> for a function that returns T or Result<T>. A
// full queue and an exception are transient errors. Not interrupted by cancellation: what the function refers
// to stays alive until it is done.
template <class Function>
net::Task<detail::OffloadOutcome<Function>> offload(OffloadPool& pool, Function function) {
    using Outcome = detail::OffloadOutcome<Function>;
    co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Outcome)>(
        [](auto handler, OffloadPool* where, Function* what) {
            using Job = detail::OffloadJob<Function, Outcome, std::decay_t<decltype(handler)>>;
            auto owned = std::make_unique<Job>(std::move(*what), std::move(handler));
            Job* job = owned.get();
            std::unique_ptr<OffloadPool::Job> submitted = std::move(owned);
            if (!where->submit(submitted))
                job->complete(Outcome(transient_error("too much work is waiting")));
        },
        boost::asio::use_awaitable, &pool, &function);
}

// As offload(), for a function that can be copied and returns a plain T: with a full queue it runs here and
// now. For what must not be left out of an answer whose beginning is already on its way.
template <class Function>
net::Task<std::invoke_result_t<Function&>> offload_or_run(OffloadPool& pool, Function function) {
    Function copy = function;
    auto outcome = co_await offload(pool, std::move(copy));
    if (outcome) co_return *std::move(outcome);
    co_return function();
}

}  // namespace mailstead::runtime
