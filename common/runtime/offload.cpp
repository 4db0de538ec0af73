#include "common/runtime/offload.h"

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <vector>

namespace mailstead::runtime {

struct OffloadPool::State {
    void work() {
        for (;;) {
            std::unique_ptr<Job> job;
            {
                std::unique_lock lock(mutex);
                wake.wait(lock, [this] { return first != nullptr || ending; });
                if (!first) return;
                job = std::move(first);
                first = std::move(job->next);
                if (!first) last = nullptr;
                --waiting;
            }
            job->run();
        }
    }

    mutable std::mutex mutex;
    std::condition_variable wake;
    std::unique_ptr<Job> first;
    Job* last = nullptr;
    std::size_t waiting = 0;
    std::size_t limit = 0;
    bool ending = false;
    std::vector<std::thread> threads;
};

OffloadPool::OffloadPool(std::size_t threads, std::size_t queue_limit) : state_(std::make_unique<State>()) {
    state_->limit = queue_limit;
    if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (std::size_t i = 0; i < threads; ++i) {
        state_->threads.emplace_back([this] { state_->work(); });
        pthread_setname_np(state_->threads.back().native_handle(), "offload");
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

OffloadPool::~OffloadPool() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->ending = true;
    }
    state_->wake.notify_all();
    for (std::thread& thread : state_->threads) thread.join();
}

bool OffloadPool::submit(std::unique_ptr<Job>& job) {
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->waiting >= state_->limit || state_->ending) return false;
        Job* const added = job.get();
        (state_->last != nullptr ? state_->last->next : state_->first) = std::move(job);
        state_->last = added;
        ++state_->waiting;
    }
    state_->wake.notify_one();
    return true;
}

std::size_t OffloadPool::queued() const {
    const std::lock_guard lock(state_->mutex);
    return state_->waiting;
}

}  // namespace mailstead::runtime
