// SORT and THREAD of a whole mailbox: keys out of the index, order, answer. No session and no socket.
//
//   search_bench [messages]
//
// Bars for 100,000 messages: each line well under 100 ms.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <stdlib.h>
#include <string>
#include <vector>

#include "common/kv/env.h"
#include "common/store/accounts.h"
#include "common/store/store.h"
#include "imapd/commands/search_answer.h"
#include "imapd/commands/sort_keys.h"
#include "imapd/commands/thread_forest.h"

namespace {

using namespace mailstead;
using namespace mailstead::store;
using imapd::proto::SortKey;
using imapd::proto::ThreadAlgorithm;

constexpr AccountId kAccount{1};
constexpr int kBatch = 50;

std::string message(int n) {
    const auto id = [](int of) { return "<" + std::to_string(of) + ".abcdefghijklmnop@example.org>"; };
    std::string text = "From: \"Sender Number " + std::to_string(n * 7919 % 1000) + "\" <sender" +
                       std::to_string(n * 31 % 1000) +
                       "@example.org>\r\nTo: somebody@example.com\r\nSubject: " + (n % 3 == 0 ? "" : "Re: ") +
                       "The subject of conversation number " + std::to_string(n / 8) +
                       (n % 5 == 0 ? " which is rather longer than subjects usually are" : "") +
                       "\r\nDate: Tue, 14 Nov 2023 " + std::to_string(10 + n % 10) + ":" +
                       std::to_string(10 + n * 7 % 50) + ":00 +0000\r\nMessage-ID: " + id(n) + "\r\n";
    if (n % 8 != 0) text += "References: " + id(n / 8 * 8) + "\r\n " + id(n - 1) + "\r\n";
    return text + "\r\nThe text of the message, as plain text.\r\n";
}

class Bench {
public:
    explicit Bench(int messages) : messages_(messages) {
        char path[] = "/tmp/search-bench-XXXXXX";
        root_ = ::mkdtemp(path);
        const auto place = accounts_.locate("1").value();
        kv::EnvOptions options = place.options;
        options.access = kv::Access::engine_writer;
        env_ = kv::Env::open(root_ / place.directory, options).value();
        environment_ = accounts_.attach("1", env_).value();
        ReaderOptions reading;
        reading.root = root_;
        reading.beside_engine = true;
        reader_ = std::make_unique<Reader>(reading);
    }
    ~Bench() {
        reader_.reset();
        environment_.reset();
        env_.reset();
        std::filesystem::remove_all(root_);
    }

    void run() {
        for (int n = 0; n < messages_; n += kBatch) deliver(n);
        inbox_ = snapshot().find(MailboxName::inbox())->id;
        std::printf("%d messages\n", messages_);
        sort("SORT (ARRIVAL)", {{SortKey::arrival}});
        sort("SORT (DATE)", {{SortKey::date}});
        sort("SORT (REVERSE SIZE)", {{SortKey::size, true}});
        sort("SORT (SUBJECT DATE)", {{SortKey::subject}, {SortKey::date}});
        sort("SORT (DISPLAYFROM REVERSE DATE)", {{SortKey::display_from}, {SortKey::date, true}});
        thread("THREAD ORDEREDSUBJECT", ThreadAlgorithm::ordered_subject);
        thread("THREAD REFERENCES", ThreadAlgorithm::references);
        thread("THREAD REFS", ThreadAlgorithm::refs);
    }

private:
    using Clock = std::chrono::steady_clock;

    void deliver(int begin) {
        Append append;
        std::vector<std::uint64_t> sizes;
        for (int n = begin; n < std::min(begin + kBatch, messages_); ++n) {
            const std::string content = message(n);
            NewMessage arriving;
            arriving.size = content.size();
            arriving.internal_date = Time(Seconds(1'700'000'000 + n));
            arriving.cache = build_fetch_cache(content);
            arriving.file = static_cast<std::uint32_t>(append.messages.size());
            sizes.push_back(content.size());
            append.messages.push_back(std::move(arriving));
        }
        commit::ApplyContext context(std::move(sizes), false);
        auto transaction = env_->write().value();
        Change change;
        change.at = Time(Milliseconds(1'700'000'000'000));
        change.action = std::move(append);
        (void)environment_->apply(transaction, encode(change), context).value();
        transaction.commit().value();
    }

    Snapshot snapshot() { return reader_->open(kAccount).value().snapshot().value(); }

    template <class Work>
    void measure(const char* what, Work&& work) {
        double best = 1e9;
        double best_cpu = 1e9;
        std::size_t bytes = 0;
        for (int n = 0; n < 7; ++n) {
            const std::clock_t cpu = std::clock();
            const auto begin = Clock::now();
            bytes = work();
            best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
            best_cpu = std::min(best_cpu, static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC);
        }
        std::printf("  %-36s %9.3f ms (%9.3f of CPU), %zu bytes of answer\n", what, best * 1e3,
                    best_cpu * 1e3, bytes);
    }

    void sort(const char* what, std::vector<imapd::proto::SortCriterion> criteria) {
        using namespace imapd::commands;
        measure(what, [&] {
            const Snapshot at = snapshot();
            SortKeys keys(criteria);
            keys.reserve(static_cast<std::size_t>(messages_));
            (void)at.messages(inbox_, UidSet::all(), [&](const MessageInfo& info) {
                if (keys.needs_cache()) {
                    const auto cached = at.cached(info.message);
                    keys.add(info, &*cached, 1);
                } else {
                    keys.add(info, nullptr, 1);
                }
                return true;
            });
            UidSet whole;
            const auto undecided = keys.undecided();
            for (const std::uint32_t n : undecided) whole.add(Uid(keys.uid(n)));
            auto next = undecided.begin();
            (void)at.messages(inbox_, whole, [&](const MessageInfo& info) {
                keys.complete(*next++, *at.cached(info.message));
                return true;
            });
            ResultList list;
            for (const std::uint32_t n : keys.sorted()) list.add(keys.uid(n));
            std::string out;
            write_plain(out, "SORT", list, ModSeq());
            return out.size();
        });
    }

    void thread(const char* what, ThreadAlgorithm algorithm) {
        using namespace imapd::commands;
        measure(what, [&] {
            const Snapshot at = snapshot();
            ThreadInput input;
            input.reserve(static_cast<std::size_t>(messages_));
            std::vector<std::uint64_t> references;
            (void)at.messages(inbox_, UidSet::all(), [&](const MessageInfo& info) {
                const auto cached = at.cached(info.message);
                references = cached->reference_hashes();
                input.add({info.uid.value, sent_date(info, &*cached), sent_date(info, nullptr),
                           cached->message_id_hash(), cached->is_reply_or_forward()},
                          cached->base_subject(), references);
                return true;
            });
            std::string out;
            ThreadForest::build(input, algorithm).write(out, nullptr);
            return out.size();
        });
    }

    int messages_;
    std::filesystem::path root_;
    Accounts accounts_;
    std::shared_ptr<kv::Env> env_;
    std::unique_ptr<commit::Environment> environment_;
    std::unique_ptr<Reader> reader_;
    MailboxId inbox_;
};

}  // namespace

int main(int argc, char** argv) {
    Bench(argc > 1 ? std::atoi(argv[1]) : 100'000).run();
}
