// What a durable commit costs: one message of 10 KiB with an index entry of 1 KiB for one account and a line
// of 200 bytes in the ledger.
//   commit_bench [FOLDER [SECONDS]]      the folder must lie on the disk to be measured
// Prints the time of one flush of the journal's kind beside it, since that is the bound, and what recovery
// takes.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <sys/uio.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "common/commit/engine.h"
#include "common/kv/keys.h"

namespace {

using namespace mailstead;
using namespace mailstead::commit;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMessage = 10 * 1024;
constexpr std::size_t kEntry = 1024;
constexpr int kAccounts = 100;

// Appends each change under the next number, and gives message files their names.
class Log : public Environment {
public:
    Log(std::string folder, kv::Database database) : folder_(std::move(folder)), database_(database) {}
    Result<std::string> apply(kv::WriteTransaction& transaction, std::string_view change,
                              ApplyContext& context) override {
        auto cursor = kv::Cursor::open(transaction, database_);
        if (!cursor) return cursor.error();
        TRY(found, cursor->last());
        const std::uint64_t number = found ? kv::KeyReader(cursor->key()).u64() + 1 : 1;
        TRY_VOID(transaction.put(database_, kv::Key().u64(number), change, kv::PutMode::append));
        if (context.file_count() > 0 && !folder_.empty())
            context.link_file(0, folder_ + std::to_string(number));
        return std::to_string(number);
    }

private:
    std::string folder_;
    kv::Database database_;
};

class Logs : public Participant {
public:
    Result<EnvironmentPlace> locate(std::string_view name) override {
        EnvironmentPlace place;
        place.directory = name.empty() ? std::string("ledger") : "accounts/" + std::string(name) + "/index";
        return place;
    }
    Result<std::unique_ptr<Environment>> attach(std::string_view name,
                                                std::shared_ptr<kv::Env> env) override {
        TRY(database, env->open_database("log"));
        const std::string folder = name.empty() ? "" : "accounts/" + std::string(name) + "/mail/new/";
        return std::unique_ptr<Environment>(new Log(folder, database));
    }
};

std::string message(int seed) {
    std::string bytes(kMessage, ' ');
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<char>('a' + (i * 31 + static_cast<std::size_t>(seed)) % 26);
    return bytes;
}

Transaction delivery(const std::filesystem::path& spool, const std::string& bytes, int account) {
    Transaction transaction;
    MessageFile file;
    file.descriptor = FileDescriptor(::open(spool.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (::pwrite(file.descriptor.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        std::abort();
    file.size = bytes.size();
    transaction.files.push_back(std::move(file));
    transaction.parts = {{"account/" + std::to_string(account), std::string(kEntry, 'e'), {}},
                         {"ledger", std::string(200, 'l'), {}}};
    return transaction;
}

double flush_microseconds(const std::filesystem::path& folder) {
    const std::filesystem::path path = folder / "flush";
    const FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
    const std::string bytes(std::size_t{1} << 20, 'x');
    for (int i = 0; i < 4; ++i) {
        if (::pwrite(fd.get(), bytes.data(), bytes.size(), i << 20) < 0) std::abort();
    }
    ::fsync(fd.get());
    constexpr int kTimes = 200;
    const auto begin = Clock::now();
    for (int i = 0; i < kTimes; ++i) {
        iovec piece{const_cast<char*>(bytes.data()), 12 * 1024};
        if (::pwritev2(fd.get(), &piece, 1, i * 12 * 1024, RWF_DSYNC) < 0) std::abort();
    }
    const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
    std::filesystem::remove(path);
    return took.count() / kTimes;
}

void run(Engine& engine, const std::filesystem::path& spool, int submitters, double seconds) {
    std::atomic<std::uint64_t> failed = 0;
    std::vector<std::vector<double>> times(static_cast<std::size_t>(submitters));
    const std::uint64_t batches = engine.status().batches;
    const auto begin = Clock::now();
    std::vector<std::thread> threads;
    for (int t = 0; t < submitters; ++t) {
        threads.emplace_back([&, t] {
            const std::string bytes = message(t);
            for (int n = t * 7; std::chrono::duration<double>(Clock::now() - begin).count() < seconds; ++n) {
                const auto start = Clock::now();
                const Outcome outcome = engine.submit_and_wait(delivery(spool, bytes, n % kAccounts + 1));
                times[static_cast<std::size_t>(t)].push_back(
                    std::chrono::duration<double, std::micro>(Clock::now() - start).count());
                if (!outcome[0].result || !outcome[1].result) ++failed;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    const double took = std::chrono::duration<double>(Clock::now() - begin).count();
    std::vector<double> all;
    for (const auto& some : times) all.insert(all.end(), some.begin(), some.end());
    std::sort(all.begin(), all.end());
    const auto at = [&](double share) {
        return all[static_cast<std::size_t>(share * static_cast<double>(all.size() - 1))];
    };
    const auto done = static_cast<double>(all.size());
    std::printf(
        "%3d submitters: %8.0f messages/s   p50 %7.0f us   p99 %7.0f us   %5.1f a batch   %llu failed\n",
        submitters, done / took, at(0.5), at(0.99),
        done / static_cast<double>(engine.status().batches - batches),
        static_cast<unsigned long long>(failed.load()));
}

// What a start costs after a kill: the journal as long as it may become before a checkpoint is begun.
void measure_recovery(const std::filesystem::path& folder, EngineOptions options) {
    const std::filesystem::path killed = folder.string() + "-killed";
    std::filesystem::remove_all(folder);
    std::filesystem::remove_all(killed);
    options.checkpoint_idle = std::chrono::hours(1);
    Logs logs;
    {
        Engine engine(options);
        engine.add("account", logs);
        engine.add("ledger", logs);
        if (!engine.start()) return;
        const std::string bytes = message(0);
        for (int n = 0; engine.status().journal_bytes < options.segment_size / 2 - (1u << 20); ++n) {
            std::vector<std::future<void>> answers;
            for (int at_once = 0; at_once < 32; ++at_once) {
                auto answer = std::make_shared<std::promise<void>>();
                answers.push_back(answer->get_future());
                engine.submit(delivery(folder / "spool", bytes, (32 * n + at_once) % kAccounts + 1),
                              [answer](Outcome) { answer->set_value(); });
            }
            for (auto& answer : answers) answer.wait();
        }
        std::filesystem::copy(folder, killed, std::filesystem::copy_options::recursive);
    }
    options.root = killed;
    Engine engine(options);
    engine.add("account", logs);
    engine.add("ledger", logs);
    const auto begin = Clock::now();
    const auto report = engine.start();
    const std::chrono::duration<double, std::milli> took = Clock::now() - begin;
    if (report)
        std::printf("recovery: %zu batches, %zu changes of %d accounts in %.0f ms\n", report->batches_found,
                    report->changes_applied, kAccounts, took.count());
    engine.stop();
    std::filesystem::remove_all(killed);
}

}  // namespace

int main(int argc, char** argv) {
    const std::filesystem::path folder = argc > 1 ? argv[1] : "commit-bench";
    const double seconds = argc > 2 ? std::atof(argv[2]) : 3;
    std::filesystem::remove_all(folder);
    EngineOptions options;
    options.root = folder;
    options.log = [](std::string_view line) {
        std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    };
    Logs logs;
    Engine engine(options);
    engine.add("account", logs);
    engine.add("ledger", logs);
    if (const auto started = engine.start(); !started) {
        std::printf("%s\n", started.error().what.c_str());
        return 1;
    }
    std::printf("one durable write of 12 KiB: %.0f us\n", flush_microseconds(folder));
    for (int account = 1; account <= kAccounts; ++account)
        engine.submit_and_wait(delivery(folder / "spool", message(0), account));
    for (const int submitters : {1, 4, 32, 128}) run(engine, folder / "spool", submitters, seconds);
    engine.stop();
    measure_recovery(folder, options);
    std::filesystem::remove_all(folder);
}
