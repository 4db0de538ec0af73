// A pool for work that strangers ask for: nobody's is done before everybody else's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "common/runtime/offload.h"

namespace mailstead::runtime {

// A bounded pool of threads that serves networks in turns, within a network its addresses in turns, and
// within an address what came first: an address that asks a thousand times waits for itself, and a thousand
// addresses of one network wait for each other. Thread-safe.
class FairPool {
public:
    // How much is known in favour of whoever asks. Each is served before the next, but the next are not
    // starved: of 21 jobs they get 16, 4 and 1 when all have more than enough.
    enum class Rank : std::uint8_t { known, fresh, suspect };
    struct Customer {
        std::string network;
        std::string address;
        Rank rank = Rank::fresh;
    };
    // Something to run. Exactly one of the two is called, once.
    struct Job {
        virtual ~Job() = default;
        virtual void run() noexcept = 0;
        // It is not run: it was cancelled, waited for too long, or had to make room.
        virtual void drop() noexcept = 0;
    };
    struct Options {
        std::size_t threads = 0;  // 0: one per core, at most `most_threads`
        std::size_t most_threads = 16;
        // What may wait: of one address, of one network, of all together.
        std::size_t per_address = 128;
        std::size_t per_network = 256;
        std::size_t queue = 1'024;
        // Of one network's jobs so many run at the same time. 0: as many as there are threads.
        std::size_t running_per_network = 0;
        // A job that has not begun after this is dropped: nobody waits that long.
        std::chrono::milliseconds patience{15'000};
    };
    // Names a job that was submitted. 0: none.
    using Ticket = std::uint64_t;

    // Threads block all signals.
    explicit FairPool(const Options& options);
    // Drops what waits, finishes what runs, then joins. Destroy before the io_contexts whose tasks use it
    // stop existing.
    ~FairPool();
    FairPool(const FairPool&) = delete;
    FairPool& operator=(const FairPool&) = delete;

    // 0: no room, and the job is left with the caller. When all together are too many, a job of the network
    // that has the most waiting makes room for one of a network that has fewer, or of a better rank.
    Ticket submit(const Customer& customer, std::unique_ptr<Job>& job);
    // Drops the job unless it has begun.
    void cancel(Ticket ticket);
    std::size_t queued() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

namespace detail {

template <class Function, class Outcome, class Handler>
class FairJob final : public FairPool::Job {
public:
    FairJob(Function function, Handler handler)
        : function_(std::move(function)),
          handler_(std::move(handler)),
          executor_(boost::asio::get_associated_executor(handler_)) {}
    void run() noexcept override { complete(run_caught<Function, Outcome>(function_)); }
    void drop() noexcept override { complete(Outcome(transient_error("the work was given up"))); }
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

// As offload(). `ticket` is set before this waits and lives until it returns: FairPool::cancel() with it, on
// the same thread, ends the wait with a transient error unless the function has begun. `customer` and
// `function` are named objects.
template <class Function>
net::Task<detail::OffloadOutcome<Function>> offload_fairly(FairPool& pool, const FairPool::Customer& customer,
                                                           FairPool::Ticket& ticket, Function function) {
    using Outcome = detail::OffloadOutcome<Function>;
    co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Outcome)>(
        [](auto handler, FairPool* where, const FairPool::Customer* whose, FairPool::Ticket* named,
           Function* what) {
            using Job = detail::FairJob<Function, Outcome, std::decay_t<decltype(handler)>>;
            auto owned = std::make_unique<Job>(std::move(*what), std::move(handler));
            Job* job = owned.get();
            std::unique_ptr<FairPool::Job> submitted = std::move(owned);
            *named = where->submit(*whose, submitted);
            if (submitted) job->complete(Outcome(transient_error("too much work is waiting")));
        },
        boost::asio::use_awaitable, &pool, &customer, &ticket, &function);
}

}  // namespace mailstead::runtime
