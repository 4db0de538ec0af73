// An account's index in a folder of its own, without files and journal, and a clock around what is done to
// it.
#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <stdlib.h>
#include <string>
#include <utility>
#include <vector>

#include "common/kv/env.h"
#include "common/store/accounts.h"
#include "common/store/store.h"

namespace mailstead::bench {

struct Measured {
    double wall = 1e9;  // seconds
    double cpu = 1e9;
};

// `work` so many times; the fastest counts.
template <class Work>
Measured fastest_of(int times, Work&& work) {
    using Clock = std::chrono::steady_clock;
    Measured best;
    for (int n = 0; n < times; ++n) {
        const std::clock_t cpu = std::clock();
        const auto begin = Clock::now();
        work();
        best.wall = std::min(best.wall, std::chrono::duration<double>(Clock::now() - begin).count());
        best.cpu = std::min(best.cpu, static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC);
    }
    return best;
}

class IndexFixture {
public:
    IndexFixture() {
        std::string path = std::filesystem::temp_directory_path() / "mailstead-bench-XXXXXX";
        if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder");
        root_ = path;
        const auto place = accounts_.locate("1").value();
        kv::EnvOptions options = place.options;
        options.access = kv::Access::engine_writer;
        env_ = kv::Env::open(root_ / place.directory, options).value();
        environment_ = accounts_.attach("1", env_).value();
        store::ReaderOptions reading;
        reading.root = root_;
        reading.beside_engine = true;
        reader_ = std::make_unique<store::Reader>(reading);
    }
    ~IndexFixture() {
        reader_.reset();
        environment_.reset();
        env_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }
    IndexFixture(const IndexFixture&) = delete;
    IndexFixture& operator=(const IndexFixture&) = delete;

    store::Snapshot snapshot() { return reader_->open(AccountId{1}).value().snapshot().value(); }

    // One change in a transaction of its own; `sizes` are those of an Append's messages.
    store::ChangeResult apply(store::Action action, std::vector<std::uint64_t> sizes = {}) {
        commit::ApplyContext context(std::move(sizes), false);
        auto transaction = env_->write().value();
        const std::string bytes =
            store::encode(store::Change{Time(Milliseconds(1'700'000'000'000)), std::move(action)});
        const std::string result = environment_->apply(transaction, bytes, context).value();
        transaction.commit().value();
        return store::decode_result(result).value();
    }

    // Puts the message with this text into the change; `n` is its place in time.
    static void add(store::Append& append, const std::string& text, int n) {
        store::NewMessage arriving;
        arriving.size = text.size();
        arriving.internal_date = Time(Seconds(1'700'000'000 + n));
        arriving.cache = store::build_fetch_cache(text);
        arriving.file = static_cast<std::uint32_t>(append.messages.size());
        append.messages.push_back(std::move(arriving));
    }
    store::ChangeResult deliver(store::Append append) {
        std::vector<std::uint64_t> sizes;
        sizes.reserve(append.messages.size());
        for (const store::NewMessage& message : append.messages) sizes.push_back(message.size);
        return apply(std::move(append), std::move(sizes));
    }

    // Of the index on disk.
    std::uint64_t octets() const { return env_->pages() * env_->page_size(); }

private:
    std::filesystem::path root_;
    store::Accounts accounts_;
    std::shared_ptr<kv::Env> env_;
    std::unique_ptr<commit::Environment> environment_;
    std::unique_ptr<store::Reader> reader_;
};

}  // namespace mailstead::bench
