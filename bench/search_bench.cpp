// SORT and THREAD of a whole mailbox: keys out of the index, order, answer. No session and no socket.
//
//   search_bench [messages]
//
// Bars for 100,000 messages: each line well under 100 ms.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/index_fixture.h"
#include "imapd/commands/search_answer.h"
#include "imapd/commands/sort_keys.h"
#include "imapd/commands/thread_forest.h"

namespace {

using namespace mailstead;
using namespace mailstead::store;
using imapd::proto::SortKey;
using imapd::proto::ThreadAlgorithm;

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
    explicit Bench(int messages) : messages_(messages) {}

    void run() {
        for (int n = 0; n < messages_; n += kBatch) deliver(n);
        inbox_ = index_.snapshot().find(MailboxName::inbox())->id;
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
    void deliver(int begin) {
        Append append;
        for (int n = begin; n < std::min(begin + kBatch, messages_); ++n)
            bench::IndexFixture::add(append, message(n), n);
        index_.deliver(std::move(append));
    }

    // `work` returns the octets of its answer.
    template <class Work>
    void measure(const char* what, Work&& work) {
        std::size_t bytes = 0;
        const bench::Measured best = bench::fastest_of(7, [&] { bytes = work(); });
        std::printf("  %-36s %9.3f ms (%9.3f of CPU), %zu bytes of answer\n", what, best.wall * 1e3,
                    best.cpu * 1e3, bytes);
    }

    void sort(const char* what, std::vector<imapd::proto::SortCriterion> criteria) {
        using namespace imapd::commands;
        measure(what, [&] {
            const Snapshot at = index_.snapshot();
            SortKeys keys(criteria);
            keys.reserve(static_cast<std::size_t>(messages_));
            (void)at.messages(inbox_, UidSet::all(), [&](const MessageInfo& info) {
                const auto header =
                    keys.needs_header() ? at.header(info.message) : std::optional<HeaderRecord>();
                keys.add(info, header ? &*header : nullptr, 1);
                return true;
            });
            UidSet whole;
            auto undecided = keys.undecided();
            std::sort(undecided.begin(), undecided.end());
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
            const Snapshot at = index_.snapshot();
            ThreadInput input;
            input.reserve(static_cast<std::size_t>(messages_));
            std::vector<std::uint64_t> references;
            (void)at.messages(inbox_, UidSet::all(), [&](const MessageInfo& info) {
                if (algorithm == ThreadAlgorithm::ordered_subject) {
                    const auto header = at.header(info.message);
                    input.add({info.uid.value, sent_date(info, *header), arrival_date(info)},
                              header->base_subject(), references);
                } else {
                    const auto cached = at.cached(info.message);
                    references = cached->reference_hashes();
                    input.add({info.uid.value, sent_date(info, *cached), arrival_date(info),
                               cached->message_id_hash(), cached->is_reply_or_forward()},
                              cached->base_subject(), references);
                }
                return true;
            });
            std::string out;
            ThreadForest::build(input, algorithm).write(out, nullptr);
            return out.size();
        });
    }

    int messages_;
    bench::IndexFixture index_;
    MailboxId inbox_;
};

}  // namespace

int main(int argc, char** argv) {
    Bench(argc > 1 ? std::atoi(argv[1]) : 100'000).run();
}
