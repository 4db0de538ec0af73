// Round trips over common/ipc: client and server in one process, each on its own thread.
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <sys/resource.h>

#include <benchmark/benchmark.h>

#include "common/ipc/channel.h"
#include "common/net/listener.h"
#include "common/net/task_group.h"

namespace {

using namespace mailstead;

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

net::Task<ipc::Message> answer(ipc::Message request, const ipc::PeerInfo&) {
    ipc::ChangeAnswer reply;
    reply.bytes = std::move(request.payload);
    co_return ipc::make_message(reply);
}

net::Task<void> ask_repeatedly(ipc::Client& client, int count, std::size_t size, std::atomic<int>& left) {
    const ipc::ApplyChange change{AccountId(1), std::string(size, 'x')};
    for (int i = 0; i < count; ++i) {
        auto reply = co_await ipc::ask(client, change, {}, std::chrono::seconds(30));
        if (!reply) std::abort();
    }
    --left;
}

// range(0): calls in flight; range(1): bytes of a request.
void round_trips(benchmark::State& state) {
    constexpr int kCalls = 20'000;
    const std::string path =
        std::filesystem::temp_directory_path() / ("mailstead-bench-" + std::to_string(getpid()));
    net::IoThreads server_threads(1);
    ipc::ServerOptions options;
    options.program = "bench";
    options.role = ipc::Role::imapd;
    ipc::Server server(server_threads, *net::bind_unix(path, 0600), std::move(options), &answer);
    server.start();
    server_threads.start();
    boost::asio::io_context context(1);
    ipc::Client client(context, ipc::ClientOptions{path, "bench", {}});
    double cpu = 0;
    for (auto _ : state) {
        net::TaskGroup tasks(context);
        const int parallel = static_cast<int>(state.range(0));
        std::atomic<int> left = parallel;
        const double before = cpu_seconds();
        for (int i = 0; i < parallel; ++i)
            tasks.spawn(
                ask_repeatedly(client, kCalls / parallel, static_cast<std::size_t>(state.range(1)), left));
        while (tasks.size() != 0) context.run_one();
        cpu += cpu_seconds() - before;
    }
    const double calls = kCalls * static_cast<double>(state.iterations());
    state.counters["us_cpu_both_sides"] = cpu / calls * 1e6;
    state.SetItemsProcessed(static_cast<std::int64_t>(calls));
    server_threads.stop();
    server_threads.join();
    std::filesystem::remove(path);
}
BENCHMARK(round_trips)
    ->Args({1, 100})
    ->Args({16, 100})
    ->Args({256, 100})
    ->Args({16, 10'000})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
