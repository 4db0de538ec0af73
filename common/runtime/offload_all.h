// Work that several threads of the pool share.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "common/runtime/offload.h"

namespace mailstead::runtime {

namespace detail {

template <class Function, class Handler>
class SharedWork {
public:
    SharedWork(Function& function, Handler handler, std::size_t workers)
        : function_(function),
          handler_(std::move(handler)),
          executor_(boost::asio::get_associated_executor(handler_)),
          left_(workers) {}

    void run() noexcept {
        auto outcome = run_caught<Function, Result<void>>(function_);
        if (!*outcome && !failed_.exchange(true)) failure_.emplace(*std::move(outcome));
        finish(1);
    }
    void refuse() { failure_.emplace(transient_error("too much work is waiting")); }
    // So many are done, or were never begun.
    void finish(std::size_t workers) {
        if (workers == 0 || left_.fetch_sub(workers) != workers) return;
        Result<void> result = failure_ ? *std::move(failure_) : Result<void>();
        boost::asio::post(executor_, [handler = std::move(handler_), done = std::move(result)]() mutable {
            std::move(handler)(std::move(done));
        });
    }

private:
    Function& function_;
    Handler handler_;
    boost::asio::any_io_executor executor_;
    std::atomic<std::size_t> left_;
    std::atomic<bool> failed_{false};
    std::optional<Result<void>> failure_;  // the first; read when all are done
};

template <class Work>
class SharedJob final : public OffloadPool::Job {
public:
    explicit SharedJob(std::shared_ptr<Work> work) : work_(std::move(work)) {}
    void run() noexcept override { work_->run(); }

private:
    std::shared_ptr<Work> work_;
};

}  // namespace detail

// Runs `function` on up to `workers` threads of the pool at the same time and returns when all have come
// back. They divide the work among themselves. A transient error when the queue takes not even one, or when a
// call threw. `function` is a named object of the caller's; not interrupted by cancellation.
template <class Function>
net::Task<Result<void>> offload_all(OffloadPool& pool, std::size_t workers, Function& function) {
    co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Result<void>)>(
        [](auto handler, OffloadPool* where, std::size_t wanted, Function* what) {
            using Work = detail::SharedWork<Function, std::decay_t<decltype(handler)>>;
            // One more than there are workers: this call itself, so that nothing ends before all are begun.
            const auto work = std::make_shared<Work>(*what, std::move(handler), wanted + 1);
            std::size_t begun = 0;
            while (begun < wanted) {
                std::unique_ptr<OffloadPool::Job> job = std::make_unique<detail::SharedJob<Work>>(work);
                if (!where->submit(job)) break;
                ++begun;
            }
            if (begun == 0) work->refuse();
            work->finish(wanted - begun + 1);
        },
        boost::asio::use_awaitable, &pool, workers, &function);
}

}  // namespace mailstead::runtime
