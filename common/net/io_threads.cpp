#include "common/net/io_threads.h"

#include <atomic>
#include <csignal>
#include <pthread.h>
#include <string>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>

namespace mailstead::net {

namespace asio = boost::asio;

struct IoThreads::State {
    struct Worker {
        // One thread runs each context; others only post to it.
        asio::io_context context{1};
        asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
        std::thread thread;
    };
    std::vector<std::unique_ptr<Worker>> workers;
    std::atomic<std::size_t> next{0};
};

IoThreads::IoThreads(std::size_t count) : state_(std::make_unique<State>()) {
    if (count == 0) count = std::max(1U, std::thread::hardware_concurrency());
    for (std::size_t i = 0; i < count; ++i) state_->workers.push_back(std::make_unique<State::Worker>());
}

IoThreads::~IoThreads() {
    stop();
    join();
}

std::size_t IoThreads::size() const {
    return state_->workers.size();
}

asio::io_context& IoThreads::context(std::size_t index) {
    return state_->workers[index]->context;
}

asio::io_context& IoThreads::next_context() {
    return context(state_->next.fetch_add(1, std::memory_order_relaxed) % size());
}

void IoThreads::start() {
    // OpenSSL writes with write(2): a peer that is gone must not end the process.
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (std::size_t i = 0; i < size(); ++i) {
        State::Worker& worker = *state_->workers[i];
        worker.thread = std::thread([&worker] { worker.context.run(); });
        pthread_setname_np(worker.thread.native_handle(), ("io-" + std::to_string(i)).c_str());
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void IoThreads::stop() {
    for (const auto& worker : state_->workers) worker->context.stop();
}

void IoThreads::join() {
    for (const auto& worker : state_->workers) {
        if (worker->thread.joinable()) worker->thread.join();
    }
}

}  // namespace mailstead::net
